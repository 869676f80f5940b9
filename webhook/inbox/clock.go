package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// overdue is how long after its time a note that was put off may still lie in
// the stream.
const overdue = 10 * time.Second

// SetClock has a hint given for a registration after d, once over all replicas.
// Whoever handles it sets the clock again, as [Hint].Clock tells. An earlier
// setting no longer counts.
//
// The server has schedules that repeat themselves, but it drops one without a
// word when it cannot store what is due, as on a full disk. One that goes off
// once can be seen to be late.
func (in *Inbox) SetClock(ctx context.Context, registration string, d time.Duration) error {
	h := &Hint{Registration: registration, Why: WhyReconcile, Whole: true, Webhook: true, Clock: true}
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	if err := in.schedule(ctx, clockOf(registration), data, registration, time.Now().Add(d)); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	return nil
}

func clockOf(registration string) string { return "every." + registration }

// CheckClock sees that what was put off for a registration did go off at its
// time, and that its clock is set. It reports whether something was wrong; that
// goes off at once then.
func (in *Inbox) CheckClock(ctx context.Context, registration string) (late bool, err error) {
	set, clockLate, err := in.hasten(ctx, clockOf(registration), registration)
	if err != nil {
		return false, fmt.Errorf("checking the clock: %w", err)
	}
	_, noteLate, err := in.hasten(ctx, timerOf(registration), registration)
	if err != nil {
		return false, fmt.Errorf("checking the clock: %w", err)
	}
	if late = clockLate || noteLate; set {
		return late, nil
	}
	// It has gone off, and who handles the hint sets it again; or it never was set.
	waiting, err := in.Waiting(ctx, registration)
	if err != nil || waiting > 0 {
		return late, err
	}
	return true, in.SetClock(ctx, registration, 0)
}

// hasten has a note go off whose time is long over. It tells whether there is one.
func (in *Inbox) hasten(ctx context.Context, subject, registration string) (there, late bool, _ error) {
	note, err := in.stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	if at, ok := due(note.Header); !ok || time.Since(at) < overdue {
		return true, false, nil
	}
	// It may go off at last, or be replaced, while we look at it.
	err = in.schedule(ctx, subject, note.Data, registration, time.Now(), jetstream.WithExpectLastSequencePerSubject(note.Sequence))
	if replaced(err) {
		return true, false, nil
	}
	return true, err == nil, err
}
