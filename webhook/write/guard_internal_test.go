package write

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestGuard has connections that come about too late. Nothing is sent over them,
// whether the request has a body or not.
func TestGuard(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	ask := func(method, body string, until, connected time.Time) error {
		trusting := server.Client().Transport.(*http.Transport).Clone()
		trusting.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			<-time.After(time.Until(connected))
			return conn, err
		}
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader(body))
		if err != nil {
			return err
		}
		if body == "" {
			req.Body = nil
		}
		resp, err := guard(&http.Client{Transport: trusting}, until).Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	for method, body := range map[string]string{http.MethodPut: "[]", http.MethodDelete: ""} {
		until := time.Now().Add(50 * time.Millisecond)
		if err := ask(method, body, until, until.Add(time.Millisecond)); !errors.Is(err, errLate) {
			t.Errorf("%s too late: got error %v, want %v", method, err, errLate)
		}
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests were sent too late", n)
	}
	for method, body := range map[string]string{http.MethodPut: "[]", http.MethodDelete: ""} {
		if err := ask(method, body, time.Now().Add(time.Minute), time.Now()); err != nil {
			t.Errorf("%s in time: %v", method, err)
		}
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests were sent in time, want 2", n)
	}
}
