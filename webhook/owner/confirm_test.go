package owner_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestConfirm: a token is refused if Smartsheet says so with a code, and says so
// again of the token itself.
func TestConfirm(t *testing.T) {
	t.Parallel()
	code := func(status, code int) error { return &smartsheet.Error{Status: status, Code: code} }
	works, refuses := smartsheettest.Fault{}, smartsheettest.Fault{Status: 401, ErrorCode: 1002}
	for name, tt := range map[string]struct {
		cause    error
		me       smartsheettest.Fault
		refused  bool
		fails    bool
		requests int
	}{
		"refused twice":          {code(401, 1002), refuses, true, false, 1},
		"expired twice":          {code(401, 1003), smartsheettest.Fault{Status: 401, ErrorCode: 1003}, true, false, 1},
		"refused this once":      {code(401, 1002), works, false, false, 1},
		"a gateway's page":       {code(401, 0), refuses, false, false, 0},
		"and then a gateway":     {code(401, 1002), smartsheettest.Fault{Status: 401, HTML: true}, false, true, 1},
		"and then nobody":        {code(401, 1002), smartsheettest.Fault{HangUp: true}, false, true, 1}, // 2 on a connection that served before
		"and then throttled":     {code(401, 1002), smartsheettest.Fault{Status: 429, ErrorCode: 4003}, false, true, 1},
		"not for this sheet":     {code(403, 1004), refuses, false, false, 0},
		"not Smartsheet's error": {errors.New("no route to host"), refuses, false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}) // a token of its own: one that is throttled is for all who use it
			var asked atomic.Int64
			w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				asked.Add(1)
				if !strings.HasSuffix(r.URL.Path, "/users/me") {
					t.Errorf("got %s %s, want the user asked for alone", r.Method, r.URL.Path)
				}
				return &tt.me
			})
			defer w.Sim.SetFault(nil)
			refused, err := w.Access.Confirm(t.Context(), w.Registry.Owner("ops"), tt.cause)
			if refused != tt.refused || (err != nil) != tt.fails || int(asked.Load()) != tt.requests {
				t.Errorf("got refused %v, error %v and %d requests, want %v, %v and %d", refused, err, asked.Load(), tt.refused, tt.fails, tt.requests)
			}
		})
	}
}

// TestOneRefusalCondemnsNobody: whatever stands between Smartsheet and us may
// answer 401; the owner is not suspended for it, and the edit is published.
func TestOneRefusalCondemnsNobody(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]smartsheettest.Fault{
		"a gateway's page":    {Status: 401, HTML: true},
		"of this one request": {Status: 401, ErrorCode: 1002},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := make(chan struct{}, 100)
			w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				if ctx.Err() != nil || !strings.Contains(r.URL.Path, "/sheets/") {
					return nil
				}
				asked <- struct{}{}
				return &fault
			})
			w.Edit(0, webhooktest.Cells{"Qty": 4})
			<-asked
			w.AwaitPass(func(result string) bool { return result == "later" })
			cancel()
			if o := w.Registry.Owner("ops"); o.State != registry.OwnerOK {
				t.Fatalf("got owner %s (%s), want ok", o.State, o.Reason)
			}
			webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}))
			w.Settle()
			w.Check("acme")
		})
	}
}
