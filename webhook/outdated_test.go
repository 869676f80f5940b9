package webhook_test

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
)

// slowAnswers holds what Smartsheet has answered to a bridge, until it is released.
type slowAnswers struct {
	held     atomic.Int32
	released chan struct{}
}

// before stands between the bridge and the simulator, and holds the answers to the
// requests for which it is asked.
func (a *slowAnswers) before(t *testing.T, b *bridge, which func(*http.Request) bool) {
	t.Helper()
	a.released = make(chan struct{})
	to, err := url.Parse(b.sim.URL())
	must(t, err)
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
	b.access.BaseURL = server.URL + to.Path
}

func listsOf(what string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/"+what) }
}

// driven is another process of the world's whose passes are driven by hand.
func (w *world) driven() *bridge {
	w.t.Helper()
	other := w.join()
	other.endRelay()
	return other
}

func (w *world) wholeHint(shares ...string) *inbox.Hint {
	return &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Whole: true, Full: true, Shares: shares, ReceivedAt: time.Now()}
}

func (w *world) rowHint(shares ...string) *inbox.Hint {
	return &inbox.Hint{
		Registration: w.reg.ID, Why: inbox.WhyCallback, Shares: shares, ReceivedAt: time.Now(),
		Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}},
	}
}

// TestOtherProcessHasAnOlderReading: a process holds what it read of a row, which
// is changed back meanwhile, as another process sees, which publishes nothing. Then
// the first one does not publish the row as it was.
func TestOtherProcessHasAnOlderReading(t *testing.T) {
	t.Parallel()
	type hint = func(*world, ...string) *inbox.Hint
	for name, tt := range map[string]struct{ older, newer hint }{
		"of the row":       {(*world).rowHint, (*world).rowHint},
		"of the sheet":     {(*world).wholeHint, (*world).rowHint},
		"the new is whole": {(*world).rowHint, (*world).wholeHint},
		"both are whole":   {(*world).wholeHint, (*world).wholeHint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{several: true}, everything())
			w.endRelay()
			other := w.driven()
			var slow slowAnswers
			slow.before(t, other, rowsOf)
			w.drop(func() { w.edit(0, cells{"Status": "Done"}) })
			ended := make(chan error, 1)
			go func() { ended <- other.relay.Pass(t.Context(), tt.older(w)) }()
			w.waitFor("the other process has read", func() bool { return slow.held.Load() > 0 })
			w.drop(func() { w.edit(0, cells{"Status": "Open"}) })
			must(t, w.relay.Pass(t.Context(), tt.newer(w)))
			close(slow.released)
			must(t, <-ended)
			w.startRelay() // the sheet may have to be read again
			w.settleDeferred()
			w.check("acme")
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
		older   func(*world) *inbox.Hint
	}{
		"of a row, by another process":        {true, func(w *world) *inbox.Hint { return w.rowHint() }},
		"of the sheet, by another process":    {true, func(w *world) *inbox.Hint { return w.wholeHint() }},
		"of the sheet, for the share alone":   {false, func(w *world) *inbox.Hint { return w.wholeHint("acme/orders") }},
		"of a row, by a pass of this process": {false, func(w *world) *inbox.Hint { return w.rowHint() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{several: tt.several}, withChildren())
			w.endRelay()
			other, direct := w.bridge, w.access.BaseURL
			if tt.several {
				other = w.driven()
			}
			var slow slowAnswers
			slow.before(t, other, rowsOf)
			w.drop(func() { w.edit(0, cells{"Qty": 44}) })
			ended := make(chan error, 1)
			go func() { ended <- other.relay.Pass(t.Context(), tt.older(w)) }()
			w.waitFor("the other pass has read", func() bool { return slow.held.Load() > 0 })
			w.access.BaseURL = direct
			w.drop(func() { w.edit(0, cells{"Qty": 3}) })
			w.under(w.wholeHint(), listsOf("discussions"), func() {
				close(slow.released)
				w.waitFor("the older reading is published", func() bool { return w.has("acme", "44") })
			})
			must(t, <-ended)
			w.startRelay() // the sheet may have to be read again
			w.settleDeferred()
			w.check("acme")
		})
	}
}

// TestOtherProcessHasAnOlderList of attachments, of which one is gone by now.
func TestOtherProcessHasAnOlderList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{several: true}, withChildren())
	w.endRelay()
	other := w.driven()
	var slow slowAnswers
	slow.before(t, other, listsOf("attachments"))
	var file int64
	w.drop(func() {
		var err error
		file, err = w.sim.As(w.jane).AttachLink(w.sheet.ID, w.sheet.Rows[0], "plan.pdf", "https://a.example/")
		must(t, err)
	})
	hint := func() *inbox.Hint {
		return &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, ReceivedAt: time.Now(), Attachments: []int64{file}}
	}
	ended := make(chan error, 1)
	go func() { ended <- other.relay.Pass(t.Context(), hint()) }()
	w.waitFor("the other process has read", func() bool { return slow.held.Load() > 0 })
	w.drop(func() { must(t, w.sim.As(w.jane).DeleteAttachment(w.sheet.ID, file)) })
	must(t, w.relay.Pass(t.Context(), hint()))
	close(slow.released)
	must(t, <-ended)
	w.check("acme")
}

// TestOtherProcessIsBusy with rows of a share whose sheet is read: the share becomes
// complete all the same, however few messages its stream keeps.
func TestOtherProcessIsBusy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{several: true}, withChildren())
	must(t, w.registry.UpdatePartner(t.Context(), "acme", func(p *registry.Partner) error {
		p.History = 1
		return nil
	}))
	w.endRelay()
	other := w.driven()
	must(t, other.registry.CatchUp(t.Context()))
	w.drop(func() { w.edit(1, cells{"Margin": "x"}) })
	w.under(w.wholeHint(), listsOf("discussions"), func() {
		for range 40 {
			must(t, other.relay.Pass(t.Context(), w.rowHint()))
		}
	})
	snap, _ := w.sim.Snapshot(w.sheet.ID)
	if to := statusOf(w.stream("acme"), "orders").CompleteTo; to.Version != snap.Version {
		t.Errorf("complete to version %d, want %d", to.Version, snap.Version)
	}
	w.check("acme")
}

// TestRowsThatAreHiddenAreNotNamed: what processes tell each other of rows that
// they compared says nothing to the partner.
func TestRowsThatAreHiddenAreNotNamed(t *testing.T) {
	t.Parallel()
	request := everything()
	request.Where = `cells["No"] == "SO-2"`
	w := newWorld(t, options{several: true}, request)
	w.endRelay()
	carried := func() []byte {
		state, err := w.reader("acme").State(t.Context(), &w.registry.Share("acme", "orders").Share, nil)
		must(t, err)
		text, err := base64.RawStdEncoding.DecodeString(state.Carried)
		must(t, err)
		return text
	}
	before := carried()
	w.drop(func() { w.edit(0, cells{"Qty": 44}) })
	must(t, w.relay.Pass(t.Context(), w.rowHint()))
	now := carried()
	if len(now) != len(before) || bytes.Equal(now, before) {
		t.Errorf("got %d bytes of what was compared, %d before, want as many and others", len(now), len(before))
	}
	hidden := w.sheet.Rows[0]
	if bytes.Contains(now, binary.BigEndian.AppendUint64(nil, uint64(hidden))) || bytes.Contains(now, []byte(itoa(hidden))) {
		t.Error("a row that the partner does not see is named")
	}
}
