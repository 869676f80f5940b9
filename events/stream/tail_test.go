package stream_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// tailed is a server with one partner, which can be stopped and started.
type tailed struct {
	t       *testing.T
	options broker.Options
	account broker.Account
	broker  *broker.Broker
	nc      *nats.Conn
	js      jetstream.JetStream
}

func newTailed(t *testing.T) *tailed {
	t.Helper()
	s := &tailed{t: t, options: broker.Options{
		Dir: filepath.Join(t.TempDir(), "nats"), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0", MaxStore: 1 << 30,
	}}
	var err error
	if s.account, err = broker.NewAccount("acme"); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *tailed) start() {
	s.t.Helper()
	ctx := s.t.Context()
	var err error
	if s.broker, err = broker.Start(ctx, s.options); err != nil {
		s.t.Fatal(err)
	}
	s.options.Listen = strings.TrimPrefix(s.broker.URL(), "nats://") // the same port ever after
	if err = s.broker.PutAccount(ctx, "acme", s.account); err != nil {
		s.t.Fatal(err)
	}
	if s.nc, err = s.broker.Connect(ctx, "acme", s.account); err != nil {
		s.t.Fatal(err)
	}
	if s.js, err = jetstream.New(s.nc, jetstream.WithDefaultTimeout(eventstest.Patience)); err != nil {
		s.t.Fatal(err)
	}
	s.openStream()
}

func (s *tailed) openStream() {
	s.t.Helper()
	eventstest.AfterDeletion(s.t, func() error {
		_, err := stream.Open(s.t.Context(), s.nc, "acme", stream.Options{})
		return err
	})
}

func (s *tailed) stop() {
	s.t.Helper()
	if err := s.broker.Close(context.WithoutCancel(s.t.Context())); err != nil {
		s.t.Error(err)
	}
}

// publish puts an event with this text into the stream, under the partner's
// subjects.
func (s *tailed) publish(subject, text string) {
	s.t.Helper()
	if _, err := s.js.Publish(s.t.Context(), "smartsheet.acme."+subject, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *tailed) creds() (seal.Secret, string) {
	s.t.Helper()
	creds, user, err := s.account.MintUser("default", time.Time{})
	if err != nil {
		s.t.Fatal(err)
	}
	return seal.Secret(creds), user
}

// reader is a tail that runs.
type reader struct {
	t    *testing.T
	got  chan string
	done chan error
	stop context.CancelFunc
}

// read starts a tail, which ends with the test.
func (s *tailed) read(o stream.TailOptions) *reader {
	s.t.Helper()
	if o.Creds == "" {
		o.Creds, _ = s.creds()
	}
	o.URL = s.broker.URL()
	ctx, cancel := context.WithCancel(s.t.Context())
	r := &reader{t: s.t, got: make(chan string, 1000), done: make(chan error, 1), stop: cancel}
	go func() {
		r.done <- stream.Tail(ctx, o, func(m stream.Message) error {
			r.got <- strings.TrimPrefix(m.Subject, "smartsheet.acme.") + " " + string(m.Data)
			return nil
		})
	}()
	s.t.Cleanup(cancel)
	return r
}

// want waits for these events and no others before them.
func (r *reader) want(texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		select {
		case got := <-r.got:
			if got != text {
				r.t.Fatalf("got %q, want %q", got, text)
			}
		case err := <-r.done:
			r.t.Fatalf("tail ended with %v, want %q", err, text)
		case <-r.t.Context().Done():
			r.t.Fatalf("got nothing, want %q", text)
		}
	}
}

func (r *reader) end() error {
	r.t.Helper()
	r.stop()
	return <-r.done
}

func TestTailBegins(t *testing.T) {
	s := newTailed(t)
	s.publish("orders.row.1", "a")
	s.publish("orders.row.2", "b")
	s.publish("orders.row.1", "c")
	s.publish("plan.row.1", "d")
	for name, test := range map[string]struct {
		options stream.TailOptions
		want    []string
	}{
		"default":         {stream.TailOptions{}, []string{"orders.row.2 b", "orders.row.1 c", "plan.row.1 d"}},
		"last":            {stream.TailOptions{From: stream.FromLastPerSubject}, []string{"orders.row.2 b", "orders.row.1 c", "plan.row.1 d"}},
		"all":             {stream.TailOptions{From: stream.FromAll}, []string{"orders.row.1 a", "orders.row.2 b", "orders.row.1 c", "plan.row.1 d"}},
		"filter":          {stream.TailOptions{From: stream.FromAll, Subject: "orders.row.1"}, []string{"orders.row.1 a", "orders.row.1 c"}},
		"complete filter": {stream.TailOptions{From: stream.FromAll, Subject: "smartsheet.acme.*.row.1"}, []string{"orders.row.1 a", "orders.row.1 c", "plan.row.1 d"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.read(test.options)
			r.want(test.want...)
			if err := r.end(); err != nil {
				t.Errorf("got %v at the end of the context, want nil", err)
			}
			if len(r.got) > 0 {
				t.Errorf("got %q besides", <-r.got)
			}
		})
	}
}

