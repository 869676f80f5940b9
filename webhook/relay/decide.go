package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// maxAttempts is how many passes may fail at reading for a hint before it is
	// given up: with the backoff below that takes about half an hour.
	maxAttempts = 12
	// staleAttempts is how many may fail before the partners are told.
	staleAttempts = 4
	firstBackoff  = 2 * time.Second
	maxBackoff    = 10 * time.Minute
)

// verdict is how reading the sheet, or a share's part in a pass, has ended.
type verdict int

const (
	done         verdict = iota
	stopped              // in the middle, with the process
	changed              // the share or its columns are defined otherwise now
	raced                // somebody else was faster, again and again
	slow                 // the partner took too long for the others
	full                 // the partner's stream takes no more
	noBudget             // there is no room in the owner's budget now
	throttled            // Smartsheet asks us to wait
	moving               // the sheet changes all the time
	refused              // Smartsheet refuses the owner
	unreadable           // the owner may not read the sheet, or it is gone
	unacceptable         // Smartsheet does not take the request, and never will
	failed               // whatever else may pass
)

// verdictOf classifies an error of a pass, once for all that follows from it.
func verdictOf(ctx context.Context, err error) verdict {
	switch {
	case err == nil:
		return done
	case ctx.Err() != nil:
		return stopped
	case errors.Is(err, errDefinition), errors.As(err, new(*goneColumnsError)):
		return changed
	case errors.Is(err, errSlow):
		return slow
	case lostRace(err), errors.Is(err, errOutdated):
		return raced
	case errors.Is(err, stream.ErrFull):
		return full
	case errors.As(err, new(*owner.BudgetError)):
		return noBudget
	case errors.Is(err, errMoving):
		return moving
	}
	switch smartsheet.Classify(err) {
	case smartsheet.Wait:
		return throttled
	case smartsheet.Refused, smartsheet.Expired:
		return refused
	case smartsheet.Forbidden, smartsheet.NotFound:
		return unreadable
	case smartsheet.Invalid:
		return unacceptable
	}
	return failed
}

// decision is what follows from reading the sheet.
type decision struct {
	result string        // for the log and the metrics
	later  time.Duration // put the hint off for so long; 0: it is not put off
	giveUp bool          // put it among the dead
	state  events.State  // to tell the partners; empty: nothing
	reason string
}

// What partners are told where a sheet cannot be read.
const (
	reasonUnreadable   = "the owner cannot read the sheet"
	reasonUnacceptable = "Smartsheet does not accept the bridge's request"
	reasonFails        = "reading the sheet or publishing fails again and again"
)

// decide says what follows where reading ended so, the hint having failed so
// often in a row before. Wait is what was asked for: by the budget, by Smartsheet.
func decide(v verdict, attempts int, wait, every time.Duration) decision {
	switch v {
	case done, changed:
		return decision{result: "done"}
	case stopped:
		return decision{result: "again"}
	case noBudget, throttled:
		return decision{result: "later", later: max(wait, time.Second)}
	case moving:
		return decision{result: "later", later: max(min(every/10, time.Minute), time.Second)}
	case unreadable: // reconcile looks again
		return decision{result: "stale", state: events.StateStale, reason: reasonUnreadable}
	case unacceptable:
		return decision{result: "dead", giveUp: true, state: events.StateStale, reason: reasonUnacceptable}
	}
	d := decision{result: "later", later: max(backoff(attempts+1), time.Second)}
	if attempts+1 >= staleAttempts {
		d.state, d.reason = events.StateStale, reasonFails
	}
	if attempts+1 >= maxAttempts {
		d.result, d.later, d.giveUp = "dead", 0, true
	}
	return d
}

// backoff is how long to wait after the given number of failures: twice as long
// each time, somewhere between half and all of it.
func backoff(failures int) time.Duration {
	d := maxBackoff
	if failures < 20 {
		d = min(firstBackoff<<(failures-1), maxBackoff)
	}
	return d/2 + rand.N(d/2)
}

// conclude does what follows from a pass: for each share, and for the hint. It adds to
// all outcomes so far how the shares fare in that.
func (r *Relay) conclude(ctx context.Context, p *plan, shares []*shareSync, all outcomes, read reading) (result string, err error) {
	v := verdictOf(ctx, read.err)
	if v == stopped {
		return "again", read.err
	}
	if gone := (*goneColumnsError)(nil); errors.As(read.err, &gone) {
		if _, err := r.dropColumns(ctx, all.active(shares), gone.ids); err != nil {
			return "again", err
		}
		for _, s := range all.active(shares) { // those that keep their columns have not read the sheet either
			all.add(outcomes{s: {err: errDefinition}})
		}
	}
	result, narrowed, err := r.concludeReading(ctx, p, shares, all, v, read)
	if all.add(narrowed); err != nil {
		return "again", err
	}
	var errs []error
	var unfinished []*shareSync
	for _, s := range shares {
		one, again, err := r.concludeShare(ctx, p, s, all[s])
		if err != nil {
			errs = append(errs, fmt.Errorf("share %s: %w", s.share.Key(), err))
		}
		if again {
			unfinished = append(unfinished, s)
		}
		if result == "done" {
			result = one
		}
	}
	if err := r.readAgain(ctx, p, unfinished); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return "again", errors.Join(errs...)
	}
	return result, nil
}

