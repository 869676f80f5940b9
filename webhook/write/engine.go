package write

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Names of the buckets in the bridge's account.
const (
	leaseBucket  = "sheetbridge-write-leases"
	memoryBucket = "sheetbridge-write-ids"
)

const (
	requestTimeout = 5 * time.Second
	// maxMemory bounds the memory of answers, of all partners together, in bytes. Each
	// share gives twice its rate of answers a minute at most. What one partner may have of
	// it says memory.full.
	maxMemory = 2 << 30
	// lookEvery is how often it is looked for partners that may write.
	lookEvery  = time.Second
	keepEvery  = stream.WriteAckWait / 3
	restartMin = 200 * time.Millisecond
	restartMax = 10 * time.Second
	// settleTime is how long after an answer was lost the sheet is looked at: what
	// Smartsheet was doing then is done.
	settleTime = 5 * time.Second
)

// Store is what the engine remembers, in the bridge's own account.
type Store struct {
	leases leases
	memory memory
}

// StoreOptions say how it is kept.
type StoreOptions struct {
	Replicas int
	Alone    bool          // no other process works with it
	Lease    time.Duration // how long a process that says nothing keeps others from a sheet; 0: leaseTime
	Memory   uint64        // bytes of answers that are remembered for all partners; 0: maxMemory
}

// OpenStore opens it over a connection into the bridge's account and makes it where
// there is none.
func OpenStore(ctx context.Context, nc *nats.Conn, o StoreOptions) (*Store, error) {
	s := &Store{
		leases: leases{holder: uuid.NewString(), alone: o.Alone, time: cmp.Or(o.Lease, leaseTime)},
		memory: memory{most: cmp.Or(o.Memory, maxMemory)},
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err == nil {
		s.leases.kv, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: leaseBucket, Description: "Sheetbridge: who writes to a sheet", History: 1, TTL: 2 * attemptsKept,
			Storage: jetstream.FileStorage, Replicas: o.Replicas,
		})
	}
	if err == nil {
		s.memory.kv, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: memoryBucket, Description: "Sheetbridge: answers to writes by id", History: 1, TTL: events.AnswersKept,
			Storage: jetstream.FileStorage, Replicas: o.Replicas,
		})
	}
	if err == nil {
		s.memory.stream, err = js.Stream(ctx, "KV_"+memoryBucket)
	}
	if err != nil {
		return nil, fmt.Errorf("opening what is remembered of writes: %w", err)
	}
	return s, nil
}

// Outcome is how one write ended.
type Outcome struct {
	Partner string
	Op      events.Op
	Result  events.Result
	Code    events.Code
	Took    time.Duration // from when it was stored to its answer
	DryRun  bool
}

// Engine has partners' writes made. Its fields are not changed once it runs.
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
	Settle   time.Duration // 0: settleTime

	views *events.Views

	mu      sync.Mutex
	sheets  map[sheetKey]*sheetQueue
	held    map[string]*job // by partner and identity
	running sync.WaitGroup
}

// sheetQueue are the writes to one sheet that this process holds, oldest first.
type sheetQueue struct {
	jobs  []*job
	busy  bool   // a worker is at it
	begun []*job // those that it is making
}

// job is one write that this process holds.
type job struct {
	write   *stream.Write
	stream  *stream.Stream
	share   *registry.Share // as it was when the write came; nil: there was none
	alone   bool            // it is sent by itself: together with others it was refused
	notYet  time.Time       // it waits until then
	until   time.Time       // nothing is written after it; zero: not known yet, or it may have been sent
	lookAt  time.Time       // when to look whether it was made, its outcome not being known
	counted bool            // among the writes of its minute
}

func (j *job) name() string { return j.write.Partner + "/" + j.write.Identity }

