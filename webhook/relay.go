package webhook

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// maxRestarts bounds how often one pass starts again at reading, since
	// somebody else published or the sheet's columns changed.
	maxRestarts = 4
	// maxAttempts is how many passes may fail for a hint before it is given up:
	// with the backoff below that takes about half an hour.
	maxAttempts = 12
	// toldAttempts is how many may fail before the partners are told.
	toldAttempts = 4
	firstBackoff = 2 * time.Second
	maxBackoff   = 10 * time.Minute
)

// Relay takes hints, reads Smartsheet, compares with what each partner last saw
// and publishes what differs. One pass serves one registration and all its
// shares; what goes wrong for one share stays with that share.
type Relay struct {
	Registry *registry.Registry
	Inbox    *inbox.Inbox
	Access   *Access
	Partners *Partners
	Every    time.Duration // between two reconciles
	MaxPage  int64         // bytes of an answer with rows, beyond which fewer are asked for; 0: 32 MiB
	Log      *slog.Logger

	// Webhook looks after the registration's webhook at Smartsheet, where a
	// hint asks for it.
	Webhook func(ctx context.Context, reg *registry.Registration, urgent bool) error
	// Observe is told of every pass.
	Observe func(Pass)
	Tracer  trace.Tracer // nil: no traces
}

// Run works until the context ends.
func (r *Relay) Run(ctx context.Context) error {
	return r.Inbox.Work(ctx, inbox.Workers{Pass: r.handle, Webhook: r.handleWebhook, Token: r.tokenOf, Log: r.Log})
}

// tokenOf names what the requests for a registration are made with.
func (r *Relay) tokenOf(registration string) string {
	reg := r.Registry.Registration(registration)
	if reg == nil {
		return ""
	}
	if o := r.Registry.Owner(reg.Owner); o != nil {
		return o.TokenID
	}
	return ""
}

// handleWebhook looks after the webhook of a registration. The passes of one
// that is being deleted do so themselves.
func (r *Relay) handleWebhook(ctx context.Context, h *inbox.Hint) error {
	if r.Webhook == nil {
		return nil
	}
	reg, err := r.Registry.FreshRegistration(ctx, h.Registration)
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if reg.Phase != registry.PhaseActive {
		return nil
	}
	err = r.Webhook(ctx, reg, h.Why != inbox.WhyReconcile)
	var tight *BudgetError
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case errors.As(err, &tight):
		return r.later(ctx, h, tight.Wait)
	case err != nil: // the next reconcile looks again
		r.Log.Warn("the webhook could not be looked after", "registration", reg.ID, "err", err)
	}
	now := r.Registry.Registration(reg.ID)
	if now == nil || now.Status == reg.Status && now.Reason == reg.Reason {
		return nil
	}
	// The partners are told by a pass.
	return r.Inbox.Put(ctx, &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()})
}

// handle is the life of one hint: a pass, what follows from its result, and one
// line in the log.
func (r *Relay) handle(ctx context.Context, h *inbox.Hint) error {
	p := &pass{relay: r, hint: h, began: time.Now()}
	ctx, span := p.startSpan(ctx)
	err := p.run(ctx)
	if ctx.Err() == nil {
		p.noteTroubles(err)
	}
	if err == nil {
		err = p.shareError()
	}
	result, settleErr := r.settle(ctx, p, err)
	p.log(ctx, result, err)
	p.endSpan(span, result, err)
	if r.Observe != nil {
		r.Observe(p.summary(result))
	}
	return settleErr
}

// ending is how a pass has ended.
type ending int

const (
	endingWell       ending = iota
	endingStopped           // in the middle, with the process
	endingTight             // there is no room in the owner's budget now
	endingLively            // the sheet changes all the time
	endingThrottled         // Smartsheet asks us to wait
	endingRefused           // Smartsheet refuses the owner
	endingUnreadable        // the owner may not read the sheet, or it is gone
	endingInvalid           // Smartsheet does not take the request, and never will
	endingFailed            // by a partner's trouble or whatever else may pass
)

// endingOf tells by its error how the pass has ended.
func (p *pass) endingOf(ctx context.Context, err error) ending {
	switch {
	case err == nil:
		return endingWell
	case ctx.Err() != nil:
		return endingStopped
	case errors.As(err, new(*BudgetError)):
		return endingTight
	case errors.Is(err, errLively):
		return endingLively
	}
	switch smartsheet.Classify(p.readErr) {
	case smartsheet.Wait:
		return endingThrottled
	case smartsheet.Refused, smartsheet.Expired:
		return endingRefused
	case smartsheet.Forbidden, smartsheet.NotFound:
		return endingUnreadable
	case smartsheet.Invalid:
		return endingInvalid
	}
	return endingFailed
}

// settle does what follows from a pass for its hint. A nil error means that it
// is done with, put off, or given up; any other that it must come again.
func (r *Relay) settle(ctx context.Context, p *pass, err error) (result string, _ error) {
	switch p.endingOf(ctx, err) {
	case endingWell:
		return "done", nil
	case endingStopped:
		return "again", err
	case endingTight:
		var tight *BudgetError
		errors.As(err, &tight)
		return "later", r.later(ctx, p.hint, tight.Wait)
	case endingLively:
		return "later", r.later(ctx, p.hint, min(r.Every/10, time.Minute))
	case endingThrottled:
		d, err := r.Access.Rest(ctx, p.owner, p.readErr)
		if err != nil {
			return "again", err
		}
		return "later", r.later(ctx, p.hint, d)
	case endingRefused:
		return r.settleRefused(ctx, p)
	case endingUnreadable:
		p.say(ctx, p.runs, events.StateStale, "the owner cannot read the sheet")
		return "stale", nil // reconcile looks again
	case endingInvalid:
		p.hint.Attempt++
		p.say(ctx, p.runs, events.StateStale, "Smartsheet does not accept the bridge's request")
		return "dead", r.Inbox.GiveUp(ctx, p.hint, err.Error())
	}
	return r.settleFailed(ctx, p, err)
}

