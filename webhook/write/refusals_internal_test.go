package write

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
)

// TestRefusals: too many refusals within an hour are told of, until a write is made, and
// then not before an hour without one.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Refusals
		refuse := func(n int, apart time.Duration) {
			for range n {
				time.Sleep(apart)
				r.Observe(Outcome{Partner: "acme", Result: events.ResultRefused, Code: events.CodeConflict})
			}
		}
		want := func(when string, refused bool) {
			t.Helper()
			if got, _ := r.Of("acme"); (got != nil) != refused {
				t.Errorf("%s: got %+v, want refused again and again: %v", when, got, refused)
			}
		}
		want("at first", false)
		refuse(19, time.Second)
		want("after 19 refusals", false)
		for range 5 {
			r.Observe(Outcome{Partner: "acme", Result: events.ResultRefused, DryRun: true})
			r.Observe(Outcome{Partner: "globex", Result: events.ResultRefused})
		}
		want("after refusals of what was only checked, and of another's", false)
		refuse(1, time.Second)
		want("after 20", true)
		time.Sleep(24 * time.Hour)
		r.Observe(Outcome{Partner: "acme", Result: events.ResultDone, DryRun: true})
		want("a day later, nothing being made", true)
		r.Observe(Outcome{Partner: "acme", Result: events.ResultDone})
		want("once a write was made", false)
		if _, made := r.Of("acme"); !made.Equal(time.Now()) {
			t.Errorf("got %v for when a write was made, want now", made)
		}
		refuse(30, time.Minute)
		want("within an hour of a write", false)
		refuse(31, time.Minute)
		want("more than an hour after one", true)
		r.Observe(Outcome{Partner: "acme", Result: events.ResultAlready})
		want("once the sheet was so already", false)
		time.Sleep(time.Hour)
		refuse(60, 4*time.Minute)
		want("with refusals that are rare", false)
		refuse(20, 3*time.Minute)
		want("with 20 within an hour", true)
	})
}