// concludeReading does what follows from reading the sheet. It returns how shares fared
// that were narrowed.
func (r *Relay) concludeReading(ctx context.Context, p *plan, shares []*shareSync, soFar outcomes, v verdict, read reading) (result string, narrowed outcomes, err error) {
	if !p.readable() && p.reg.Phase == registry.PhaseActive {
		r.publishStatus(ctx, shares, soFar, events.StateSuspended, owner.Suspension(p.owner))
		return "done", r.narrowWithout(ctx, soFar.active(shares)), nil
	}
	if denied := (*classifiedError)(nil); errors.As(read.err, &denied) {
		return "done", nil, r.withhold(ctx, soFar.active(shares), denied)
	}
	if v == refused {
		suspended, err := r.Access.Suspend(ctx, p.owner, read.err)
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("it could not be found out whether Smartsheet refuses an owner", "owner", p.owner.Name, "err", err)
		}
		if suspended {
			return r.concludeRefused(ctx, p, shares, soFar)
		}
		v = failed
	}
	d := decide(v, p.hint.Attempt, owner.WaitOf(read.err), r.Every)
	if d.state != "" {
		r.publishStatus(ctx, shares, soFar, d.state, d.reason)
	}
	if v != done && v != changed {
		if narrowed, err = r.narrowLate(ctx, p, soFar.active(shares), v); err != nil {
			return "", narrowed, err
		}
	}
	late := *p.hint
	if v == failed || d.giveUp {
		late.Attempt++
	}
	switch {
	case d.giveUp:
		return d.result, narrowed, r.Inbox.GiveUp(ctx, &late, read.err.Error())
	case d.later > 0:
		return d.result, narrowed, r.Inbox.Defer(ctx, &late, time.Now().Add(d.later))
	}
	return d.result, narrowed, nil
}

// concludeRefused tells the partners of all sheets of an owner who is refused.
func (r *Relay) concludeRefused(ctx context.Context, p *plan, shares []*shareSync, soFar outcomes) (result string, narrowed outcomes, err error) {
	for _, reg := range r.Registry.Registrations() {
		if reg.Owner != p.reg.Owner || reg.ID == p.reg.ID {
			continue
		}
		h := &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}
		if err := r.Inbox.Put(ctx, h); err != nil {
			return "", nil, err
		}
	}
	r.publishStatus(ctx, shares, soFar, events.StateSuspended, owner.Suspension(r.Registry.Owner(p.owner.Name)))
	return "refused", r.narrowWithout(ctx, soFar.active(shares)), nil
}

// readAgain has the whole sheet read for shares that are not loaded, or were
// changed during the pass: once for all of them, or for a single one without the
// others.
func (r *Relay) readAgain(ctx context.Context, p *plan, shares []*shareSync) error {
	whole := wholeOf(p.hint)
	whole.Why, whole.Webhook = inbox.WhyShare, false
	switch len(shares) {
	case 0:
		return nil
	case 1:
		return r.enqueueAlone(ctx, whole, shares[0].share)
	}
	return r.Inbox.Put(ctx, whole)
}

// concludeShare does what follows for one share, and returns what the log calls it
// and whether the sheet is to be read again for it.
func (r *Relay) concludeShare(ctx context.Context, p *plan, s *shareSync, o outcome) (result string, again bool, err error) {
	if errors.Is(o.err, errEnded) {
		r.Partners.RecordResult(s.share, nil)
		return "done", false, nil
	}
	cause := o.err
	if cause == nil && o.oldReading {
		cause = errOldReading
	}
	switch v := verdictOf(ctx, cause); v {
	case stopped:
		return "again", false, cause
	case done:
		return "done", r.concludeDone(p, s, o.answerTime), nil
	case changed:
		return "done", true, nil
	case slow:
		s.target.setSlow()
		return "done", false, r.enqueueAlone(ctx, wholeOf(p.hint), s.share)
	default:
		result, err = r.concludeFailed(ctx, p, s, v, cause)
		return result, false, err
	}
}

// wholeOf is the hint for a share that has not read the sheet to the end.
func wholeOf(h *inbox.Hint) *inbox.Hint {
	whole := *h
	whole.Whole = true
	return &whole
}

// concludeDone is for a share whose part has come to its end, and returns whether it
// is still to be loaded. Only what was stored shows that its stream takes events
// again.
func (r *Relay) concludeDone(p *plan, s *shareSync, answerTime time.Duration) (load bool) {
	alone, stored := len(p.hint.Shares) == 1, total(s.published) > 0
	if stored {
		r.Partners.RecordResult(s.share, nil)
	}
	if alone || stored || s.target.participation(time.Now()) == joins {
		s.target.succeeded(answerTime > keepsUpWithin)
	}
	return !s.target.loaded() && !p.whole() && p.readable() && s.target.shouldLoad(time.Now())
}

// concludeFailed puts a share off, longer each time.
func (r *Relay) concludeFailed(ctx context.Context, p *plan, s *shareSync, v verdict, err error) (string, error) {
	r.Partners.RecordResult(s.share, err)
	if v == failed && s.stream != nil && !errors.Is(err, partner.ErrCircuitOpen) && !errors.Is(err, errOldReading) {
		r.Partners.Failed(s.share.Partner, err)
	}
	if v == full {
		if err := s.takeBackFull(ctx); err != nil { // the next try does it
			r.Log.Warn("what a share no longer shows could not be removed from a full stream", "share", s.share.Key(), "err", err)
		}
	}
	at, failures := s.target.nextTry(time.Now())
	if failures >= staleAttempts && v != full {
		r.publishStatus(ctx, []*shareSync{s}, outcomes{s: {err: err}}, events.StateStale, reasonFails)
	}
	late := *wholeOf(p.hint)
	late.Shares, late.Rows = []string{s.share.Key()}, nil
	late.Full = true // what was compared of the version that the sheet has may have been published by nobody
	late.Attempt = 0 // those count how often reading has failed in a row, not publishing
	if err := r.Inbox.Defer(ctx, &late, at); err != nil {
		return "again", err
	}
	s.target.postpone(at, failures)
	return "later", nil
}
