package partner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// ErrCircuitOpen says that a partner's stream failed a moment ago, and why.
var ErrCircuitOpen = errors.New("the partner's NATS failed a moment ago")

// health is what is known of a partner's stream without asking it.
type health struct {
	lock   sync.Mutex
	from   string             // what the connection is made from
	cause  error              // why it cannot be used; nil: it can
	failed time.Time          // when that was found last
	stale  bool               // the stream must be opened again
	cancel context.CancelFunc // of the try that is under way
}

// record notes how the last use went, and tells whether that is news.
func (h *health) record(from string, err error) (news bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	news = (h.cause == nil) != (err == nil)
	h.from, h.cause, h.failed = from, err, time.Now()
	return news
}

func (h *health) forget() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.from, h.cause, h.stale = "", nil, false
}

func (h *health) setStale() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.stale = true
}

func (h *health) takeStale() bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	was := h.stale
	h.stale = false
	return was
}

// stop ends a try that is under way.
func (h *health) stop() {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.cancel != nil {
		h.cancel()
	}
}

// circuitOpen tells why the stream cannot be used, nil if it can as far as is known.
// From time to time it has it tried again beside, so that who asks never waits
// for a partner that is known not to answer.
func (p *Partners) circuitOpen(ctx context.Context, partner *registry.Partner, ps *partnerStream, from string) error {
	h := &ps.health
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.cause == nil || h.from != from {
		return nil
	}
	if h.cancel == nil && time.Since(h.failed) >= circuitOpenTime {
		trying, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTimeout)
		h.cancel = cancel
		go p.retry(trying, partner, ps, from)
	}
	if errors.Is(h.cause, context.DeadlineExceeded) {
		return fmt.Errorf("%w: it did not answer in time", ErrCircuitOpen)
	}
	return fmt.Errorf("%w: %v", ErrCircuitOpen, h.cause) // its words alone: what it wraps is not the caller's
}

// retry finds out whether the stream answers again.
func (p *Partners) retry(ctx context.Context, partner *registry.Partner, ps *partnerStream, from string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	h := &ps.health
	h.lock.Lock()
	meant := h.from == from
	h.lock.Unlock()
	if meant { // else it was forgotten since
		h.setStale() // the stream itself may be gone
		st, err := p.stream(ctx, partner, ps, from)
		if err == nil {
			_, err = st.LastSequence(ctx)
		}
		if h.record(from, err) {
			p.notify()
		}
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	h.cancel()
	h.cancel = nil
}

// Failed notes that the partner's stream failed: it is opened again at its next
// use, since it may be gone. Where it did not answer at all it is left alone for
// a while.
func (p *Partners) Failed(name string, err error) {
	h := &p.slot(name).health
	h.lock.Lock()
	defer h.lock.Unlock()
	h.stale = true
	if errors.Is(err, context.DeadlineExceeded) {
		if h.cause == nil {
			p.notify()
		}
		h.cause, h.failed = err, time.Now()
	}
}

// notify signals that a partner began or stopped to fail.
func (p *Partners) notify() {
	select {
	case p.Changed <- struct{}{}:
	default: // nobody listens, or the signal waits already
	}
}

// shareFailure is why a share could not be published to when it was last tried.
type shareFailure struct {
	full   bool // its partner's stream is
	reason string
	at     time.Time
}

// RecordResult keeps how a share's part of a pass ended, nil for well, and tells
// whether it had failed before.
func (p *Partners) RecordResult(s *registry.Share, err error) (before bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := s.Partner + "/" + s.Sheet
	if _, before = p.failures[key]; before == (err == nil) {
		defer p.notify()
	}
	if err == nil {
		delete(p.failures, key)
		return before
	}
	t := shareFailure{at: time.Now(), reason: "it cannot be published to: " + err.Error()}
	if errors.Is(err, stream.ErrFull) {
		t.full, t.reason = true, "the partner's stream is full: nothing more is published to it"
	}
	if p.failures == nil {
		p.failures = map[string]shareFailure{}
	}
	p.failures[key] = t
	return before
}

// Failure tells why a share, which is complete to what its status says, could
// not be published to by this process since; empty for nothing. A stream that is
// full cannot tell it itself.
func (p *Partners) Failure(partner, sheet string, to *events.CompleteTo) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.failures[partner+"/"+sheet]
	if !ok || to != nil && to.Time.After(t.at) { // another replica has been luckier
		return ""
	}
	return t.reason
}

// Full tells whether some share of a partner could not be published to, when
// this process tried last, since the partner's stream is full.
func (p *Partners) Full(partner string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, t := range p.failures {
		if name, _, _ := strings.Cut(key, "/"); t.full && name == partner {
			return true
		}
	}
	return false
}
