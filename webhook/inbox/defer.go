package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/stream"
)

const (
	// scheduleTries bounds how often a schedule that somebody else writes at the same
	// moment is read again.
	scheduleTries = 10
	schedulePause = 5 * time.Millisecond
	// near is how long before its time a schedule is not replaced any more: when it
	// goes off, the server removes whatever stands under its subject by then.
	near = time.Second
	// overdue is how long after its time a schedule counts as one that the server has
	// dropped: it does so when it cannot store what is due, as on a full disk.
	overdue = 10 * time.Second
)

func timerOf(registration string) string { return "timer." + registration }

// dueSubject is where a schedule goes when its time has come.
func dueSubject(registration string) string { return "inbox." + registration }

// ScheduleReconciles has the registration reconciled every interval from now on, once over
// all replicas. It replaces an earlier interval and keeps what is deferred.
func (in *Inbox) ScheduleReconciles(ctx context.Context, registration string, every time.Duration) error {
	in.mu.Lock()
	in.interval = every
	in.mu.Unlock()
	if err := in.change(ctx, in.reconciles(registration, every, every), false); err != nil {
		return fmt.Errorf("following registration %s: %w", registration, err)
	}
	return nil
}

func (in *Inbox) reconciles(registration string, every, first time.Duration) *Schedule {
	now := in.clock.now()
	return &Schedule{Registration: registration, ReconcileEvery: every, SetAt: now, ReconcileAt: now.Add(first)}
}

// Defer has a hint handed out again at a time of this process's clock, as "whole
// sheet": the registration, or each of the hint's shares by itself; one that is
// about the webhook alone stays so. It is merged
// with what is deferred for the same thing already, and the earlier time holds:
// otherwise a sheet that changes all the time would defer its own hints for ever.
func (in *Inbox) Defer(ctx context.Context, h *Hint, at time.Time) error {
	return in.deferHint(ctx, h, at, false)
}

// DeferAgain is Defer, but what is deferred already and has failed more often
// keeps its time. Else a sheet that changes all the time would have it fail ever
// more often.
func (in *Inbox) DeferAgain(ctx context.Context, h *Hint, at time.Time) error {
	return in.deferHint(ctx, h, at, true)
}

func (in *Inbox) deferHint(ctx context.Context, h *Hint, at time.Time, again bool) error {
	if err := in.change(ctx, scheduleOf(h, in.clock.at(at)), again); err != nil {
		return fmt.Errorf("deferring a hint of registration %s: %w", h.Registration, err)
	}
	return nil
}

