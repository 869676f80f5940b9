package eventstest

import (
	"flag"
	"testing"

	"pgregory.net/rapid"
)

var long = flag.Bool("long", false, "run tests in their long form too, and those that want a machine to themselves")

// Long tells whether the tests run in their long form.
func Long() bool { return *long }

// Times is how often something is done in the short and in the long form.
func Times(short, longer int) int {
	if *long {
		return longer
	}
	return short
}

// OnlyLong skips a test in the short form, and says why.
func OnlyLong(t testing.TB, why string) {
	t.Helper()
	if !*long {
		t.Skip(why + ": run it with -long")
	}
}

// Property has rapid look for a case in which a property does not hold: in so many
// cases, and in its usual number in the long form. A failure is followed up in both.
func Property(t *testing.T, cases int, check func(*rapid.T)) {
	t.Helper()
	n, failed := 0, false
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > cases && !failed && !*long {
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		check(rt)
	})
}
