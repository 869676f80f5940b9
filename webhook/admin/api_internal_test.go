package admin

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

// TestWhoHangsUpWaitsNoMore: a request that waits for another one to change
// partners' accounts ends with its own time.
func TestWhoHangsUpWaitsNoMore(t *testing.T) {
	a := &API{accounts: make(chan struct{}, 1)}
	done, err := a.holdAccounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var refused *answer
	if _, err := a.holdAccounts(ctx); !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("got %v, want 503", err)
	}
	done()
	if done, err = a.holdAccounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	done()
}
