package admin_test

import (
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// A failure of ours tells the client nothing but that, and the log why, once.
func TestInternalFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	must(t, w.registry.UpdateOwner(t.Context(), "ops", func(o *registry.Owner) error {
		o.Token = []byte("planted: sealed by nobody")
		return nil
	}))
	w.refused(500, "", "its log has the cause", "GET", "/v1/owners/ops/sheets", "")
	if n := strings.Count(w.logs.String(), "opening the token of owner ops"); n != 1 {
		t.Errorf("got the cause %d times in the log, want once", n)
	}
	w.silent("planted")
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.send(reader, "GET", "/v1/owners/planted-name?planted=query", "")
	w.send("planted-token-0123456", "GET", "/v1/owners", "")
	logged := w.logs.String()
	for _, want := range []string{"method=GET route=/v1/owners/:name status=422 who=bob", "route=/v1/owners status=401 who=\"\""} {
		if !strings.Contains(logged, want) {
			t.Errorf("got log\n%s\nwant %q in it", logged, want)
		}
	}
	if strings.Contains(logged, "planted") {
		t.Errorf("got log\n%s\nwant no path, query or token in it", logged)
	}
}
