package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Stats is what lies in the queue.
type Stats struct {
	Waiting  int       // hints that wait or are worked on
	Oldest   time.Time // when the oldest of them came; zero: none waits
	Deferred int       // hints that wait for a time
	Dead     uint64    // hints that were given up
}

// Stats counts what lies in the queue, over all replicas.
func (in *Inbox) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := in.scan(ctx, "inbox.>", func(m stored) {
		if s.Oldest.IsZero() {
			s.Oldest = m.time
		}
		s.Waiting += len(registrationsOf(m))
	})
	if err != nil {
		return Stats{}, fmt.Errorf("counting hints: %w", err)
	}
	err = in.scan(ctx, "timer.>", func(m stored) {
		if n, err := parseSchedule("", m.data); err == nil {
			s.Deferred += len(n.deferred())
		}
	})
	if err != nil {
		return Stats{}, fmt.Errorf("counting deferred hints: %w", err)
	}
	dead, err := in.dead.Info(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("counting dead hints: %w", err)
	}
	s.Dead = dead.State.Msgs
	return s, nil
}

// Backlog counts the hints that wait or are worked on, by registration and over
// all replicas. Of a very long queue it counts the beginning.
func (in *Inbox) Backlog(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := in.scan(ctx, "inbox.>", func(m stored) {
		for _, registration := range registrationsOf(m) {
			counts[registration]++
		}
	})
	if err != nil {
		return nil, fmt.Errorf("counting hints: %w", err)
	}
	return counts, nil
}

// registrationsOf returns the registration of each hint in a message.
func registrationsOf(m stored) []string {
	var b struct {
		Registration string
		Hints        []struct{ Registration string }
	}
	if json.Unmarshal(m.data, &b) != nil {
		return nil
	}
	if b.Registration != "" {
		return []string{b.Registration}
	}
	list := make([]string, len(b.Hints))
	for i, h := range b.Hints {
		list[i] = h.Registration
	}
	return list
}