// settleRefused notes that the owner is refused and tells the partners of all
// its sheets, unless the owner has another token meanwhile.
func (r *Relay) settleRefused(ctx context.Context, p *pass) (result string, _ error) {
	switch err := r.refuse(ctx, p.owner, p.readErr); {
	case errors.Is(err, registry.ErrConflict):
		return "later", r.later(ctx, p.hint, 0)
	case err != nil:
		return "again", err
	}
	if err := r.tellOthers(ctx, p.reg); err != nil {
		return "again", err
	}
	p.say(ctx, p.runs, events.StateSuspended, suspension(r.Registry.Owner(p.owner.Name)))
	return "refused", nil
}

// settleFailed puts a hint off for which a pass failed, longer each time, and
// gives it up in the end; partners in trouble are left alone for a while.
func (r *Relay) settleFailed(ctx context.Context, p *pass, err error) (result string, _ error) {
	for _, run := range p.runs {
		if run.err != nil && !errors.Is(run.err, events.ErrFull) && !errors.Is(run.err, ErrResting) {
			r.Partners.Failed(run.share.Partner, run.err)
		}
	}
	p.hint.Attempt++
	if p.hint.Attempt >= toldAttempts {
		p.say(ctx, p.troubled(), events.StateStale, "reading the sheet or publishing fails again and again")
	}
	switch last := p.hint.Attempt >= maxAttempts; {
	case last && p.trouble != troubleElse:
		return "stale", nil // reconcile looks again; there is nothing that a person could retry
	case last:
		return "dead", r.Inbox.GiveUp(ctx, p.hint, err.Error())
	case p.trouble == troubleKnown:
		return "later", r.Inbox.DeferAgain(ctx, p.hint, time.Now().Add(backoff(p.hint.Attempt)))
	}
	return "later", r.later(ctx, p.hint, backoff(p.hint.Attempt))
}

// backoff is how long to wait after the given number of failures: twice as long
// each time, somewhere between half and all of it.
func backoff(attempt int) time.Duration {
	d := maxBackoff
	if attempt < 20 {
		d = min(firstBackoff<<(attempt-1), maxBackoff)
	}
	return d/2 + rand.N(d/2)
}

func (r *Relay) later(ctx context.Context, h *inbox.Hint, d time.Duration) error {
	return r.Inbox.Defer(ctx, h, time.Now().Add(max(d, time.Second)))
}

// refuse marks the owner whose token was refused, unless the token was replaced
// meanwhile: ErrConflict.
func (r *Relay) refuse(ctx context.Context, o *registry.Owner, cause error) error {
	err := r.Registry.UpdateOwner(ctx, o.Name, func(now *registry.Owner) error {
		if now.Revision != o.Revision {
			return registry.ErrConflict
		}
		now.State, now.Reason = stateFor(now, cause)
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// tellOthers has the owner's other registrations looked at, whose partners must
// know too that nothing can be read any more.
func (r *Relay) tellOthers(ctx context.Context, refused *registry.Registration) error {
	for _, reg := range r.Registry.Registrations() {
		if reg.Owner != refused.Owner || reg.ID == refused.ID {
			continue
		}
		h := &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}
		if err := r.Inbox.Put(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// What kept a pass from its end.
const (
	troubleElse    = iota // the sheet could not be read, or worse
	troublePartner        // nothing but partners
	troubleKnown          // nothing but partners who were in trouble before
)

// noteTroubles notes of every share whether it could be published to.
func (p *pass) noteTroubles(err error) {
	known := true
	for _, r := range p.runs {
		switch {
		case r.over:
			p.relay.Partners.note(r.share, nil)
		case r.err != nil:
			known = p.relay.Partners.note(r.share, r.err) && known
		case err == nil:
			p.relay.Partners.note(r.share, nil)
		}
	}
	switch {
	case err != nil:
		p.trouble = troubleElse
	case known:
		p.trouble = troubleKnown
	default:
		p.trouble = troublePartner
	}
}

// troubled are the shares that fail: all where the sheet cannot be read.
func (p *pass) troubled() []*run {
	if p.readErr != nil {
		return p.runs
	}
	return slices.DeleteFunc(slices.Clone(p.runs), func(r *run) bool { return r.err == nil && !r.early })
}

// class is how urgent the pass's first request is.
//
// What has waited for half a reconcile interval is as urgent as can be: a busy
// sheet must not keep the owner's quiet ones from being looked at.
func (p *pass) class() budget.Class {
	switch {
	case p.began.Sub(p.hint.ReceivedAt) > p.relay.Every/2:
		return budget.Callback
	case p.hint.Why == inbox.WhyCallback && !p.loading():
		return budget.Callback
	case p.loading():
		return budget.Load
	}
	return budget.Reconcile
}
