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
)

// slowAnswers holds what Smartsheet has answered to a bridge that asked for rows,
// until it is released.
type slowAnswers struct {
	held     atomic.Int32
	released chan struct{}
}

// before stands between the bridge and the simulator.
func (a *slowAnswers) before(t *testing.T, b *bridge) {
	t.Helper()
	a.released = make(chan struct{})
	to, err := url.Parse(b.sim.URL())
	must(t, err)
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, to.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if rowsOf(resp.Request) {
				a.held.Add(1)
				<-a.released
			}
			return nil
		},
	})
	t.Cleanup(server.Close)
	b.access.BaseURL = server.URL + to.Path
}

// TestOtherProcessHasAnOlderReading: a process holds what it read of a row, which
// is changed back meanwhile, as another process sees, which publishes nothing. Then
// the first one does not publish the row as it was.
func TestOtherProcessHasAnOlderReading(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ older, newer func(h *inbox.Hint) }{
		"of the row":       {},
		"of the sheet":     {older: whole},
		"the new is whole": {newer: whole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{several: true}, everything())
			w.endRelay()
			other := w.join()
			other.endRelay()
			var slow slowAnswers
			slow.before(t, other)
			other.startRelay()
			hint := func(change func(*inbox.Hint)) *inbox.Hint {
				h := &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, ReceivedAt: time.Now(), Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}}}
				if change != nil {
					change(h)
				}
				return h
			}
			w.drop(func() { w.edit(0, cells{"Status": "Done"}) })
			must(t, w.inbox.Put(t.Context(), hint(tt.older)))
			w.waitFor("the other process has read", func() bool { return slow.held.Load() > 0 })
			w.drop(func() { w.edit(0, cells{"Status": "Open"}) })
			must(t, w.relay.Pass(t.Context(), hint(tt.newer)))
			close(slow.released)
			w.settle()
			w.check("acme")
		})
	}
}

func whole(h *inbox.Hint) { h.Rows, h.Whole, h.Full = nil, true, true }

// TestOlderReadingIsPublishedMeanwhile: what a process publishes of an older reading,
// after another one that reads the whole sheet has compared the same row, is mended
// before the sheet is said to be complete.
func TestOlderReadingIsPublishedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{several: true}, withChildren())
	w.endRelay()
	other := w.join()
	other.endRelay()
	var slow slowAnswers
	slow.before(t, other)
	w.drop(func() { w.edit(0, cells{"Qty": 44}) })
	row := &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Again: true, ReceivedAt: time.Now(), Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}}}
	ended := make(chan error, 1)
	go func() { ended <- other.relay.Pass(t.Context(), row) }()
	w.waitFor("the other process has read", func() bool { return slow.held.Load() > 0 })
	w.drop(func() { w.edit(0, cells{"Qty": 3}) })
	discussions := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/discussions") }
	w.under(&inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}, discussions, func() {
		close(slow.released)
		w.waitFor("the older reading is published", func() bool { return w.has("acme", "44") })
	})
	must(t, <-ended)
	w.startRelay() // the sheet may have to be read again
	w.settle()
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
	hidden := w.sheet.Rows[0]
	w.drop(func() { w.edit(0, cells{"Qty": 44}) })
	reader, share := w.reader("acme"), &w.registry.Share("acme", "orders").Share
	before, err := reader.Lock(t.Context(), share)
	must(t, err)
	h := &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Again: true, ReceivedAt: time.Now(), Rows: map[int64]inbox.Row{hidden: {}}}
	must(t, w.relay.Pass(t.Context(), h))
	after, err := reader.Lock(t.Context(), share)
	must(t, err)
	texts, err := reader.Compared(t.Context(), share, before, after)
	must(t, err)
	told := strings.Join(texts, "")
	sealed, err := base64.RawStdEncoding.DecodeString(told)
	must(t, err)
	if len(sealed) < 32*8 {
		t.Errorf("got %d bytes about rows that were compared, want at least as many as 32 rows need", len(sealed))
	}
	if bytes.Contains(sealed, binary.BigEndian.AppendUint64(nil, uint64(hidden))) || strings.Contains(told, itoa(hidden)) {
		t.Error("a row that the partner does not see is named")
	}
}
