package partner

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

// foreignEvery is the least time between two lines in the log, and two entries in
// the audit, about what others wrote to one partner's stream.
const foreignEvery = 10 * time.Minute

// foreignMessages counts the messages in one partner's stream that the bridge did
// not make or that cannot be read.
type foreignMessages struct {
	partner string
	audit   *audit.Log
	log     *slog.Logger

	mu         sync.Mutex
	count      uint64
	reported   uint64    // count when they were last reported
	reportedAt time.Time // when that was
}

// foreignOf returns the partner's count.
func (p *Partners) foreignOf(partner string) *foreignMessages {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.foreign == nil {
		p.foreign = map[string]*foreignMessages{}
	}
	f := p.foreign[partner]
	if f == nil {
		f = &foreignMessages{partner: partner, audit: p.Audit, log: p.Log}
		p.foreign[partner] = f
	}
	return f
}

// ForeignMessages returns how many messages that the bridge did not make, or that
// could not be read, were removed from each partner's stream since the start.
func (p *Partners) ForeignMessages() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make(map[string]uint64, len(p.foreign))
	for partner, f := range p.foreign {
		f.mu.Lock()
		counts[partner] = f.count
		f.mu.Unlock()
	}
	return counts
}

// RecordForeign counts a message, and says so in the log and the audit now and
// then. Neither has its content; a subject of somebody else's choosing is content.
func (f *foreignMessages) RecordForeign(ctx context.Context, m stream.Foreign) {
	f.mu.Lock()
	f.count++
	n := f.count - f.reported
	due := time.Since(f.reportedAt) >= foreignEvery
	if due {
		f.reported, f.reportedAt = f.count, time.Now()
	}
	f.mu.Unlock()
	if !due {
		return
	}
	why := "no right MAC"
	if m.Unreadable {
		why = "unreadable"
	}
	f.log.Warn("messages that the bridge did not make were removed from a partner's stream",
		"partner", f.partner, "messages", n, "sequence", m.Sequence, "why", why)
	if f.audit == nil {
		return
	}
	details := map[string]any{"messages": n, "sequence": m.Sequence, "why": why}
	if err := f.audit.Append(context.WithoutCancel(ctx), "foreign messages removed", "partner "+f.partner, audit.Done, details); err != nil {
		f.log.Error("foreign messages are not in the audit", "partner", f.partner, "err", err)
	}
}