// What is published while the server, the reader's connection or both are gone
// comes later, once and in order.
func TestTailGoesOn(t *testing.T) {
	for _, from := range []string{stream.FromLastPerSubject, stream.FromAll, stream.FromNew} {
		t.Run(from, func(t *testing.T) {
			s := newTailed(t)
			s.publish("orders.row.0", "first")
			r := s.read(stream.TailOptions{From: from})
			if from == stream.FromNew {
				s.published(r)
			} else {
				r.want("orders.row.0 first")
			}
			for n := range eventstest.Times(1, 3) {
				s.publish("orders.row.1", fmt.Sprint("live ", n))
				r.want(fmt.Sprint("orders.row.1 live ", n))
				s.stop()
				s.start()
				s.publish("orders.row.1", fmt.Sprint("early ", n)) // most likely before the reader is back
				s.publish("orders.row.1", fmt.Sprint("late ", n))
				r.want(fmt.Sprint("orders.row.1 early ", n), fmt.Sprint("orders.row.1 late ", n))
			}
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// published publishes until the reader, who begins with what is new, has begun.
func (s *tailed) published(r *reader) {
	s.t.Helper()
	for {
		s.publish("orders.row.9", "are you there")
		select {
		case <-r.got:
			for { // those that came meanwhile
				s.publish("orders.row.9", "now")
				for got := range r.got {
					if got == "orders.row.9 now" {
						return
					}
				}
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A server that is stopped while a reader reads does not keep the reader.
func TestTailEndsWithoutServer(t *testing.T) {
	s := newTailed(t)
	s.publish("orders.row.1", "a")
	r := s.read(stream.TailOptions{})
	r.want("orders.row.1 a")
	s.stop()
	if err := r.end(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestTailOfRecreatedStream(t *testing.T) {
	s := newTailed(t)
	for n := range 5 {
		s.publish("orders.row.1", fmt.Sprint(n))
	}
	r := s.read(stream.TailOptions{})
	r.want("orders.row.1 4")
	if err := s.js.DeleteStream(t.Context(), stream.Name); err != nil {
		t.Fatal(err)
	}
	s.openStream()
	s.publish("orders.row.1", "new 0")
	s.publish("orders.row.1", "new 1")
	r.want("orders.row.1 new 0", "orders.row.1 new 1")
}

func TestTailRefused(t *testing.T) {
	s := newTailed(t)
	s.publish("orders.row.1", "a")
	creds, user := s.creds()
	r := s.read(stream.TailOptions{Creds: creds})
	r.want("orders.row.1 a")
	s.account.Revocations = map[string]bool{user: true}
	if err := s.broker.PutAccount(t.Context(), "acme", s.account); err != nil {
		t.Fatal(err)
	}
	if err := <-r.done; !errors.Is(err, stream.ErrRefused) {
		t.Errorf("revoked: got %v, want %v", err, stream.ErrRefused)
	}
	if err := <-s.read(stream.TailOptions{Creds: creds}).done; !errors.Is(err, stream.ErrRefused) {
		t.Errorf("again: got %v, want %v", err, stream.ErrRefused)
	}
}

func TestTailErrors(t *testing.T) {
	s := newTailed(t)
	other := newTailed(t)
	creds, _ := s.creds()
	foreign, _ := other.creds()
	url := other.broker.URL()
	other.stop()
	stop := errors.New("enough")
	s.publish("orders.row.1", "a")
	for name, test := range map[string]struct {
		options stream.TailOptions
		want    string
	}{
		"no credentials":       {stream.TailOptions{URL: s.broker.URL(), Creds: "no secret of mine"}, "want the text of a NATS .creds file"},
		"foreign credentials":  {stream.TailOptions{URL: s.broker.URL(), Creds: foreign}, stream.ErrRefused.Error()},
		"nobody there":         {stream.TailOptions{URL: url, Creds: creds}, "connecting to " + url + ": nobody answers there"},
		"nowhere to begin":     {stream.TailOptions{URL: s.broker.URL(), Creds: creds, From: "yesterday"}, `"yesterday"`},
		"the function refuses": {stream.TailOptions{URL: s.broker.URL(), Creds: creds}, "enough"},
	} {
		t.Run(name, func(t *testing.T) {
			err := stream.Tail(t.Context(), test.options, func(stream.Message) error { return stop })
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret of mine") {
				t.Errorf("the error quotes the credentials: %v", err)
			}
		})
	}
}

func TestTailUntilContextEnds(t *testing.T) {
	s := newTailed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	creds, _ := s.creds()
	err := stream.Tail(ctx, stream.TailOptions{URL: s.broker.URL(), Creds: creds}, func(stream.Message) error { return nil })
	if diff := cmp.Diff(nil, err); diff != "" {
		t.Error(diff)
	}
}
