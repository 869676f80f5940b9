package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Where a partner may begin to read.
const (
	FromLastPerSubject = "last-per-subject" // the sheets as they are, then what happens
	FromAll            = "all"              // the history kept, then what happens
	FromNew            = "new"              // what happens from now on
)

// Pauses and patience of a tail that has lost its server.
const (
	tailHeartbeat = 5 * time.Second
	tailPause     = 250 * time.Millisecond
	tailForget    = 5 * time.Minute // after which the server drops a consumer that nobody reads
)

// TailOptions says what a partner reads, and as whom.
type TailOptions struct {
	URL     string      // of the server: nats://host:port or tls://host:port
	Creds   seal.Secret // text of a .creds file
	From    string      // empty means FromLastPerSubject
	Subject string      // a NATS filter, with or without the leading smartsheet.<partner>.; empty: all

	// Connection is called when the connection is lost, with why, and with nil when it
	// is there again; nil: nobody is told.
	Connection func(lost error)
}

// Message is one message of a partner's stream.
type Message struct {
	Sequence uint64
	Subject  string
	Data     []byte // a CloudEvent as JSON
}

// ErrRefused says that the server does not take the credentials, or not any
// more.
var ErrRefused = errors.New("the server refuses the credentials: they are revoked, expired, not for this address, or another server's")

// Tail is the partner's side of the bridge: it calls the function with every
// message, in the order of the stream, until ctx ends (nil then), the function
// fails (its error then) or the credentials are refused (ErrRefused then). It
// needs nothing but what a stock NATS client has, and asks the stream for the
// partner's name.
//
// It begins with an error where the server cannot be reached. After that a
// connection or a server that is gone is waited for, and reading goes on after
// the last message that the function took: none is left out, none comes twice.
// A stream that was made again, or restored from an older copy, is read again from
// its beginning.
func Tail(ctx context.Context, o TailOptions, take func(Message) error) error {
	t := &tail{options: o, take: take, up: make(chan struct{}, 1), gone: make(chan struct{})}
	if err := t.check(); err != nil {
		return err
	}
	if err := t.connect(ctx); err != nil || t.nc == nil {
		return err
	}
	defer t.nc.Close()
	return t.run(ctx)
}

// tail is one reader at work.
type tail struct {
	options TailOptions
	take    func(Message) error
	nc      *nats.Conn
	js      jetstream.JetStream
	up      chan struct{} // told after each reconnection
	gone    chan struct{} // closed when the connection will not come back

	place place
	begun bool // the stream was opened once
}

func (t *tail) check() error {
	switch t.options.From {
	case "":
		t.options.From = FromLastPerSubject
	case FromLastPerSubject, FromAll, FromNew:
	default:
		return fmt.Errorf("reading events from %q: want %s, %s or %s", t.options.From, FromLastPerSubject, FromAll, FromNew)
	}
	return checkCreds(t.options.Creds)
}

// checkCreds refuses what is not the text of a .creds file.
func checkCreds(text seal.Secret) error {
	creds := []byte(text)
	if _, err := nkeys.ParseDecoratedJWT(creds); err != nil {
		return errNoCreds // the cause may quote what was given
	}
	key, err := nkeys.ParseDecoratedUserNKey(creds)
	if err != nil {
		return errNoCreds
	}
	key.Wipe()
	return nil
}

var errNoCreds = errors.New("reading credentials: want the text of a NATS .creds file, a user's JWT and its seed")

// connect connects. Where ctx ends before that there is no connection and no error.
func (t *tail) connect(ctx context.Context) error {
	nc, err := connectAs(ctx, t.options.URL, t.options.Creds, "sheetbridge tail",
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				t.connection(cmp.Or(err, nats.ErrConnectionClosed))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			t.connection(nil)
			select {
			case t.up <- struct{}{}:
			default:
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(t.gone) }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // what matters ends a session
	)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if t.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout)); err != nil {
		nc.Close()
		return fmt.Errorf("connecting to %s: %w", t.options.URL, err)
	}
	t.nc = nc
	return nil
}

// connectAs connects with a partner's credentials. A connection that is lost later is
// made again.
func connectAs(ctx context.Context, url string, creds seal.Secret, name string, more ...nats.Option) (*nats.Conn, error) {
	options := append([]nats.Option{
		nats.Name(name),
		nats.UserCredentialBytes([]byte(creds)),
		nats.Timeout(requestTimeout),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(func(tries int) time.Duration { return min(tailPause<<min(tries, 5), requestTimeout) }),
	}, more...)
	type result struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		nc, err := nats.Connect(url, options...)
		done <- result{nc, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", url, refusedOr(r.err))
		}
		return r.nc, nil
	case <-ctx.Done():
		go func() { // bounded by the time-out of connecting
			if r := <-done; r.nc != nil {
				r.nc.Close()
			}
		}()
		return nil, fmt.Errorf("connecting to %s: %w", url, ctx.Err())
	}
}

