package inbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Standing is what lies in the queue.
type Standing struct {
	Waiting  int       // hints that wait or are worked on
	Oldest   time.Time // when the oldest of them came; zero: none waits
	Deferred int       // hints that are put off
	Dead     uint64    // hints that were given up
}

// Standing asks how the queue stands.
func (in *Inbox) Standing(ctx context.Context) (Standing, error) {
	info, err := in.stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return Standing{}, fmt.Errorf("asking for the queue: %w", err)
	}
	var s Standing
	for subject, n := range info.State.Subjects {
		switch kind, _, _ := strings.Cut(subject, "."); kind {
		case "inbox":
			s.Waiting += int(n)
		case "timer":
			s.Deferred += int(n)
		}
	}
	if s.Waiting > 0 {
		m, err := in.stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject("inbox.>"))
		switch {
		case err == nil:
			s.Oldest = m.Time
		case !errors.Is(err, jetstream.ErrMsgNotFound): // else it is done with
			return Standing{}, fmt.Errorf("asking for the oldest hint: %w", err)
		}
	}
	dead, err := in.dead.Info(ctx)
	if err != nil {
		return Standing{}, fmt.Errorf("counting dead hints: %w", err)
	}
	s.Dead = dead.State.Msgs
	return s, nil
}

// Answers tells whether the queue can be written to: its leader answers. Nil is
// yes.
func (in *Inbox) Answers(ctx context.Context) error {
	if _, err := in.stream.Info(ctx); err != nil {
		return fmt.Errorf("stream %s: %w", StreamName, err)
	}
	return nil
}
