package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

// storeEvery is how often the embedded store is looked at.
const storeEvery = 5 * time.Second

// watchStore ends the service once an embedded store that a failed write has
// broken can be written to again: only a restart mends it, and the
// supervisor that keeps the service running makes one. Until then the service stays, refuses
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

// storeThere tells whether the files of the embedded store are where they were at the
// start. A server whose files were removed goes on from memory, and loses all of it.
func (s *service) storeThere() error {
	now, err := os.Stat(natsDir(s.cfg.DataDir))
	if err == nil && os.SameFile(now, s.storeDir) {
		return nil
	}
	return fmt.Errorf("%w: stop the service, restore DATA_DIR from the backup and start it again", errStoreGone)
}

// errStoreGone says that DATA_DIR was removed or replaced under the running service.
var errStoreGone = errors.New("the files of DATA_DIR were removed or replaced while the service runs, and what is stored now is lost with it")

func (s *service) storeHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	return s.broker.Health(ctx)
}
