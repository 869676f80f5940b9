package write

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	requestTimeout = 5 * time.Second
	// partnersEvery is how often partners are looked for that may write.
	partnersEvery = time.Second
	progressEvery = stream.WriteAckWait / 3
	restartMin    = 200 * time.Millisecond
	restartMax    = 10 * time.Second
	// recoverAfter is how long after an answer of Smartsheet was lost the sheet is read
	// to find out what became of the writes: by then Smartsheet has ended what it did.
	recoverAfter = 5 * time.Second
)

// Outcome is how one write ended.
type Outcome struct {
	Partner string
	Op      events.Op
	Result  events.Result
	Code    events.Code
	Took    time.Duration // from when it was stored to its answer
	DryRun  bool
}

// Engine makes the changes that partners ask for. Its fields are not changed once it runs.
type Engine struct {
	Store    *Store
	Registry *registry.Registry
	Access   *owner.Access
	Partners *partner.Partners
	Accounts *partner.Accounts // nil: no account is ours
	Inbox    *inbox.Inbox
	Audit    *audit.Log
	Log      *slog.Logger
	Observe  func(Outcome) // nil: nobody

	// RecoverAfter is how long after an answer of Smartsheet was lost the sheet is read
	// to find out what became of the writes. 0: 5 s.
	RecoverAfter time.Duration

	judge *Judge

	mu      sync.Mutex
	sheets  map[sheetKey]*sheetQueue
	held    map[string]*job // by partner and identity
	running sync.WaitGroup
}

// Run receives writes and makes them until the context ends. What is under way then
// is ended first, the rest is returned to the queues.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	e.sheets, e.held = map[sheetKey]*sheetQueue{}, map[string]*job{}
	e.judge = NewJudge(e.Registry, e.Access)
	e.mu.Unlock()
	consumers := map[string]*consumer{}
	defer func() {
		for _, c := range consumers {
			c.stop()
		}
		e.release()
		e.running.Wait()
		e.release()
	}()
	e.running.Go(func() { e.extend(ctx) })
	tick := time.NewTicker(partnersEvery)
	defer tick.Stop()
	for {
		e.updateConsumers(ctx, consumers)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// consumer receives the writes of one partner.
type consumer struct {
	stop    context.CancelFunc
	allowed bool // to publish, as the server was told
}

// updateConsumers starts to receive from partners that may write, and stops where one is
// gone. From one that may no longer write it goes on: what waits is still to be answered.
func (e *Engine) updateConsumers(ctx context.Context, consumers map[string]*consumer) {
	for _, p := range e.Registry.Partners() {
		c, allowed := consumers[p.Name], e.Partners.TakesWrites(p.Name)
		switch {
		case c == nil && allowed:
			running, stop := context.WithCancel(ctx)
			consumers[p.Name] = &consumer{stop: stop, allowed: true}
			e.running.Go(func() { e.receive(running, p.Name) })
		case c != nil && c.allowed != allowed:
			if err := e.allow(ctx, p); err != nil {
				e.Log.Warn("what a partner may publish could not be changed, trying again", "partner", p.Name, "err", err)
				continue
			}
			c.allowed = allowed
		}
	}
	for name, c := range consumers {
		if e.Registry.Partner(name) == nil {
			c.stop()
			delete(consumers, name)
		}
	}
}

// receive receives a partner's writes until the context ends.
func (e *Engine) receive(ctx context.Context, name string) {
	alone := e.Store.leases.alone // the first time: what a killed process had comes again at once
	pause := restartMin
	for ctx.Err() == nil {
		began := time.Now()
		err := e.receiveUntilLost(ctx, name, alone)
		if ctx.Err() != nil || errors.Is(err, registry.ErrNotFound) {
			return
		}
		if time.Since(began) > time.Minute {
			pause = restartMin
		}
		if !errors.Is(err, partner.ErrCircuitOpen) {
			e.Log.Warn("a partner's writes cannot be received, trying again", "partner", name, "err", err)
		}
		alone = alone && errors.Is(err, errNotOpened)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, restartMax)
	}
}

var errNotOpened = errors.New("the queue could not be opened")

// receiveUntilLost receives a partner's writes until something fails.
func (e *Engine) receiveUntilLost(ctx context.Context, name string, alone bool) error {
	p := e.Registry.Partner(name)
	if p == nil {
		return registry.ErrNotFound
	}
	if err := e.allow(ctx, p); err != nil {
		return errors.Join(errNotOpened, err)
	}
	st, err := e.Partners.Stream(ctx, p)
	if err != nil {
		return errors.Join(errNotOpened, err)
	}
	q, err := st.Writes(ctx, alone)
	if err != nil {
		return errors.Join(errNotOpened, err)
	}
	return q.Receive(ctx, func(w *stream.Write) { e.enqueue(ctx, st, w) })
}

// allow tells the server, where it is ours, whether the partner may publish writes.
func (e *Engine) allow(ctx context.Context, p *registry.Partner) error {
	if e.Accounts == nil {
		return nil
	}
	return e.Accounts.AllowWrites(ctx, p.Name)
}
