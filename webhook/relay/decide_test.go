package relay

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
)

// TestVerdicts classifies each error that a pass may end with.
func TestVerdicts(t *testing.T) {
	answer := func(status, code int) error {
		return fmt.Errorf("reading sheet 1: %w", &smartsheet.Error{Status: status, Code: code})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		err  error
		want verdict
	}{
		"no error":                           {err: nil, want: done},
		"no error, though the process stops": {ctx: ended, err: nil, want: done},
		"the process stops":                  {ctx: ended, err: errDefinition, want: stopped},
		"another definition":                 {err: fmt.Errorf("publishing: %w", errDefinition), want: changed},
		"another definition, found too late": {err: fmt.Errorf("%w: %w", errSlow, errDefinition), want: changed},
		"columns that are gone":              {err: fmt.Errorf("reading sheet 1: %w", &goneColumnsError{[]int64{1}}), want: changed},
		"out of patience":                    {err: fmt.Errorf("%w: %w", errSlow, context.DeadlineExceeded), want: slow},
		"out of patience in a race":          {err: fmt.Errorf("%w: %w", errSlow, stream.ErrLostRace), want: slow},
		"a lost race":                        {err: fmt.Errorf("publishing: %w", stream.ErrLostRace), want: raced},
		"a copy that lags":                   {err: fmt.Errorf("reading: %w", stream.ErrLag), want: raced},
		"a full stream":                      {err: fmt.Errorf("publishing: %w", stream.ErrFull), want: full},
		"a full stream that does not answer": {err: fmt.Errorf("%w: %w", stream.ErrFull, context.DeadlineExceeded), want: full},
		"no budget":                          {err: fmt.Errorf("reading sheet 1: %w", &owner.BudgetError{Wait: time.Second}), want: noBudget},
		"a sheet that moves":                 {err: fmt.Errorf("reading sheet 1: %w", errMoving), want: moving},
		"throttled":                          {err: answer(429, 4003), want: throttled},
		"throttled by a gateway":             {err: answer(429, 0), want: throttled},
		"a token that is refused":            {err: answer(401, 1002), want: refused},
		"a token that has run out":           {err: answer(401, 1003), want: refused},
		"a gateway that refuses":             {err: answer(401, 0), want: refused},
		"a sheet that may not be read":       {err: answer(403, 1004), want: unreadable},
		"a sheet that is gone":               {err: answer(404, 1006), want: unreadable},
		"a gateway that knows no sheet":      {err: answer(404, 0), want: failed},
		"a request that is wrong":            {err: answer(400, 1008), want: unacceptable},
		"an answer that is too large":        {err: smartsheet.ErrTooLarge, want: unacceptable},
		"a server that fails":                {err: answer(500, 4000), want: failed},
		"no answer":                          {err: context.DeadlineExceeded, want: failed},
		"an older answer":                    {err: errOldReading, want: failed},
		"no columns":                         {err: errNoColumns, want: failed},
		"a partner that rests":               {err: partner.ErrCircuitOpen, want: failed},
		"whatever else":                      {err: errors.New("no route to host"), want: failed},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if tt.ctx != nil {
				ctx = tt.ctx
			}
			if got := verdictOf(ctx, tt.err); got != tt.want {
				t.Errorf("got verdict %d of %v, want %d", got, tt.err, tt.want)
			}
		})
	}
}

