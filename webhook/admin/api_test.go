package admin_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	for name, tc := range map[string]struct {
		header, method, path string
		status               int
	}{
		"no token":           {"", "GET", "/v1/owners", 401},
		"wrong token":        {"Bearer nobody-0123456789abcdef", "GET", "/v1/owners", 401},
		"part of a token":    {"Bearer " + writer[:20], "GET", "/v1/owners", 401},
		"more than a token":  {"Bearer " + writer + "0", "GET", "/v1/owners", 401},
		"empty token":        {"Bearer ", "GET", "/v1/owners", 401},
		"basic":              {"Basic " + writer, "GET", "/v1/owners", 401},
		"writer reads":       {"Bearer " + writer, "GET", "/v1/owners", 200},
		"scheme in any case": {"bearer " + writer, "GET", "/v1/owners", 200},
		"reader reads":       {"Bearer " + reader, "GET", "/v1/owners", 200},
		"reader posts":       {"Bearer " + reader, "POST", "/v1/owners", 403},
		"reader deletes":     {"Bearer " + reader, "DELETE", "/v1/owners/ops", 403},
		"reader puts":        {"Bearer " + reader, "PUT", "/v1/owners/ops/token", 403},
		"no such route":      {"Bearer " + writer, "GET", "/v1/nothing", 404},
		"nothing for nobody": {"", "GET", "/v1/nothing", 401},
		"no such method":     {"Bearer " + writer, "PATCH", "/v1/owners", 405},
		"encoded path":       {"", "GET", "/%761/owners", 401},
		"doubled slash":      {"", "GET", "//v1/owners", 401},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, w.url+tc.path, nil)
			must(t, err)
			if tc.header != "" {
				req.Header.Set("Authorization", tc.header)
			}
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			defer resp.Body.Close()
			if resp.StatusCode != tc.status {
				t.Errorf("got %d, want %d", resp.StatusCode, tc.status)
			}
			if kind := resp.Header.Get("Content-Type"); tc.status >= 400 && kind != "application/problem+json" {
				t.Errorf("got %s, want a problem", kind)
			}
			if got := resp.Header.Get("WWW-Authenticate"); (tc.status == 401) != strings.HasPrefix(got, "Bearer") {
				t.Errorf("got WWW-Authenticate %q with %d", got, tc.status)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	notReady := errors.New("the relay does not run")
	var ready error
	w := newWorld(t, setup{api: func(a *admin.API) {
		a.Ready = func(context.Context) error { return ready }
		a.Metrics = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("sheetbridge_up 1\n")) })
	}})
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n", "/metrics": "sheetbridge_up 1\n"} {
		if r := w.send("", "GET", path, ""); r.status != 200 || r.text != want {
			t.Errorf("%s: got %d %q, want %q", path, r.status, r.text, want)
		}
	}
	ready = notReady
	w.send("", "GET", "/readyz", "").refused(503, "", notReady.Error())
	if r := w.send("", "GET", "/healthz", ""); r.status != 200 {
		t.Errorf("got %d, want healthy though not ready", r.status)
	}
}
