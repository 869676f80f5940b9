package admin

import (
	"log/slog"
	"testing"
)

// TestErrorsInTheLogAreOurs: who wants to be woken for ERROR is not woken for
// what Smartsheet refuses.
func TestErrorsInTheLogAreOurs(t *testing.T) {
	t.Parallel()
	const route = "/v1/owners"
	for name, tt := range map[string]struct {
		route  string
		status int
		want   slog.Level
	}{
		"done":                {route, 200, slog.LevelInfo},
		"refused":             {route, 422, slog.LevelInfo},
		"our own failure":     {route, 500, slog.LevelError},
		"Smartsheet refused":  {route, 502, slog.LevelWarn},
		"no budget":           {route, 503, slog.LevelWarn},
		"a probe":             {pathReady, 503, slog.LevelDebug},
		"a scrape":            {pathMetrics, 200, slog.LevelDebug},
		"a scrape that fails": {pathMetrics, 500, slog.LevelError},
	} {
		if got := levelOf(tt.route, tt.status); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}
