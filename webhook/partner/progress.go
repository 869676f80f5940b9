package partner

import "github.com/sheetbridge/sheetbridge/webhook/registry"

// Progress is how far the load of a share is: the rows that were compared, of those
// that the sheet has.
type Progress struct {
	Done int `json:"done"`
	Of   int `json:"of"`
}

// SetProgress records how far this process has loaded a share, nil for a load that is
// complete.
func (p *Partners) SetProgress(s *registry.Share, progress *Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if progress == nil {
		delete(p.loads, s.Key())
		return
	}
	if p.loads == nil {
		p.loads = map[string]Progress{}
	}
	p.loads[s.Key()] = *progress
}

// Progress returns how far this process has loaded a share, nil where it loads none
// of that name.
func (p *Partners) Progress(s *registry.Share) *Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	if progress, ok := p.loads[s.Key()]; ok {
		return &progress
	}
	return nil
}