// Run takes writes and has them made until the context ends. What is under way then
// is ended first, the rest is given back.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	e.sheets, e.held, e.views = map[sheetKey]*sheetQueue{}, map[string]*job{}, events.NewViews(256)
	e.mu.Unlock()
	followed := map[string]*following{}
	defer func() {
		for _, f := range followed {
			f.stop()
		}
		e.giveBack()
		e.running.Wait()
		e.giveBack()
	}()
	e.running.Go(func() { e.keep(ctx) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		e.look(ctx, followed)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// following is a partner whose writes are taken.
type following struct {
	stop    context.CancelFunc
	allowed bool // as the server was told
}

// look begins to follow partners that may write, and stops where one is gone. One
// that may write no longer is followed on: what waits has an answer to get.
func (e *Engine) look(ctx context.Context, followed map[string]*following) {
	for _, p := range e.Registry.Partners() {
		f, allowed := followed[p.Name], e.Partners.TakesWrites(p.Name)
		switch {
		case f == nil && allowed:
			running, stop := context.WithCancel(ctx)
			followed[p.Name] = &following{stop: stop, allowed: true}
			e.running.Go(func() { e.follow(running, p.Name) })
		case f != nil && f.allowed != allowed:
			if err := e.allow(ctx, p); err != nil {
				e.Log.Warn("what a partner may publish could not be changed, trying again", "partner", p.Name, "err", err)
				continue
			}
			f.allowed = allowed
		}
	}
	for name, f := range followed {
		if e.Registry.Partner(name) == nil {
			f.stop()
			delete(followed, name)
		}
	}
}

// follow takes a partner's writes until the context ends.
func (e *Engine) follow(ctx context.Context, name string) {
	alone := e.Store.leases.alone // the first time: what a killed process had comes again at once
	pause := restartMin
	for ctx.Err() == nil {
		began := time.Now()
		err := e.receive(ctx, name, alone)
		if ctx.Err() != nil || errors.Is(err, registry.ErrNotFound) {
			return
		}
		if time.Since(began) > time.Minute {
			pause = restartMin
		}
		if !errors.Is(err, partner.ErrCircuitOpen) {
			e.Log.Warn("a partner's writes cannot be taken, trying again", "partner", name, "err", err)
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

// receive takes a partner's writes until something fails.
func (e *Engine) receive(ctx context.Context, name string, alone bool) error {
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
	return q.Receive(ctx, func(w *stream.Write) { e.take(ctx, st, w) })
}

// allow tells the server, where it is ours, whether the partner may publish writes.
func (e *Engine) allow(ctx context.Context, p *registry.Partner) error {
	if e.Accounts == nil {
		return nil
	}
	return e.Accounts.AllowWrites(ctx, p.Name)
}

// take holds a write until it is answered.
func (e *Engine) take(ctx context.Context, st *stream.Stream, w *stream.Write) {
	j := &job{write: w, stream: st, share: e.Registry.Share(w.Partner, w.Sheet)}
	key := sheetKey{region: smartsheet.Region("none/" + w.Partner)} // of those for no sheet
	if j.share != nil {
		key = sheetKey{j.share.Region, j.share.SheetID}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		_ = w.Back() // else it is given to another process a little later
		return
	}
	if e.held[j.name()] != nil {
		return // it came once more
	}
	e.held[j.name()] = j
	q := e.sheets[key]
	if q == nil {
		q = &sheetQueue{}
		e.sheets[key] = q
	}
	q.jobs = append(q.jobs, j)
	if !q.busy {
		q.busy = true
		e.running.Go(func() { e.work(ctx, key, q) })
	}
}

// begin returns the writes to a sheet that are due and now to be made, none once the
// context has ended.
func (e *Engine) begin(ctx context.Context, q *sheetQueue) []*job {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	for _, j := range q.jobs {
		if !j.notYet.After(time.Now()) {
			q.begun = append(q.begun, j)
		}
	}
	return q.begun
}

// drop forgets the begun writes that are answered; the others wait again.
func (e *Engine) drop(q *sheetQueue, done map[*job]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q.begun = nil
	left := q.jobs[:0:0]
	for _, j := range q.jobs {
		if done[j] {
			delete(e.held, j.name())
		} else {
			left = append(left, j)
		}
	}
	q.jobs = left
}

// waiting are the writes to a sheet that are due, and when the next one is that is
// not. With none at all the worker is done.
func (e *Engine) waiting(key sheetKey, q *sheetQueue, now time.Time) (due []*job, next time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range q.jobs {
		switch {
		case !j.notYet.After(now):
			due = append(due, j)
		case next.IsZero() || j.notYet.Before(next):
			next = j.notYet
		}
	}
	if len(q.jobs) == 0 {
		q.busy = false
		delete(e.sheets, key)
	}
	return due, next
}

// firstUntil is when the time of one of the writes to a sheet runs out first that wait
// and were not sent.
func (e *Engine) firstUntil(q *sheetQueue) (first time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range q.jobs {
		if !j.until.IsZero() && (first.IsZero() || j.until.Before(first)) {
			first = j.until
		}
	}
	return first
}

// keep tells the queues again and again that what is held is worked on.
func (e *Engine) keep(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		e.mu.Lock()
		held := make([]*job, 0, len(e.held))
		for _, j := range e.held {
			held = append(held, j)
		}
		e.mu.Unlock()
		for _, j := range held {
			_ = j.write.Kept() // where that fails it is given to another process, which asks the memory
		}
	}
}

// giveBack lets other processes take at once what is held and not begun.
func (e *Engine) giveBack() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range e.sheets {
		for _, j := range q.jobs {
			if slices.Contains(q.begun, j) {
				continue
			}
			_ = j.write.Back() // else it is given to another one a little later
			delete(e.held, j.name())
		}
		q.jobs = slices.Clone(q.begun)
	}
}

// Waiting is how many writes this process holds.
func (e *Engine) Waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.held)
}
