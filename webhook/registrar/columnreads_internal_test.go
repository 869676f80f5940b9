package registrar

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// TestColumnReads: who asks while the columns are read gets the next reading, one
// for all who wait for it, also when the first of them has hung up.
func TestColumnReads(t *testing.T) {
	t.Parallel()
	var c columnReads
	var count atomic.Int64
	begun, release := make(chan struct{}, 10), make(chan struct{})
	read := func(context.Context) (*smartsheet.Sheet, error) {
		n := count.Add(1)
		begun <- struct{}{}
		<-release
		return &smartsheet.Sheet{Version: n}, nil
	}
	versions := make(chan int64, 10)
	ask := func() {
		sheet, err := c.read(t.Context(), "ops/7", read)
		if err != nil {
			t.Error(err)
		}
		versions <- sheet.Version
	}
	go ask()
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		if _, err := c.read(gone, "ops/7", read); !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v for who has hung up", err)
		}
	}
	joined := c.reading.DoChan("ops/7", func() (any, error) {
		t.Error("those who have hung up began no reading for others")
		return &smartsheet.Sheet{}, nil
	})
	go ask() // most likely with those who have hung up, else for itself
	release <- struct{}{}
	if v := <-versions; v != 1 {
		t.Errorf("got version %d for who asked first, want 1", v)
	}
	<-begun
	if n := count.Load(); n != 2 {
		t.Errorf("got %d readings for all who asked during it, want one more", n)
	}
	close(release)
	if r := <-joined; r.Err != nil || r.Val.(*smartsheet.Sheet).Version != 2 {
		t.Errorf("got %v, error %v while the first was read: want the next reading, for the answer may not be older than the question", r.Val, r.Err)
	}
	if v := <-versions; v < 2 {
		t.Errorf("got version %d for who asked while the first was read, want a newer one", v)
	}
}
