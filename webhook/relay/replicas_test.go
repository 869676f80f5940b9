package relay_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// replicas is a machine with several processes.
type replicas struct {
	*machine
	other *webhooktest.Bridge
}

// TestWhateverHappensToReplicas has two processes work on one store, with edits,
// share changes at both and one of them killed.
func TestWhateverHappensToReplicas(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true, OtherReplicas: true, MaxPage: 8 << 10}, withChildren(), events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Margin")})
	w.StartRelay()
	other := w.Join()
	w.SettleAll()
	eventstest.Property(t, 1, func(rt *rapid.T) {
		m := &replicas{machine: &machine{World: w, rt: rt}, other: other}
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
				m.other.Leave()
				m.other.EnterCluster()
			},
			"both compare":          func(*rapid.T) { m.compareAtBoth() },
			"compare and edit":      func(rt *rapid.T) { m.compareAtBoth(); m.editRow(rt) },
			"change and edit":       func(rt *rapid.T) { m.change(rt); m.editRow(rt) },
			"change at both":        func(rt *rapid.T) { m.change(rt); m.change(rt) },
			"wait for the callback": func(*rapid.T) { webhooktest.Must(t, m.Sim.Wait(t.Context())) },
			"wait":                  func(*rapid.T) { m.SettleAll() },
		})
		m.settleReplicas()
		m.Check("acme", "bolt")
		m.WantNoWords("acme", "canary", "bolt")
		m.WantNoWords("bolt", "acme")
		if t.Failed() {
			rt.Fatal("the oracle says no")
		}
	})
}

// compareAtBoth has each process compare the whole sheet now, beside what it does
// with the hints of the queue.
func (m *replicas) compareAtBoth() {
	hint := func() *inbox.Hint {
		return &inbox.Hint{Registration: m.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}
	}
	done := make(chan error)
	for _, b := range []*webhooktest.Bridge{m.Bridge, m.other} {
		go func() { done <- b.Relay.Pass(m.T.Context(), hint()) }()
	}
	webhooktest.Must(m.T, errors.Join(<-done, <-done))
}

// somewhere is one of the processes.
func (m *replicas) somewhere(rt *rapid.T) *webhooktest.Bridge {
	if rapid.Bool().Draw(rt, "at the other") {
		return m.other
	}
	return m.Bridge
}

// change gives acme's share another definition at one of the processes, which may
// not have heard yet of what the other one did.
func (m *replicas) change(rt *rapid.T) {
	m.refusedOr(m.somewhere(rt).Registrar.PutShare(m.T.Context(), m.Reg.ID, "acme", "orders", m.definition(rt), true))
}

func (m *replicas) resendAnywhere(rt *rapid.T) {
	m.refusedOr(m.somewhere(rt).Registrar.Resend(m.T.Context(), m.Reg.ID, "acme", "orders"))
}

func (m *replicas) refusedOr(err error) {
	m.T.Helper()
	if p := (*problem.Problem)(nil); err != nil && !errors.As(err, &p) {
		m.T.Fatal(err)
	}
}

// settleReplicas returns when no hint waits in the queue or for its time.
func (m *replicas) settleReplicas() {
	m.T.Helper()
	m.hint(false)
	m.SettleDeferred()
	m.Await("the process has heard of the last change", func() bool {
		fresh, err := m.Registry.FreshShare(m.T.Context(), "acme", "orders")
		webhooktest.Must(m.T, err)
		return m.Registry.Share("acme", "orders").Revision == fresh.Revision
	})
}

// TestReplicaThatHasNotHeard: a process that knows nothing of a new definition yet
// publishes nothing of the old one, also where another of its passes has met the
// new one in the stream.
func TestReplicaThatHasNotHeard(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{OtherReplicas: true}, webhooktest.Margins("acme"))
	stale := w.Join()
	stale.StopRelay()
	stale.StopParts() // nobody tells it of anything any more
	stale.Parts.Wait()
	var asked atomic.Int32
	open := []chan struct{}{make(chan struct{}), make(chan struct{})}
	w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if !rowsOf(r) {
			return nil
		}
		if n := int(asked.Add(1)); n <= len(open) {
			<-open[n-1]
		}
		return nil
	})
	whole := &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}
	row := &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.Sheet.Rows[0]: {}}}
	ended := []chan error{make(chan error, 1), make(chan error, 1)}
	for i, h := range []*inbox.Hint{whole, row} {
		go func() { ended[i] <- stale.Relay.Pass(t.Context(), h) }()
		w.Await("it reads", func() bool { return int(asked.Load()) == i+1 })
	}
	w.PutShare("acme", events.Request{Columns: webhooktest.Columns("No")})
	w.Settle()
	w.WantNoWords("acme", "canary")
	for _, i := range []int{1, 0} { // the one of the row meets the new definition, and the other one comes after it
		close(open[i])
		webhooktest.Must(t, <-ended[i])
	}
	w.Settle()
	w.WantNoWords("acme", "canary")
	w.Check("acme")
}

// TestReplicaThatEndsWhatIsThereAgain: a process that was paused while a share was
// ended, and comes to end it when one was made again under its name, leaves the new
// one alone.
func TestReplicaThatEndsWhatIsThereAgain(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{OtherReplicas: true}, webhooktest.Everything())
	w.StopRelay()
	paused := w.Join()
	paused.StopRelay()
	webhooktest.Must(t, w.Registrar.EndShare(t.Context(), w.Reg.ID, "acme", "orders"))
	w.Await("it has heard that the share ends", func() bool { return paused.Registry.Share("acme", "orders").Ending })
	paused.StopParts()
	paused.Parts.Wait()
	w.StartRelay()
	w.Settle()
	w.Register("ops", w.Sheet.ID, webhooktest.Everything())
	was := webhooktest.Last(w.Stream("acme"))
	webhooktest.Must(t, paused.Relay.Pass(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true}))
	w.Settle()
	if s, err := w.Registry.FreshShare(t.Context(), "acme", "orders"); err != nil || s.Ending {
		t.Errorf("got share %+v and error %v, want the new one", s, err)
	}
	for _, m := range w.Stream("acme") {
		if m.Sequence > was && m.Data.State == events.StateEnded {
			t.Errorf("message %d says that the new share has ended", m.Sequence)
		}
	}
	w.Check("acme")
}
