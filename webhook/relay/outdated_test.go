package relay_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// slowAnswers holds what Smartsheet has answered to a bridge, until it is released.
type slowAnswers struct {
	held     atomic.Int32
	released chan struct{}
}

// before stands between the bridge and the simulator, and holds the answers to the
// requests for which it is asked.
func (a *slowAnswers) before(t *testing.T, b *webhooktest.Bridge, which func(*http.Request) bool) {
	t.Helper()
	a.released = make(chan struct{})
	to, err := url.Parse(b.Sim.URL())
	webhooktest.Must(t, err)
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, to.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if which(resp.Request) {
				a.held.Add(1)
				<-a.released
			}
			return nil
		},
	})
	t.Cleanup(server.Close)
	b.Access.BaseURL = server.URL + to.Path
}

func listsOf(what string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/"+what) }
}

// TestOtherProcessHasAnOlderReading: a process holds what it read of a row, which
// is changed back meanwhile, as another process sees, which publishes nothing. Then
// the first one does not publish the row as it was.
func TestOtherProcessHasAnOlderReading(t *testing.T) {
	t.Parallel()
	type hint = func(*webhooktest.World, ...string) *inbox.Hint
	for name, tt := range map[string]struct{ older, newer hint }{
		"of the row":       {(*webhooktest.World).RowHint, (*webhooktest.World).RowHint},
		"of the sheet":     {(*webhooktest.World).WholeHint, (*webhooktest.World).RowHint},
		"the new is whole": {(*webhooktest.World).RowHint, (*webhooktest.World).WholeHint},
		"both are whole":   {(*webhooktest.World).WholeHint, (*webhooktest.World).WholeHint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{OtherReplicas: true}, webhooktest.Everything())
			w.StopRelay()
			other := w.JoinWithoutRelay()
			var slow slowAnswers
			slow.before(t, other, rowsOf)
			w.Drop(func() { w.Edit(0, webhooktest.Cells{"Status": "Done"}) })
			ended := make(chan error, 1)
			go func() { ended <- other.Relay.Pass(t.Context(), tt.older(w)) }()
			w.Await("the other process has read", func() bool { return slow.held.Load() > 0 })
			w.Drop(func() { w.Edit(0, webhooktest.Cells{"Status": "Open"}) })
			webhooktest.Must(t, w.Relay.Pass(t.Context(), tt.newer(w)))
			close(slow.released)
			webhooktest.Must(t, <-ended)
			w.StartRelay() // the sheet may have to be read again
			w.SettleDeferred()
			w.Check("acme")
		})
	}
}

// TestOlderReadingIsPublishedMeanwhile: what a pass publishes of an older reading,
// after another one that reads the whole sheet has compared the same row, is mended
// before the sheet is said to be complete.
func TestOlderReadingIsPublishedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		several bool
		older   func(*webhooktest.World) *inbox.Hint
	}{
		"of a row, by another process":        {true, func(w *webhooktest.World) *inbox.Hint { return w.RowHint() }},
		"of the sheet, by another process":    {true, func(w *webhooktest.World) *inbox.Hint { return w.WholeHint() }},
		"of the sheet, for the share alone":   {false, func(w *webhooktest.World) *inbox.Hint { return w.WholeHint("acme/orders") }},
		"of a row, by a pass of this process": {false, func(w *webhooktest.World) *inbox.Hint { return w.RowHint() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{OtherReplicas: tt.several}, withChildren())
			w.StopRelay()
			other, direct := w.Bridge, w.Access.BaseURL
			if tt.several {
				other = w.JoinWithoutRelay()
			}
			var slow slowAnswers
			slow.before(t, other, rowsOf)
			w.Drop(func() { w.Edit(0, webhooktest.Cells{"Qty": 44}) })
			ended := make(chan error, 1)
			go func() { ended <- other.Relay.Pass(t.Context(), tt.older(w)) }()
			w.Await("the other pass has read", func() bool { return slow.held.Load() > 0 })
			w.Access.BaseURL = direct
			w.Drop(func() { w.Edit(0, webhooktest.Cells{"Qty": 3}) })
			w.DuringPass(w.WholeHint(), listsOf("discussions"), func() {
				close(slow.released)
				w.Await("the older reading is published", func() bool { return w.StreamHas("acme", "44") })
			})
			webhooktest.Must(t, <-ended)
			w.StartRelay() // the sheet may have to be read again
			w.SettleDeferred()
			w.Check("acme")
		})
	}
}

