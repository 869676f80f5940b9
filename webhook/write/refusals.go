package write

import (
	"fmt"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
)

// A partner of whose writes so many are refused within RefusalTime, and none is made, has
// a program that does not get on: a person is told.
const (
	manyRefusals = 20
	RefusalTime  = time.Hour
)

// Refusals knows the partners whose writes are refused again and again, as far as this
// process answered them. Its zero value is ready for use.
type Refusals struct {
	mu sync.Mutex
	of map[string]*refusals // by partner
}

// refusals are those of one partner.
type refusals struct {
	last    [manyRefusals]time.Time // the newest ones, in a ring
	next    int                     // place in it of the oldest
	made    time.Time               // when a write was made last
	refused *Refused                // since there were too many, until a write is made
}

// Refused is how a partner's writes are refused again and again.
type Refused struct {
	Last time.Time   // refusal
	Code events.Code // of that
}

// Observe takes how a write ended. Those that were only checked do not count.
func (r *Refusals) Observe(o Outcome) {
	if o.DryRun {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]*refusals{}
	}
	p := r.of[o.Partner]
	if p == nil {
		p = &refusals{}
		r.of[o.Partner] = p
	}
	now := time.Now()
	if o.Result != events.ResultRefused {
		p.made, p.refused = now, nil
		return
	}
	p.last[p.next] = now
	p.next = (p.next + 1) % manyRefusals
	since := now.Add(-RefusalTime)
	if p.refused != nil || p.last[p.next].After(since) && p.made.Before(since) {
		p.refused = &Refused{Last: now, Code: o.Code}
	}
}

// Of tells how a partner's writes are refused again and again, nil where they are not,
// and when one was made last. Other processes, and this one before it was started, may
// have seen others.
func (r *Refusals) Of(partner string) (refused *Refused, made time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.of[partner]
	if p == nil {
		return nil, time.Time{}
	}
	return p.refused, p.made
}

// Warning says what is wrong.
func (r *Refused) Warning() string {
	return fmt.Sprintf("its writes are refused: %d or more within an hour, and none was made since; the last one at %s (%s)", manyRefusals, r.Last.UTC().Format(time.RFC3339), r.Code)
}

// Next says what to do about it.
func (r *Refused) Next() string {
	if r.Code == events.CodeOwnerRefused {
		return "give the writer access: GET /v1/doctor says what is wrong with owners; the writer of a share is owner in its write terms, and must be allowed to edit the sheet"
	}
	return "GET /v1/audit lists the writes with the reason of each: tell the partner, whose program has it in the answers too; or change what the share lets it write"
}
