package owner_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// A 429 that any client gets, that of an admin's call with its own context among
// them, slows the token down for all others.
func TestA429SlowsTheTokenForAll(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault *smartsheettest.Fault
		slow  time.Duration // at least
	}{
		"with Retry-After":    {&smartsheettest.Fault{Status: 429, ErrorCode: smartsheet.CodeRateLimit, RetryAfter: 300 * time.Second}, 290 * time.Second},
		"without Retry-After": {&smartsheettest.Fault{Status: 429, ErrorCode: smartsheet.CodeRateLimit}, 50 * time.Second},
		"another error":       {&smartsheettest.Fault{Status: 400, ErrorCode: 4004}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := smartsheettest.New(t)
			token := sim.AddToken(sim.AddUser(smartsheettest.User{Email: "jane@a.example"}))
			b := webhooktest.NewBridge(t, sim, webhooktest.Options{})
			b.AddOwner("ops", token)
			ops, err := b.Registry.FreshOwner(t.Context(), "ops")
			webhooktest.Must(t, err)
			sim.SetFault(func(*http.Request) *smartsheettest.Fault { return tt.fault })
			ctx, cancel := context.WithCancel(t.Context())
			if _, err := b.Access.NewClient("us", token, "").Me(ctx); err == nil {
				t.Fatal("got no error")
			}
			cancel()
			sim.SetFault(nil)
			client, err := b.Access.Client(ops, budget.Callback)
			webhooktest.Must(t, err)
			_, err = client.Me(t.Context())
			var slowed *owner.BudgetError
			if errors.As(err, &slowed) != (tt.slow > 0) || slowed != nil && slowed.Wait < tt.slow {
				t.Errorf("got %v, want a budget used up for at least %v", err, tt.slow)
			}
		})
	}
}
