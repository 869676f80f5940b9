package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

// storeEvery is how often the embedded store is looked at.
const storeEvery = 5 * time.Second

// watchStore ends the service once an embedded store that a failed write has
// broken can be written to again: nothing but a start mends it, and whoever
// keeps the service running makes one. Until then the service stays, refuses
// callbacks and says why: a start with a full disk would help nobody.
func (s *service) watchStore(ctx context.Context) error {
	if s.broker == nil {
		return nil
	}
	tick := time.NewTicker(storeEvery)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		broken := s.storeHealth(ctx)
		if !errors.Is(broken, broker.ErrBroken) {
			continue
		}
		if !told {
			s.log.Error("nothing can be stored any more: see that there is room on the disk of DATA_DIR; the service then ends with code 1, to be started again", "err", broken)
			told = true
		}
		if s.broker.TryStore() == nil {
			return fmt.Errorf("%w; it can be written again, and this service must be started again for that", broken)
		}
	}
}

func (s *service) storeHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	return s.broker.Health(ctx)
}
