package webhook_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// join runs all parts but the receiver a second time on the store of a bridge, as
// another process does.
func (b *bridge) join() *bridge {
	b.t.Helper()
	other := &bridge{t: b.t, sim: b.sim, opts: b.opts, broker: b.broker}
	other.enter()
	b.t.Cleanup(other.leave)
	return other
}

func (b *bridge) enter() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.stopParts, b.readers = cancel, map[string]*stream.Stream{}
	log := slog.New(b.opts.log)
	b.open(ctx, log)
	b.registrar.PublicURL = ""
	b.startRelay()
}

// leave ends the process of a bridge that joined, in the middle of whatever it
// does.
func (b *bridge) leave() {
	b.partners.Close() // what is on its way to a partner may be stored or not
	b.endRelay()
	b.stopParts()
	b.parts.Wait()
}

// replicas is a machine with several processes.
type replicas struct {
	*machine
	other *bridge
}

// TestWhateverHappensToReplicas has two processes work on one store, with edits,
// share changes at both and one of them killed.
func TestWhateverHappensToReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{idle: true, several: true, maxPage: 8 << 10}, withChildren(), events.Request{Partner: "bolt", Columns: columns("No", "Margin")})
	w.startRelay()
	other := w.join()
	w.settleAll()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		must(t, f.Value.Set("4")) // unless somebody wants more
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := &replicas{machine: &machine{world: w, rt: rt}, other: other}
		m.look()
		rt.Repeat(map[string]func(*rapid.T){
			"edit":          m.editRow,
			"add rows":      m.addRows,
			"move a row":    m.moveRow,
			"delete a row":  m.deleteRow,
			"discuss":       m.discuss,
			"hush":          m.hush,
			"change shares": m.change,
			"resend":        m.resendAnywhere,
			"end the relay": m.bounce,
			"kill the other": func(*rapid.T) {
				m.other.leave()
				m.other.enter()
			},
			"both compare":          func(*rapid.T) { m.compareAtBoth() },
			"compare and edit":      func(rt *rapid.T) { m.compareAtBoth(); m.editRow(rt) },
			"change and edit":       func(rt *rapid.T) { m.change(rt); m.editRow(rt) },
			"change at both":        func(rt *rapid.T) { m.change(rt); m.change(rt) },
			"wait for the callback": func(*rapid.T) { must(t, m.sim.Wait(t.Context())) },
			"wait":                  func(*rapid.T) { m.settleAll() },
		})
		m.settleReplicas()
		m.check("acme", "bolt")
		m.hides("acme", "canary", "bolt")
		m.hides("bolt", "acme")
		if t.Failed() {
			rt.Fatal("the oracle says no")
		}
	})
}

// compareAtBoth has each process compare the whole sheet now, beside what it does
// with the hints of the queue.
func (m *replicas) compareAtBoth() {
	hint := func() *inbox.Hint {
		return &inbox.Hint{Registration: m.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}
	}
	done := make(chan error)
	for _, b := range []*bridge{m.bridge, m.other} {
		go func() { done <- b.relay.Pass(m.t.Context(), hint()) }()
	}
	must(m.t, errors.Join(<-done, <-done))
}

// somewhere is one of the processes.
func (m *replicas) somewhere(rt *rapid.T) *bridge {
	if rapid.Bool().Draw(rt, "at the other") {
		return m.other
	}
	return m.bridge
}

// change gives acme's share another definition at one of the processes, which may
// not have heard yet of what the other one did.
func (m *replicas) change(rt *rapid.T) {
	m.refusedOr(m.somewhere(rt).registrar.PutShare(m.t.Context(), m.reg.ID, "acme", "orders", m.definition(rt), true))
}

func (m *replicas) resendAnywhere(rt *rapid.T) {
	m.refusedOr(m.somewhere(rt).registrar.Resend(m.t.Context(), m.reg.ID, "acme", "orders"))
}

func (m *replicas) refusedOr(err error) {
	m.t.Helper()
	if p := (*problem.Problem)(nil); err != nil && !errors.As(err, &p) {
		m.t.Fatal(err)
	}
}

// settleDeferred returns when nothing is put off any more.
func (w *world) settleDeferred() {
	w.t.Helper()
	w.waitFor("nothing is put off", func() bool {
		w.settleAll()
		note, err := w.inbox.Deferred(w.t.Context(), w.reg.ID)
		must(w.t, err)
		return note == nil || note.Whole == nil && len(note.Shares) == 0
	})
}

// settleReplicas returns when no hint waits in the queue or for its time.
func (m *replicas) settleReplicas() {
	m.t.Helper()
	m.hint(false)
	m.settleDeferred()
	m.waitFor("the process has heard of the last change", func() bool {
		fresh, err := m.registry.FreshShare(m.t.Context(), "acme", "orders")
		must(m.t, err)
		return m.registry.Share("acme", "orders").Revision == fresh.Revision
	})
}

// TestReplicaThatHasNotHeard: a process that knows nothing of a new definition yet
// publishes nothing of the old one, also where another of its passes has met the
// new one in the stream.
func TestReplicaThatHasNotHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{several: true}, margins("acme"))
	stale := w.join()
	stale.endRelay()
	stale.stopParts() // nobody tells it of anything any more
	stale.parts.Wait()
	var asked atomic.Int32
	open := []chan struct{}{make(chan struct{}), make(chan struct{})}
	w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if !rowsOf(r) {
			return nil
		}
		if n := int(asked.Add(1)); n <= len(open) {
			<-open[n-1]
		}
		return nil
	})
	whole := &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}
	row := &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}}}
	ended := []chan error{make(chan error, 1), make(chan error, 1)}
	for i, h := range []*inbox.Hint{whole, row} {
		go func() { ended[i] <- stale.relay.Pass(t.Context(), h) }()
		w.waitFor("it reads", func() bool { return int(asked.Load()) == i+1 })
	}
	w.putShare("acme", events.Request{Columns: columns("No")})
	w.settle()
	w.hides("acme", "canary")
	for _, i := range []int{1, 0} { // the one of the row meets the new definition, and the other one comes after it
		close(open[i])
		must(t, <-ended[i])
	}
	w.settle()
	w.hides("acme", "canary")
	w.check("acme")
}

// TestReplicaThatEndsWhatIsThereAgain: a process that was paused while a share was
// ended, and comes to end it when one was made again under its name, leaves the new
// one alone.
func TestReplicaThatEndsWhatIsThereAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{several: true}, everything())
	w.endRelay()
	paused := w.join()
	paused.endRelay()
	must(t, w.registrar.EndShare(t.Context(), w.reg.ID, "acme", "orders"))
	w.waitFor("it has heard that the share ends", func() bool { return paused.registry.Share("acme", "orders").Ending })
	paused.stopParts()
	paused.parts.Wait()
	w.startRelay()
	w.settle()
	w.register("ops", w.sheet.ID, everything())
	was := last(w.stream("acme"))
	must(t, paused.relay.Pass(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true}))
	w.settle()
	if s, err := w.registry.FreshShare(t.Context(), "acme", "orders"); err != nil || s.Ending {
		t.Errorf("got share %+v and error %v, want the new one", s, err)
	}
	for _, m := range w.stream("acme") {
		if m.Sequence > was && m.Data.State == events.StateEnded {
			t.Errorf("message %d says that the new share has ended", m.Sequence)
		}
	}
	w.check("acme")
}
