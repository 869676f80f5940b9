package registrar

import (
	"context"
	"errors"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// untilEvery is how often it is looked whether a share ends by itself.
const untilEvery = 2 * time.Second

// checkUntil is when a share ends as records keep it. It refuses a time that has
// passed; at is the place of the share in the request.
func checkUntil(at string, until *time.Time) (*time.Time, error) {
	if until == nil {
		return nil, nil
	}
	if !until.After(time.Now()) {
		return nil, problem.New(problem.Invalid, at+"until", "is in the past: choose a time to come, or leave it out for a share without an end")
	}
	end := until.UTC().Truncate(time.Second)
	return &end, nil
}

func sameMoment(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// RunUntil ends shares at the time that they were given, until the context ends. Of
// many replicas one ends a share: the others find it ending.
func (g *Registrar) RunUntil(ctx context.Context) error {
	for {
		for _, s := range g.Registry.AllShares() {
			if s.Ending || s.Until == nil || time.Now().Before(*s.Until) {
				continue
			}
			if err := g.endAtTime(ctx, s); err != nil && ctx.Err() == nil {
				g.Log.Error("a share whose time is over could not be ended yet", "share", s.Key(), "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(untilEvery):
		}
	}
}

// endAtTime ends a share unless somebody has given it more time in the meantime.
func (g *Registrar) endAtTime(ctx context.Context, share *registry.Share) error {
	err := g.changeShare(ctx, share, func(s *registry.Share) error {
		if s.Until == nil || time.Now().Before(*s.Until) {
			return registry.ErrNotFound
		}
		s.Ending = true
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err == nil {
		g.Log.Info("a share has ended at its time", "share", share.Key(), "until", share.Until)
	}
	return err
}