// Deferred returns what is due for a registration at some time; nil: nothing.
func (in *Inbox) Deferred(ctx context.Context, registration string) (*Schedule, error) {
	n, _, err := in.schedule(ctx, registration)
	if err != nil {
		return nil, fmt.Errorf("reading the note of registration %s: %w", registration, err)
	}
	// What comes in while a schedule is about to go off waits in the queue.
	err = in.scan(ctx, dueSubject(registration), func(m stored) {
		waiting := addition{}
		if json.Unmarshal(m.data, &waiting) == nil {
			waiting.repair(registration)
			n.add(&waiting.Schedule, waiting.Again)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading the note of registration %s: %w", registration, err)
	}
	if n.next().IsZero() {
		return nil, nil
	}
	return n, nil
}

// EnsureReconciles sees to it that what was due for a registration did go off, and that
// its reconciles are scheduled. It returns whether something was wrong; that
// goes off at once then. A registration without a schedule is reconciled now, and
// from then on at the interval that ScheduleReconciles was last called with in this process;
// where it was not, call it.
func (in *Inbox) EnsureReconciles(ctx context.Context, registration string) (bool, error) {
	late, err := in.fireOverdue(ctx, registration)
	if stream.LostRace(err) { // it went off at last, or somebody else replaced it
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("checking the note of registration %s: %w", registration, err)
	}
	return late, nil
}

func (in *Inbox) fireOverdue(ctx context.Context, registration string) (bool, error) {
	n, sequence, err := in.schedule(ctx, registration)
	if err != nil {
		return false, err
	}
	now := in.clock.now()
	if n.ReconcileEvery > 0 {
		at := n.next()
		n.clamp(now)
		if now.Sub(at) < overdue && !n.next().Before(at) {
			return false, nil
		}
		return true, in.storeSchedule(ctx, n, sequence)
	}
	// It has gone off and waits for a worker; or it was lost.
	switch _, err := in.stream.GetLastMsgForSubject(ctx, dueSubject(registration)); {
	case err == nil:
		return false, nil
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return false, err
	}
	n.add(in.lostSchedule(registration), false)
	return true, in.storeSchedule(ctx, n, sequence)
}

// lostSchedule returns a schedule in the place of one that was lost: a reconcile now,
// and from then on at the interval that registrations are followed with here.
func (in *Inbox) lostSchedule(registration string) *Schedule {
	in.mu.Lock()
	every := in.interval
	in.mu.Unlock()
	if every > 0 {
		return in.reconciles(registration, every, 0)
	}
	now := in.clock.now()
	h := &Hint{Registration: registration, Why: WhyReconcile, Whole: true, Webhook: true, ReceivedAt: now}
	return scheduleOf(h, now)
}

// change adds to the schedule of a registration. Shortly before that goes off the
// addition is put into the queue instead, and a worker adds it afterwards.
func (in *Inbox) change(ctx context.Context, n *Schedule, again bool) error {
	replaced, err := in.replace(ctx, n, again)
	if err != nil || replaced {
		return err
	}
	data, err := json.Marshal(addition{Schedule: *n, Again: again})
	if err != nil {
		return err
	}
	_, err = in.js.Publish(ctx, dueSubject(n.Registration), data)
	return err
}

// replace replaces the schedule of a registration by one that holds more. It returns
// false where that may be in vain, since the schedule is about to go off, and where
// others write it all the time.
func (in *Inbox) replace(ctx context.Context, more *Schedule, again bool) (bool, error) {
	if more.next().IsZero() {
		return true, nil
	}
	for try := range scheduleTries {
		n, sequence, err := in.schedule(ctx, more.Registration)
		if err != nil {
			return false, err
		}
		old := n.next()
		if in.isNear(old) {
			return false, nil
		}
		n.add(more, again)
		err = in.storeSchedule(ctx, n, sequence)
		if err == nil {
			// Had its time come in the meantime, it may have taken the new one along.
			return !in.isNear(old), nil
		}
		if !stream.LostRace(err) {
			return false, err
		}
		pause(ctx, schedulePause<<min(try, 5)+rand.N(schedulePause))
	}
	return false, ctx.Err()
}

// isNear returns whether a schedule with the time is about to go off.
func (in *Inbox) isNear(next time.Time) bool {
	if next.IsZero() {
		return false
	}
	left := next.Sub(in.clock.now())
	return left < near && left > -overdue
}

// schedule reads the schedule of a registration and its sequence: an empty one and 0 if
// there is none.
func (in *Inbox) schedule(ctx context.Context, registration string) (*Schedule, uint64, error) {
	m, err := in.stream.GetLastMsgForSubject(ctx, timerOf(registration))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return &Schedule{Registration: registration}, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	n, err := parseSchedule(registration, m.Data)
	if err != nil { // it goes off, and is dropped then
		n = &Schedule{Registration: registration}
	}
	return n, m.Sequence, nil
}

func parseSchedule(registration string, data []byte) (*Schedule, error) {
	n := &Schedule{}
	if err := json.Unmarshal(data, n); err != nil {
		return nil, fmt.Errorf("reading a note: %w", err)
	}
	n.repair(registration)
	return n, nil
}

// storeSchedule stores a schedule in the place of the one with the sequence. Its time is
// rounded up to what the server counts in.
func (in *Inbox) storeSchedule(ctx context.Context, n *Schedule, sequence uint64) error {
	now := in.clock.now()
	n.clamp(now)
	n.bound()
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	at := n.next()
	if at.Before(now) {
		at = now
	}
	at = at.Add(time.Second - 1).Truncate(time.Second)
	_, err = in.js.Publish(ctx, timerOf(n.Registration), data, jetstream.WithScheduleAt(at),
		jetstream.WithScheduleTarget(dueSubject(n.Registration)), jetstream.WithExpectLastSequencePerSubject(sequence))
	return err
}
