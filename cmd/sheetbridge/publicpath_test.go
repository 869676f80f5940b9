package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestUnderPath(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	for _, c := range []struct{ publicURL, asked, want string }{
		{"https://a.example", "/callbacks/k", "/callbacks/k"},
		{"https://a.example/", "/callbacks/k", "/callbacks/k"},
		{"", "/callbacks/k", "/callbacks/k"},
		{"https://a.example/bridge", "/bridge/callbacks/k", "/callbacks/k"},
		{"https://a.example/bridge/", "/bridge/oauth/callback", "/oauth/callback"},
		{"https://a.example/bridge", "/callbacks/k", "/callbacks/k"}, // the proxy took it off
		{"https://a.example/bridge", "/bridgecallbacks/k", "/bridgecallbacks/k"},
	} {
		w := httptest.NewRecorder()
		underPath(c.publicURL, echo).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.asked, nil))
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s below %q: got %s, want %s", c.asked, c.publicURL, got, c.want)
		}
	}
}
