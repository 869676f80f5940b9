package audit

import (
	"context"
	"errors"
	"testing"
)

// TestWhoHangsUpWaitsNoMore: an entry that waits for another one to be written
// ends with its request.
func TestWhoHangsUpWaitsNoMore(t *testing.T) {
	t.Parallel()
	l := &Log{appending: make(chan struct{}, 1)}
	l.appending <- struct{}{} // another one is being written
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ctx, "POST", "/", Begun, nil); !errors.Is(err, ErrNotWritten) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrNotWritten since the request ended", err)
	}
}
