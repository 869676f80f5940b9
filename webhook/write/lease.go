package write

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

const (
	// leaseTime is how long a lease that is not renewed keeps others out. Sending
	// begins within a third of it and ends within two thirds.
	leaseTime = 45 * time.Second
	leasePoll = 100 * time.Millisecond
	// attemptsKept is how long an attempt of unknown outcome is remembered: no write
	// waits for longer in its queue.
	attemptsKept = stream.WritesKept + time.Hour
	maxAttempts  = 2000
)

// errLeaseLost says that another process writes to the sheet now.
var errLeaseLost = errors.New("another process has taken over the sheet")

// sheetKey names a sheet at Smartsheet.
type sheetKey struct {
	region smartsheet.Region
	id     int64
}

func (k sheetKey) String() string {
	return "sheet." + string(k.region) + "." + strconv.FormatInt(k.id, 10)
}

// attempt is a write that was about to be sent, and whose outcome is not known.
type attempt struct {
	Version    int64     `json:"version"`             // of the sheet when it was read before
	ModifiedAt time.Time `json:"modifiedAt,omitzero"` // of the row then
	At         time.Time `json:"at"`                  // when it was to be sent
	Content    string    `json:"content,omitempty"`   // of the request, hashed
}

// rateWindow counts what a share had made in the last minute, wherever that begins, and
// what it was refused in a minute of the clock.
type rateWindow struct {
	Taken   map[int64]int `json:"seconds,omitempty"` // by second
	Minute  int64         `json:"minute"`
	Refused int           `json:"refused"` // for being too many, or for coming again
}

// windowSeconds covers any minute: one that begins within a second reaches into 61.
const windowSeconds = 61

// forgetOld drops what was longer ago than a minute.
func (r *rateWindow) forgetOld(now time.Time) {
	maps.DeleteFunc(r.Taken, func(second int64, _ int) bool { return second <= now.Unix()-windowSeconds })
	if minute := now.Unix() / 60; r.Minute != minute {
		r.Minute, r.Refused = minute, 0
	}
}

func (r *rateWindow) taken() (n int) {
	for _, in := range r.Taken {
		n += in
	}
	return n
}

// leaseRecord is who may write to a sheet, and what the next one must know. It holds
// no value of a cell.
type leaseRecord struct {
	Holder   string                 `json:"holder,omitempty"` // empty: nobody
	Attempts map[string]attempt     `json:"attempts,omitempty"`
	Rates    map[string]*rateWindow `json:"rates,omitempty"` // by share
}

// leases are the leases of sheets, in a bucket.
type leases struct {
	kv     jetstream.KeyValue
	holder string // this process
	alone  bool   // there is no other
	time   time.Duration

	mu   sync.Mutex
	seen map[string]sighting
}

// sighting is since when a lease was seen not to change. No clocks are compared: a
// lease has run out when it did not change for the whole of its time here.
type sighting struct {
	revision uint64
	since    time.Time
}

// lease is the right to write to one sheet. It is for one goroutine.
type lease struct {
	of       *leases
	key      string
	revision uint64
	renewed  time.Time // when the last renewal was asked for
	record   leaseRecord
}

// acquire waits for the lease of a sheet.
func (ls *leases) acquire(ctx context.Context, sheet sheetKey) (*lease, error) {
	for {
		l, err := ls.try(ctx, sheet.String())
		if err != nil {
			return nil, fmt.Errorf("waiting for the right to write to a sheet: %w", err)
		}
		if l != nil {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(leasePoll):
		}
	}
}

// try returns nil where somebody else has the lease.
func (ls *leases) try(ctx context.Context, key string) (*lease, error) {
	asked := time.Now()
	l := &lease{of: ls, key: key}
	e, err := ls.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
	case err != nil:
		return nil, err
	default:
		l.revision = e.Revision()
		if err := json.Unmarshal(e.Value(), &l.record); err != nil {
			l.record = leaseRecord{} // of another version
		}
	}
	if other := l.record.Holder; other != "" && other != ls.holder && !ls.alone && !ls.ranOut(key, l.revision, asked) {
		return nil, nil
	}
	maps.DeleteFunc(l.record.Attempts, func(_ string, a attempt) bool { return asked.Sub(a.At) > attemptsKept })
	l.record.Holder = ls.holder
	if err := l.renew(ctx); errors.Is(err, errLeaseLost) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return l, nil
}

