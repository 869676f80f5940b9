package events

import (
	"bytes"
	"maps"
	"slices"
	"sync"
)

// Views keeps the views of shares, since compiling a filter takes as long as
// showing hundreds of rows. It is safe for concurrent use.
type Views struct {
	size int

	mu    sync.Mutex
	kept  map[string]*keptView // by partner and sheet
	turns uint64
}

// keptView is a view with what it was made of.
type keptView struct {
	view    *View
	share   Share
	maskKey []byte
	used    uint64 // the turn in which it was last asked for
}

// NewViews returns a Views that keeps up to size views; beyond that those that
// were not asked for the longest are dropped.
func NewViews(size int) *Views {
	return &Views{size: max(size, 1), kept: map[string]*keptView{}}
}

// View returns what [NewView] does. It makes a new view only where share or key
// differ from those of the last call for the share's partner and sheet.
func (vs *Views) View(s Share, maskKey []byte) (*View, error) {
	name := s.Partner + "/" + s.Sheet
	if v := vs.get(name, &s, maskKey); v != nil {
		return v, nil
	}
	s = s.clone()
	v, err := NewView(s, maskKey)
	if err != nil {
		return nil, err
	}
	vs.keep(name, &keptView{view: v, share: s, maskKey: v.key})
	return v, nil
}

func (vs *Views) get(name string, s *Share, maskKey []byte) *View {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	k := vs.kept[name]
	if k == nil || !bytes.Equal(k.maskKey, maskKey) || !k.share.equal(s) {
		return nil
	}
	vs.turns++
	k.used = vs.turns
	return k.view
}

func (vs *Views) keep(name string, k *keptView) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.turns++
	k.used = vs.turns
	vs.kept[name] = k
	if len(vs.kept) <= vs.size {
		return
	}
	oldest := name
	for name, k := range vs.kept {
		if k.used < vs.kept[oldest].used {
			oldest = name
		}
	}
	delete(vs.kept, oldest)
}

// clone returns a share that has no memory in common with s.
func (s Share) clone() Share {
	s.Fields, s.Kinds = slices.Clone(s.Fields), slices.Clone(s.Kinds)
	s.Cells, s.FilterTypes, s.Attributes = maps.Clone(s.Cells), maps.Clone(s.FilterTypes), maps.Clone(s.Attributes)
	s.Write = s.Write.clone()
	return s
}

// equal reports whether two shares are the same in every respect.
func (s *Share) equal(t *Share) bool {
	return s.Partner == t.Partner && s.Sheet == t.Sheet && s.SheetID == t.SheetID && s.Region == t.Region &&
		s.Revision == t.Revision && s.Where == t.Where && slices.Equal(s.Fields, t.Fields) && slices.Equal(s.Kinds, t.Kinds) &&
		maps.Equal(s.Cells, t.Cells) && maps.Equal(s.FilterTypes, t.FilterTypes) &&
		(s.FilterTypes == nil) == (t.FilterTypes == nil) && slices.Equal(s.Gone, t.Gone) && s.Write.Equal(t.Write) &&
		maps.Equal(s.Attributes, t.Attributes)
}