// TestOtherProcessHasAnOlderList of attachments, of which one is gone by now.
func TestOtherProcessHasAnOlderList(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{OtherReplicas: true}, withChildren())
	w.StopRelay()
	other := w.JoinWithoutRelay()
	var slow slowAnswers
	slow.before(t, other, listsOf("attachments"))
	var file int64
	w.Drop(func() {
		var err error
		file, err = w.Sim.As(w.Jane).AttachLink(w.Sheet.ID, w.Sheet.Rows[0], "plan.pdf", "https://a.example/")
		webhooktest.Must(t, err)
	})
	hint := func() *inbox.Hint {
		return &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, ReceivedAt: time.Now(), Attachments: []int64{file}}
	}
	ended := make(chan error, 1)
	go func() { ended <- other.Relay.Pass(t.Context(), hint()) }()
	w.Await("the other process has read", func() bool { return slow.held.Load() > 0 })
	w.Drop(func() { webhooktest.Must(t, w.Sim.As(w.Jane).DeleteAttachment(w.Sheet.ID, file)) })
	webhooktest.Must(t, w.Relay.Pass(t.Context(), hint()))
	close(slow.released)
	webhooktest.Must(t, <-ended)
	w.Check("acme")
}

// TestOtherProcessIsBusy with rows of a share whose sheet is read: the share becomes
// complete all the same, however few messages its stream keeps.
func TestOtherProcessIsBusy(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{OtherReplicas: true}, withChildren())
	webhooktest.Must(t, w.Registry.UpdatePartner(t.Context(), "acme", func(p *registry.Partner) error {
		p.History = 1
		return nil
	}))
	w.StopRelay()
	other := w.JoinWithoutRelay()
	webhooktest.Must(t, other.Registry.CatchUp(t.Context()))
	w.Drop(func() { w.Edit(1, webhooktest.Cells{"Margin": "x"}) })
	w.DuringPass(w.WholeHint(), listsOf("discussions"), func() {
		for range 40 {
			webhooktest.Must(t, other.Relay.Pass(t.Context(), w.RowHint()))
		}
	})
	snap, _ := w.Sim.Snapshot(w.Sheet.ID)
	if to := webhooktest.StatusOf(w.Stream("acme"), "orders").CompleteTo; to.Version != snap.Version {
		t.Errorf("complete to version %d, want %d", to.Version, snap.Version)
	}
	w.Check("acme")
}

// TestRowsThatAreHiddenAreNotNamed: what processes tell each other of rows that
// they compared says nothing to the partner.
func TestRowsThatAreHiddenAreNotNamed(t *testing.T) {
	t.Parallel()
	request := webhooktest.Everything()
	request.Where = `cells["No"] == "SO-2"`
	w := webhooktest.NewWorld(t, webhooktest.Options{OtherReplicas: true}, request)
	w.StopRelay()
	carried := func() []byte {
		state, err := w.Reader("acme").State(t.Context(), &w.Registry.Share("acme", "orders").Share, nil)
		webhooktest.Must(t, err)
		text, err := base64.RawStdEncoding.DecodeString(state.Carried)
		webhooktest.Must(t, err)
		return text
	}
	before := carried()
	w.Drop(func() { w.Edit(0, webhooktest.Cells{"Qty": 44}) })
	webhooktest.Must(t, w.Relay.Pass(t.Context(), w.RowHint()))
	now := carried()
	if len(now) != len(before) || bytes.Equal(now, before) {
		t.Errorf("got %d bytes of what was compared, %d before, want as many and others", len(now), len(before))
	}
	hidden := w.Sheet.Rows[0]
	if bytes.Contains(now, binary.BigEndian.AppendUint64(nil, uint64(hidden))) || bytes.Contains(now, []byte(webhooktest.FormatID(hidden))) {
		t.Error("a row that the partner does not see is named")
	}
}