// TestDecisions says what follows from each verdict.
func TestDecisions(t *testing.T) {
	const every = 10 * time.Minute
	stale := func(d decision, reason string) decision {
		d.state, d.reason = events.StateStale, reason
		return d
	}
	for name, tt := range map[string]struct {
		verdict  verdict
		attempts int
		wait     time.Duration
		every    time.Duration
		want     decision      // without later
		from, to time.Duration // later; 0, 0: it is not put off
	}{
		"done":                           {verdict: done, want: decision{result: "done"}},
		"done after failures":            {verdict: done, attempts: 100, want: decision{result: "done"}},
		"changed":                        {verdict: changed, want: decision{result: "done"}},
		"stopped":                        {verdict: stopped, attempts: 100, want: decision{result: "again"}},
		"no budget":                      {verdict: noBudget, wait: 7 * time.Second, want: decision{result: "later"}, from: 7 * time.Second, to: 7 * time.Second},
		"no budget for a moment":         {verdict: noBudget, wait: time.Millisecond, want: decision{result: "later"}, from: time.Second, to: time.Second},
		"no budget, again and again":     {verdict: noBudget, attempts: 100, wait: time.Minute, want: decision{result: "later"}, from: time.Minute, to: time.Minute},
		"throttled":                      {verdict: throttled, wait: time.Minute, want: decision{result: "later"}, from: time.Minute, to: time.Minute},
		"throttled again and again":      {verdict: throttled, attempts: 100, wait: 0, want: decision{result: "later"}, from: time.Second, to: time.Second},
		"moving":                         {verdict: moving, attempts: 100, want: decision{result: "later"}, from: time.Minute, to: time.Minute},
		"moving, with short intervals":   {verdict: moving, every: 30 * time.Second, want: decision{result: "later"}, from: 3 * time.Second, to: 3 * time.Second},
		"moving, with shorter intervals": {verdict: moving, every: time.Second, want: decision{result: "later"}, from: time.Second, to: time.Second},
		"unreadable":                     {verdict: unreadable, want: stale(decision{result: "stale"}, reasonUnreadable)},
		"unacceptable":                   {verdict: unacceptable, want: stale(decision{result: "dead", giveUp: true}, reasonUnacceptable)},
		"failed once":                    {verdict: failed, want: decision{result: "later"}, from: firstBackoff / 2, to: firstBackoff},
		"failed twice":                   {verdict: failed, attempts: 1, want: decision{result: "later"}, from: firstBackoff, to: 2 * firstBackoff},
		"failed before partners hear":    {verdict: failed, attempts: staleAttempts - 2, want: decision{result: "later"}, from: 2 * firstBackoff, to: 4 * firstBackoff},
		"failed until partners hear":     {verdict: failed, attempts: staleAttempts - 1, want: stale(decision{result: "later"}, reasonFails), from: 4 * firstBackoff, to: 8 * firstBackoff},
		"failed before the last":         {verdict: failed, attempts: maxAttempts - 2, want: stale(decision{result: "later"}, reasonFails), from: maxBackoff / 2, to: maxBackoff},
		"failed too often":               {verdict: failed, attempts: maxAttempts - 1, want: stale(decision{result: "dead", giveUp: true}, reasonFails)},
		"failed much too often":          {verdict: failed, attempts: 100, want: stale(decision{result: "dead", giveUp: true}, reasonFails)},
		// These are of shares; were reading to end so, it is tried again like any failure.
		"raced":   {verdict: raced, want: decision{result: "later"}, from: firstBackoff / 2, to: firstBackoff},
		"slow":    {verdict: slow, want: decision{result: "later"}, from: firstBackoff / 2, to: firstBackoff},
		"full":    {verdict: full, want: decision{result: "later"}, from: firstBackoff / 2, to: firstBackoff},
		"refused": {verdict: refused, want: decision{result: "later"}, from: firstBackoff / 2, to: firstBackoff},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.every == 0 {
				tt.every = every
			}
			got := decide(tt.verdict, tt.attempts, tt.wait, tt.every)
			if got.later < tt.from || got.later > tt.to {
				t.Errorf("put off for %v, want between %v and %v", got.later, tt.from, tt.to)
			}
			if got.later = 0; got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestPostponed has a share leave the passes of its registration only when the hint
// that brings it back was stored.
func TestPostponed(t *testing.T) {
	var a attendance
	now := time.Now()
	at, failures := a.nextTry(now)
	if got := a.participation(now); got != joins || failures != 1 {
		t.Errorf("got participation %d after %d failures, want that it takes part until it is put off", got, failures)
	}
	a.postpone(at, failures)
	if got := a.participation(at.Add(-time.Millisecond)); got != postponed {
		t.Errorf("got participation %d before its time, want that it waits", got)
	}
	if got := a.participation(at); got != joins {
		t.Errorf("got participation %d at its time, want that it takes part", got)
	}
	a.setSlow()
	if got := a.participation(at); got != alone {
		t.Errorf("got participation %d of a share that is slow", got)
	}
	a.postpone(at.Add(time.Hour), 2)
	a.succeeded(false)
	if got := a.participation(at); got != joins {
		t.Errorf("got participation %d after a success, want that it takes part", got)
	}
}
