package relay_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// looksBack is a Smartsheet that can answer with the sheet as it was.
type looksBack struct {
	mu   sync.Mutex
	page []byte // of the sheet, as it was read last
	back bool   // answer with it
}

func (b *looksBack) step(back bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.back = back
}

// before stands between the bridge and the simulator.
func (b *looksBack) before(t *testing.T, br *webhooktest.Bridge) {
	t.Helper()
	to, err := url.Parse(br.Sim.URL())
	webhooktest.Must(t, err)
	isPage := func(r *http.Request) bool {
		return r.Method == http.MethodGet && r.URL.Query().Has("columnIds")
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, to.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			if !isPage(resp.Request) {
				return nil
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.back {
				webhooktest.Must(t, resp.Body.Close())
			} else if b.page, err = io.ReadAll(resp.Body); err != nil {
				return err
			}
			resp.Header.Del("Content-Length")
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b.page)), int64(len(b.page))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	br.Access.BaseURL = server.URL + to.Path
}

// TestOlderVersionIsRead: what a partner was told stands, and how far its stream
// is complete does not fall, whether the older sheet differs in what is shared
// or not.
func TestOlderVersionIsRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit   webhooktest.Cells
		result string
	}{
		"differs":        {webhooktest.Cells{"Qty": 4}, "later"},
		"looks the same": {webhooktest.Cells{"Margin": 4}, "done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			w.StopRelay()
			sim := &looksBack{}
			sim.before(t, w.Bridge)
			full := func() relay.Pass {
				w.TakePasses()
				h := &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}
				webhooktest.Must(t, w.Handle(t.Context(), h))
				return w.TakePasses()[0]
			}
			full()
			old := sim.page
			w.Drop(func() { w.Edit(0, tt.edit) })
			full()
			told := webhooktest.StatusOf(w.Stream("acme"), "orders")
			sim.page = old
			sim.step(true)
			if p := full(); p.Result != tt.result {
				t.Errorf("got %s of an older version, want %s", p.Result, tt.result)
			}
			w.Check("acme")
			now := webhooktest.StatusOf(w.Stream("acme"), "orders")
			if now.CompleteTo.Version != told.CompleteTo.Version || now.State != events.StateLive {
				t.Errorf("got %s and complete to version %d, was %d", now.State, now.CompleteTo.Version, told.CompleteTo.Version)
			}
			if anew := now.CompleteTo.Time.After(told.CompleteTo.Time); anew != (tt.result == "done") {
				t.Errorf("complete to %s, was %s", now.CompleteTo.Time, told.CompleteTo.Time)
			}
		})
	}
}
