package stream_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// reading returns when somebody reads the stream.
func (s *tailed) reading() {
	s.t.Helper()
	eventstest.Await(s.t, "somebody reads the stream", func() bool {
		there, err := s.js.Stream(s.t.Context(), stream.Name)
		return err == nil && there.CachedInfo().State.Consumers > 0
	})
}

// What comes into a stream that had nothing for the reader comes whole, also
// when the server is away before the first of it.
func TestTailOfEmptyStream(t *testing.T) {
	t.Parallel()
	for _, from := range []string{stream.FromLastPerSubject, stream.FromAll, stream.FromNew} {
		for name, remade := range map[string]bool{"empty": false, "made again": true} {
			t.Run(from+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newTailed(t)
				r := s.read(stream.TailOptions{From: from, Subject: "orders.>"})
				s.reading()
				if remade {
					s.publish("orders.row.1", "before")
					r.want("orders.row.1 before")
					if err := s.js.DeleteStream(t.Context(), stream.Name); err != nil {
						t.Fatal(err)
					}
					s.openStream()
					s.reading()
				}
				s.publish("plan.row.1", "not asked for")
				s.stop()
				s.start()
				for _, text := range []string{"a", "b", "c"} { // most likely before the reader is back
					s.publish("orders.row.1", text)
				}
				r.want("orders.row.1 a", "orders.row.1 b", "orders.row.1 c")
				if err := r.end(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// ended is a context that is found to have ended only after everything else.
type ended struct{ context.Context }

func (ended) Err() error { return context.Canceled }

// TestTailLeavesNoConnection: none stays where the context ends just when the
// connection stands.
func TestTailLeavesNoConnection(t *testing.T) {
	t.Parallel()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	must(t, err)
	srv.Start()
	t.Cleanup(srv.Shutdown)
	s := newTailed(t)
	creds, _ := s.creds()
	ctx := ended{context.WithoutCancel(t.Context())}
	if err := stream.Tail(ctx, stream.TailOptions{URL: srv.ClientURL(), Creds: creds}, nil); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	eventstest.Await(t, "the connection is gone", func() bool { return srv.NumClients() == 0 })
}
