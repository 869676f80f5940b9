package partner_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/partner"
)

// TestWhoHangsUpWaitsNoMore: a request that waits for another one to change
// partners' accounts ends with its own time.
func TestWhoHangsUpWaitsNoMore(t *testing.T) {
	a := &partner.Accounts{}
	done, err := a.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Hold(ctx); !errors.Is(err, partner.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	done()
	if done, err = a.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	done()
}
