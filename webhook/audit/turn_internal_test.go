package audit

import (
	"context"
	"errors"
	"testing"
)

// TestWhoHangsUpWaitsNoMore: an entry that waits for another one to be written
// ends with its request.
func TestWhoHangsUpWaitsNoMore(t *testing.T) {
	l := &Log{turn: make(chan struct{}, 1)}
	l.turn <- struct{}{} // another one is being written
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ctx, "POST", "/", Begun, nil); !errors.Is(err, ErrNotKept) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrNotKept since the request ended", err)
	}
}
