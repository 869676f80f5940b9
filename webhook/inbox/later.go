package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// putOffTries bounds how often a note that somebody else writes at the same
// moment is read again.
const putOffTries = 5

func timerOf(registration string) string { return "timer." + registration }

// Later puts a hint off. There is one such note per registration: what waited
// already is merged with it, so that one that replaces another loses nothing,
// and it says "whole sheet". The earlier time holds: otherwise a sheet that
// changes all the time would put its own hints off for ever.
func (in *Inbox) Later(ctx context.Context, h *Hint, at time.Time) error {
	return in.putOff(ctx, h, at, false)
}

// LaterAgain is Later for a hint of which only that is left to do for which the
// note waits already: a note that has failed more often keeps its time. Else a
// sheet that changes all the time would have it fail ever more often.
func (in *Inbox) LaterAgain(ctx context.Context, h *Hint, at time.Time) error {
	return in.putOff(ctx, h, at, true)
}

func (in *Inbox) putOff(ctx context.Context, h *Hint, at time.Time, again bool) error {
	var err error
	for range putOffTries {
		if err = in.merged(ctx, h, at, again); !replaced(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("putting a hint off: %w", err)
	}
	return nil
}

// merged replaces the note by one that has the hint too, unless somebody else
// replaces it meanwhile.
func (in *Inbox) merged(ctx context.Context, h *Hint, at time.Time, again bool) error {
	timer, late, sequence := timerOf(h.Registration), *h, uint64(0)
	if old, err := in.stream.GetLastMsgForSubject(ctx, timer); err == nil {
		waiting := &Hint{}
		if err := json.Unmarshal(old.Data, waiting); err != nil {
			return err
		}
		late.Rows = maps.Clone(h.Rows) // h is the caller's still
		late.Merge(waiting)
		at = earlier(at, old.Header, again && waiting.Attempt > h.Attempt)
		sequence = old.Sequence
	} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	late.Whole = true
	data, err := json.Marshal(&late)
	if err != nil {
		return err
	}
	return in.schedule(ctx, timer, data, h.Registration, at, jetstream.WithExpectLastSequencePerSubject(sequence))
}

// earlier returns the time that a note was put off to where that is before at or
// is to be kept, else at. The time may have come: then the note goes off at once.
func earlier(at time.Time, note nats.Header, keep bool) time.Time {
	was, ok := due(note)
	if !ok || was.After(at) && !keep {
		return at
	}
	return was
}

// replaced tells that somebody else wrote the note that was to be replaced.
func replaced(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// schedule keeps data under a subject until a time, or up to a second longer,
// and then puts it into the registration's queue: the server counts in whole
// seconds. The subject holds one such note at a time.
func (in *Inbox) schedule(ctx context.Context, under string, data []byte, registration string, at time.Time, opts ...jetstream.PublishOpt) error {
	at = at.Add(time.Second - 1).Truncate(time.Second)
	opts = append(opts, jetstream.WithScheduleAt(at), jetstream.WithScheduleTarget(subject(registration)))
	_, err := in.js.Publish(ctx, under, data, opts...)
	return err
}

// due returns when a note goes off.
func due(note nats.Header) (at time.Time, ok bool) {
	text, ok := strings.CutPrefix(note.Get(jetstream.ScheduleHeader), "@at ")
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}