// ranOut tells whether a lease has not changed for its whole time.
func (ls *leases) ranOut(key string, revision uint64, now time.Time) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.seen == nil {
		ls.seen = map[string]sighting{}
	}
	if was, ok := ls.seen[key]; !ok || was.revision != revision {
		ls.seen[key] = sighting{revision, now}
		return false
	}
	return now.Sub(ls.seen[key].since) >= ls.time
}

// renew stores the record, by compare-and-set.
func (l *lease) renew(ctx context.Context) error {
	at := time.Now()
	value, err := json.Marshal(l.record)
	if err != nil {
		return err
	}
	var revision uint64
	if l.revision == 0 {
		revision, err = l.of.kv.Create(ctx, l.key, value)
	} else {
		revision, err = l.of.kv.Update(ctx, l.key, value, l.revision)
	}
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return errLeaseLost
	}
	if err != nil {
		return fmt.Errorf("keeping the right to write to a sheet: %w", err)
	}
	l.revision, l.renewed = revision, at
	return nil
}

// recordAttempts stores that writes are about to be sent, and returns until when sending may
// begin, and until when it must have ended.
func (l *lease) recordAttempts(ctx context.Context, attempts map[string]attempt) (begin, end time.Time, err error) {
	if l.record.Attempts == nil {
		l.record.Attempts = map[string]attempt{}
	}
	maps.Copy(l.record.Attempts, attempts)
	l.bound()
	if err := l.renew(ctx); err != nil {
		return time.Time{}, time.Time{}, err
	}
	return l.renewed.Add(l.of.time / 3), l.renewed.Add(2 * l.of.time / 3), nil
}

// bound forgets the oldest attempts where there are too many.
func (l *lease) bound() {
	excess := len(l.record.Attempts) - maxAttempts
	if excess <= 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(l.record.Attempts), func(a, b string) int {
		return l.record.Attempts[a].At.Compare(l.record.Attempts[b].At)
	})
	for _, name := range names[:excess] {
		delete(l.record.Attempts, name)
	}
}

// forget drops attempts whose outcome is known. It is stored with the next renewal:
// until then they are looked for once more than they had to be.
func (l *lease) forget(names ...string) {
	for _, name := range names {
		delete(l.record.Attempts, name)
	}
}

// count counts one more write of a share, unless there were so many in the last
// minute already.
func (l *lease) count(share string, now time.Time, most int) bool {
	r := l.rate(share, now)
	if r.taken() >= most {
		return false
	}
	r.Taken[now.Unix()]++
	return true
}

// countRefused counts one more answer to a write that was not made, unless there were
// so many in this minute of the clock already.
func (l *lease) countRefused(share string, now time.Time, most int) bool {
	r := l.rate(share, now)
	if r.Refused >= most {
		return false
	}
	r.Refused++
	return true
}

func (l *lease) rate(share string, now time.Time) *rateWindow {
	r := l.record.Rates[share]
	if r == nil {
		if l.record.Rates == nil {
			l.record.Rates = map[string]*rateWindow{}
		}
		r = &rateWindow{}
		l.record.Rates[share] = r
	}
	r.forgetOld(now)
	if r.Taken == nil {
		r.Taken = map[int64]int{}
	}
	return r
}

// release gives the lease back.
func (l *lease) release(ctx context.Context) error {
	l.record.Holder = ""
	now := time.Now()
	maps.DeleteFunc(l.record.Rates, func(_ string, r *rateWindow) bool {
		r.forgetOld(now)
		return len(r.Taken) == 0 && r.Refused == 0
	})
	err := l.renew(ctx)
	if errors.Is(err, errLeaseLost) {
		return nil
	}
	return err
}
