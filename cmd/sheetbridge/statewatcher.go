package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

const (
	// refreshEvery is how often NATS is asked how things stand. A scrape shows
	// the last answer and never waits for one.
	refreshEvery = 10 * time.Second
	refreshTime  = 8 * time.Second
	refreshPause = time.Second // between two looks, however much changes
)

// stateWatcher looks at how things stand and shows it to Prometheus. Every replica
// sees the same, so queries take the maximum over them and not the sum.
type stateWatcher struct {
	service *service
	changed chan struct{} // a partner began or stopped to fail, or the service began to work

	mu   sync.Mutex
	last snapshot
}

// snapshot is how things stood. What could not be asked for is left out.
type snapshot struct {
	at       time.Time
	ready    bool
	rtt      time.Duration // 0: unknown
	queue    *inbox.Stats
	store    uint64 // bytes in the bridge's account
	budgets  map[string]float64
	partners []diagnose.PartnerState
}

// refreshSoon has run refresh soon.
func (st *stateWatcher) refreshSoon() {
	select {
	case st.changed <- struct{}{}:
	default: // it will already
	}
}

// run refreshes regularly until the context ends, and as soon as a partner begins
// or stops to fail. It runs before the service works too: a service that never
// starts to work has to show it.
func (st *stateWatcher) run(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		st.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-st.changed:
			select {
			case <-ctx.Done():
				return
			case <-time.After(refreshPause):
			}
		}
	}
}

// refresh asks once.
func (st *stateWatcher) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	s := st.service
	now := snapshot{ready: s.ready(ctx) == nil, budgets: map[string]float64{}}
	if now.ready {
		st.readNATS(ctx, &now)
	}
	if s.phase.value.Load() != phaseStarting { // before, their accounts are not set up
		now.partners = s.survey.AllPartners(ctx, refreshTime/4)
	}
	now.at = time.Now()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.last = now
}

func (st *stateWatcher) readNATS(ctx context.Context, now *snapshot) {
	s := st.service
	if d, err := s.nc.RTT(); err == nil {
		now.rtt = d
	}
	if queue, err := s.inbox.Stats(ctx); err == nil {
		now.queue = &queue
	} else {
		s.log.LogAttrs(ctx, slog.LevelDebug, "the queue cannot be looked at", slog.Any("err", err))
	}
	if stored, err := broker.Stored(ctx, s.nc); err == nil {
		now.store = stored
	}
	for _, o := range s.registry.Owners() {
		if used, of, err := s.budget.Used(ctx, o.TokenID); err == nil && of > 0 {
			now.budgets[o.Name] = max(0, float64(of-used)/float64(of))
		}
	}
}