// connection tells that the connection is lost, or there again.
func (t *tail) connection(lost error) {
	if t.options.Connection != nil {
		t.options.Connection(lost)
	}
}

// refusedOr says ErrRefused for the ways in which a server says so.
func refusedOr(err error) error {
	for _, no := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(err, no) {
			return ErrRefused
		}
	}
	if errors.Is(err, nats.ErrNoServers) { // the client's word for it
		return errors.New("nobody answers there")
	}
	return err
}

// run reads session after session.
func (t *tail) run(ctx context.Context) error {
	for {
		err := t.session(ctx)
		var stop *stopError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &stop):
			return stop.err
		case t.nc.IsClosed():
			return fmt.Errorf("reading events: %w", refusedOr(t.nc.LastError()))
		case !t.begun: // not one answer yet: waiting would hide what is wrong
			return fmt.Errorf("opening stream %s: %w", Name, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tailPause):
		}
	}
}

// stopError ends a tail.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

// errReconnected ends a session: what the server had of it may be gone.
var errReconnected = errors.New("reconnected")

// errRestored ends a session: what stands in the stream is not what was read.
var errRestored = errors.New("the stream was restored from an older copy")

// session reads with one consumer until something is wrong with it.
func (t *tail) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-t.up:
			cancel(errReconnected)
		case <-t.gone:
			cancel(nats.ErrConnectionClosed)
		case <-ctx.Done():
		}
	}()
	consumer, err := t.consumer(ctx)
	if err != nil {
		return err
	}
	before := t.place.epochsSoFar()
	defer t.forget(ctx, consumer.CachedInfo().Name)
	messages, err := consumer.Messages(jetstream.PullHeartbeat(tailHeartbeat), jetstream.PullExpiry(3*tailHeartbeat))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for want := uint64(1); ; want++ {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != want {
			return fmt.Errorf("message %d of the consumer is missing", want)
		}
		if t.place.replaced(meta.Sequence.Stream, meta.Timestamp) || changesEpoch(before, m.Subject(), m.Data()) {
			t.place.startOver()
			return errRestored
		}
		if meta.Sequence.Stream < t.place.next {
			continue // the one that was taken last
		}
		if err := t.take(Message{meta.Sequence.Stream, m.Subject(), m.Data()}); err != nil {
			return &stopError{err}
		}
		t.place.took(meta.Sequence.Stream, meta.Timestamp, m.Subject(), m.Data())
	}
}

// consumer makes a consumer that goes on where the last one ended.
func (t *tail) consumer(ctx context.Context) (jetstream.Consumer, error) {
	stream, err := t.js.Stream(ctx, Name)
	if err != nil {
		return nil, err
	}
	info := stream.CachedInfo()
	if t.begun && (!info.Created.Equal(t.place.created) || t.place.next > info.State.LastSeq+1) {
		t.place.startOver() // another stream, or restored from an older copy: its sequences mean something else now
	}
	if t.place.next == 0 && t.options.From == FromNew {
		t.place.next = info.State.LastSeq + 1 // fixed now: a session that begins later must not leave anything out
	}
	config := jetstream.ConsumerConfig{
		Description:       "sheetbridge tail",
		FilterSubject:     filterWithin(t.options.Subject, info.Config.Subjects),
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: tailForget,
	}
	switch {
	case t.place.next > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, t.place.begin()
	case t.options.From == FromLastPerSubject:
		config.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
	default:
		config.DeliverPolicy = jetstream.DeliverAllPolicy
	}
	consumer, err := stream.CreateConsumer(ctx, config)
	if err != nil {
		return nil, err
	}
	if t.place.next == 0 && consumer.CachedInfo().NumPending == 0 {
		t.place.next = info.State.LastSeq + 1 // nothing to begin with: whatever comes is new
	}
	t.place.created, t.begun = info.Created, true
	return consumer, nil
}

// filterWithin completes a filter by what all subjects of the stream begin with.
func filterWithin(filter string, subjects []string) string {
	all := ">"
	if len(subjects) == 1 {
		all = subjects[0]
	}
	switch prefix := strings.TrimSuffix(all, ">"); {
	case filter == "":
		return all
	case strings.HasPrefix(filter, prefix):
		return filter
	default:
		return prefix + filter
	}
}

// forget removes a consumer from the server, which does so itself some time
// later if it cannot be told.
func (t *tail) forget(ctx context.Context, name string) {
	if !t.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = t.js.DeleteConsumer(ctx, Name, name)
}
