package inbox

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestKeepAlive: a connection that is away for less than the queue waits changes
// nothing; one that is away for longer ends the work, which somebody else has by
// then.
func TestKeepAlive(t *testing.T) {
	for name, c := range map[string]struct {
		away, back time.Duration
		ends       time.Duration // 0: never
	}{
		"always there": {},
		"a wink":       {away: 9 * time.Second, back: 11 * time.Second},
		"for long":     {away: 9 * time.Second, back: 34 * time.Second},
		"for too long": {away: 9 * time.Second, back: time.Hour, ends: 35 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				told := began
				keepAlive(ctx, cancel, func() error {
					if at := time.Since(began); at >= c.away && at < c.back {
						return errors.New("not connected")
					}
					told = time.Now()
					return nil
				})
				if got := time.Since(began); c.ends == 0 && got != 10*time.Minute || c.ends != 0 && got != c.ends {
					t.Errorf("it ended after %s, want %s", got, c.ends)
				}
				if gap := time.Since(told); c.ends == 0 && gap > ackWait/3 {
					t.Errorf("the server was last told %s ago", gap)
				}
			})
		})
	}
}
