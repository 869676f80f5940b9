package stream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// TestStreamThatIsFull refuses a batch whole, by the stream's limit or the
// account's, says that it is full, drops nothing, and takes it when there is room.
func TestStreamThatIsFull(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]stream.Options{"stream": {Storage: 64 << 10}, "account": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, limit := limitedStream(t, of)
			sh := testShare("orders")
			w := begin(t, s, sh)
			row, n := int64(0), 40
			batch := func() error {
				for range n {
					row++
					e, err := sh.ObjectEvent(events.KindRow, row, "created", time.Now(), events.ObjectData{After: object(1)})
					must(t, err)
					must(t, w.Add(e))
				}
				_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
				return err
			}
			var err error
			for range 20 {
				if err = batch(); err != nil {
					break
				}
			}
			if !errors.Is(err, stream.ErrFull) {
				t.Fatalf("got %v, want that it is full", err)
			}
			before := usage(t, s)
			if name == "stream" && before.Messages%uint64(n+1) != 2 {
				t.Errorf("%d messages are stored: a part of a batch is", before.Messages)
			}
			n = 1
			for err = nil; err == nil && row < 1000; {
				if err = w.Acquire(t.Context(), time.Now(), events.StatusData{}); err == nil {
					err = batch()
				}
			}
			if !errors.Is(err, stream.ErrFull) {
				t.Fatalf("got %v of a single event, want that it is full", err)
			}
			s = limit(1 << 20)
			if now := usage(t, s); now.Messages < before.Messages {
				t.Errorf("%d messages were %d", now.Messages, before.Messages)
			}
			n = 40
			must(t, w.Acquire(t.Context(), time.Now(), events.StatusData{}))
			must(t, batch())
			s = limit(64 << 10)
			before = usage(t, s)
			if err := batch(); !errors.Is(err, stream.ErrFull) {
				t.Errorf("got %v, want that it is full again", err)
			}
			if now := usage(t, s); now.Messages != before.Messages || before.Bytes < 64<<10 {
				t.Errorf("a lower limit left %d messages of %d", now.Messages, before.Messages)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func usage(t testing.TB, s *stream.Stream) stream.Usage {
	t.Helper()
	u, err := s.Usage(t.Context())
	must(t, err)
	return u
}

// limitedStream is a stream in an account of 64 KiB, and how to limit both anew.
func limitedStream(t testing.TB, o stream.Options) (*stream.Stream, func(bytes int64) *stream.Stream) {
	t.Helper()
	ctx := context.Background()
	b, err := broker.Start(ctx, broker.Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	must(t, err)
	account, err := broker.NewAccount("acme")
	must(t, err)
	account.Limits.Storage = 64 << 10
	must(t, b.PutAccount(ctx, "acme", account))
	nc, err := b.Connect(ctx, "acme", account)
	must(t, err)
	t.Cleanup(func() {
		nc.Close()
		must(t, b.Close(ctx))
	})
	s, err := stream.Open(ctx, nc, "acme", o)
	must(t, err)
	return s, func(bytes int64) *stream.Stream {
		t.Helper()
		account.Limits.Storage = bytes
		must(t, b.PutAccount(t.Context(), "acme", account))
		if o.Storage > 0 {
			o.Storage = bytes
		}
		s, err := s.Reopen(t.Context(), o)
		must(t, err)
		return s
	}
}
