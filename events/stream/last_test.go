package stream

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// answering is a stream whose server answers as it is told to.
func answering(t *testing.T, subject string, answers func() []*nats.Msg) *Stream {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(srv.Shutdown)
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
		for _, a := range answers() {
			a.Subject = m.Reply
			_ = nc.PublishMsg(a) // who asked may have gone
		}
	}); err != nil {
		t.Fatal(err)
	}
	return &Stream{nc: nc}
}

func headers(pairs ...any) *nats.Msg {
	m := nats.NewMsg("")
	for i := 0; i < len(pairs); i += 2 {
		m.Header.Set(fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return m
}

// TestLastOfLostAnswers: an object whose answer was lost is not taken for one
// that was never published.
func TestLastOfLostAnswers(t *testing.T) {
	t.Parallel()
	stored := func(subject string, sequence, before int) *nats.Msg {
		return headers("Nats-Subject", subject, "Nats-Sequence", sequence, "Nats-Last-Sequence", before)
	}
	eob := func(before, pending int) *nats.Msg {
		return headers("Status", 204, "Nats-Num-Pending", pending, "Nats-Last-Sequence", before, "Nats-UpTo-Sequence", 9)
	}
	a, b, c := stored("a", 3, 0), stored("b", 5, 3), stored("c", 8, 5)
	for name, tt := range map[string]struct {
		answers []*nats.Msg
		lock    uint64
		want    []uint64 // of a, b and c
		err     error
	}{
		"whole":                {answers: []*nats.Msg{a, b, c, eob(8, 0)}, lock: 9, want: []uint64{3, 5, 8}},
		"the first lost":       {answers: []*nats.Msg{b, c, eob(8, 0)}, lock: 9, err: ErrLag},
		"lost in the middle":   {answers: []*nats.Msg{a, c, eob(8, 0)}, lock: 9, err: ErrLag},
		"the last lost":        {answers: []*nats.Msg{a, b, eob(8, 0)}, lock: 9, err: ErrLag},
		"all but the end lost": {answers: []*nats.Msg{eob(8, 0)}, err: ErrLag},
		"a copy that lags":     {answers: []*nats.Msg{a, b, c, eob(8, 0)}, lock: 10, err: ErrLag},
		"none with a lock":     {answers: []*nats.Msg{headers("Status", 404)}, lock: 9, err: ErrLag},
		"none":                 {answers: []*nats.Msg{headers("Status", 404)}, err: errNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, "$JS.API.DIRECT.GET."+Name, func() []*nats.Msg { return copies(tt.answers) })
			found, err := s.lastOfMany(t.Context(), []string{"a", "b", "c"}, tt.lock)
			if !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			var got []uint64
			if err == nil {
				got = []uint64{found["a"].sequence, found["b"].sequence, found["c"].sequence}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("sequences (-want +got):\n%s", diff)
			}
		})
	}
}

func copies(msgs []*nats.Msg) []*nats.Msg {
	list := make([]*nats.Msg, len(msgs))
	for i, m := range msgs {
		list[i] = &nats.Msg{Header: m.Header, Data: m.Data}
	}
	return list
}

// TestLagOfServerThatDoesNotAnswer waits for no answer for ever.
func TestLagOfServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := answering(t, "$JS.API.CONSUMER.LIST."+Name, func() []*nats.Msg { return nil })
	if list, err := s.consumers(t.Context()); err == nil {
		t.Errorf("got %v of a server that does not answer", list)
	}
}
