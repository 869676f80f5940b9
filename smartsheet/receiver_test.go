package smartsheet_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// newCallbackServer answers challenges and hands every other body to take. It
// returns its address.
func newCallbackServer(t *testing.T, take func(body []byte)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read a callback: %v", err)
		}
		if challenge := r.Header.Get("Smartsheet-Hook-Challenge"); challenge != "" {
			w.Header().Set("Smartsheet-Hook-Response", challenge)
			return
		}
		take(body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/callbacks/key"
}
