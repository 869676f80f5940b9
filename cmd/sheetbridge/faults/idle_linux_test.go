package faults

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// holdMemory is what the idle connections may cost at most, in MiB.
func holdMemory() int { return eventstest.Times(25, 100) }

// More than twice as many connections as the process may have files open, that say
// nothing, from a hundred addresses, and more all the time: callbacks, the admin API and
// the probes are answered as before. In the long form it is ten thousand, and 4,096 files.
func TestFaultsIdleConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public, admin, port := freePort(t), freePort(t), freePort(t)
	env := w.environment(public, admin, "SHEETBRIDGE_DATA_DIR="+t.TempDir(), fmt.Sprintf("SHEETBRIDGE_NATS_LISTEN=127.0.0.1:%d", port))
	p := newProcess(t, "serve", "/bin/sh", env, "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" serve`, eventstest.Times(1024, 4096)), released(t))
	w.serves = append(w.serves, p)
	w.admin = api{url: fmt.Sprintf("http://127.0.0.1:%d", admin), token: adminToken}
	p.start()
	w.ready(w.admin)
	for name := range shares() {
		w.addPartner(name, nil)
	}
	w.register()
	w.settled(30 * time.Second)
	before := p.memory("VmRSS")

	held := newHolder(t, fmt.Sprintf("127.0.0.1:%d", public), eventstest.Times(2500, 10_000))
	hook := w.sim.Webhooks()[0]
	body := callback(hook.ID, 1)
	signature := smartsheet.Sign(w.sim.WebhookSecret(hook.ID), body)
	var callbacks, admins []time.Duration
	for range 20 {
		began := time.Now()
		if got := postOnce(t, hook.CallbackURL, body, signature); got != 200 {
			t.Errorf("callback: got %d, want 200", got)
		}
		callbacks = append(callbacks, time.Since(began))
		for _, path := range []string{"/readyz", "/v1/partners"} {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if _, err := w.admin.call(ctx, http.MethodGet, path, nil, nil); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			cancel()
			admins = append(admins, time.Since(began))
		}
	}
	after := p.memory("VmRSS")
	held.stop()
	slices.Sort(callbacks)
	slices.Sort(admins)
	t.Logf("%d connections made; callbacks p95 %v, admin p95 %v; %.0f MiB more", held.made, callbacks[18], admins[37], after-before)
	if callbacks[18] > time.Second || admins[37] > time.Second {
		t.Errorf("callbacks are answered in %v, admins in %v (p95), want at most 1 s", callbacks[18], admins[37])
	}
	if after-before > float64(holdMemory()) {
		t.Errorf("the connections cost %.0f MiB, want at most %d", after-before, holdMemory())
	}
	w.edit()
	w.settled(60 * time.Second)
	p.stop()
}

// holder holds connections from many addresses, and replaces those it loses.
type holder struct {
	made int
	stop func()
}

func newHolder(t *testing.T, address string, n int) *holder {
	t.Helper()
	h := &holder{}
	ctx, cancel := context.WithCancel(t.Context())
	var conns []net.Conn
	hold := func() {
		d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+h.made%100))}}
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return // the listener's queue is full: try the next
		}
		conns = append(conns, c)
		h.made++
		if h.made%2 == 0 {
			_, _ = fmt.Fprint(c, "POST /callbacks/x HTTP/1.1\r\nHost: x\r\nX-Drip: ")
		}
	}
	deadline := time.Now().Add(60 * time.Second)
	for h.made < n && time.Now().Before(deadline) {
		hold()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			hold()
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	h.stop = func() {
		cancel()
		<-done
		for _, c := range conns {
			_ = c.Close() // the server may have been first
		}
	}
	return h
}

// postOnce posts over a connection of its own, as one who has none yet.
func postOnce(t *testing.T, url string, body []byte, signature string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(body)))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(smartsheet.HeaderSignature, signature)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
