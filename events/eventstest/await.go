package eventstest

import (
	"context"
	"testing"
	"time"
)

// Patience bounds a wait for what takes a moment, also on a machine with much else to
// do: a test that waits so long fails for good.
const Patience = 2 * time.Minute

// Await returns when a condition holds, and fails the test when it does not within
// [Patience].
func Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !Poll(t, Patience, holds) {
		t.Fatalf("waited in vain: %s", what)
	}
}

// AwaitNil returns when a check has no error. The test fails with its last error when
// it has one for so long.
func AwaitNil(t testing.TB, atMost time.Duration, what string, check func() error) {
	t.Helper()
	var err error
	if !Poll(t, atMost, func() bool { err = check(); return err == nil }) {
		t.Fatalf("waited in vain: %s: %v", what, err)
	}
}

// AfterDeletion creates a stream in an account whose only stream was deleted before. The
// server removes the account's empty directories after it has answered the deletion, and
// until then a creation may fail.
func AfterDeletion(t testing.TB, create func() error) {
	t.Helper()
	AwaitNil(t, Patience, "a stream in an account whose only one was deleted", create)
}

// Poll tells whether a condition came to hold in time, in any goroutine of a test. It
// looks seldom at what takes long.
func Poll(t testing.TB, atMost time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()
	for pause := 2 * time.Millisecond; !holds(); pause = min(pause*5/4, 100*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return holds()
		}
	}
	return true
}
