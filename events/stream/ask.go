package stream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// maxTries is how often the server is asked where no answer of its own comes, and
// askPause how long to wait between two tries.
const (
	maxTries = 3
	askPause = time.Second
)

// AskOptions say what a partner asks to have written, and as whom.
type AskOptions struct {
	URL        string      // of the server: nats://host:port or tls://host:port
	Creds      seal.Secret // text of a .creds file
	Credential string      // the name of the credentials; empty: the one that is in them
	Sheet      string      // the partner's name for it
	ID         string      // of the request
	Request    []byte      // JSON, with that id

	Stored func() // called when the request is stored; nil: nobody is told
}

// Errors of Ask, besides ErrRefused.
var (
	// ErrMayNotWrite says that the server lets the credentials publish no writes, or
	// that nothing takes them.
	ErrMayNotWrite = errors.New("the server takes no writes under these credentials")
	// ErrWritesFull says that too many writes wait.
	ErrWritesFull = errors.New("too many writes wait: this one was not taken")
	// ErrNoAnswer says that the request is stored, and may be done or not.
	ErrNoAnswer = errors.New("the request is stored, and no answer has come")
)

var errNoReply = errors.New("the server does not answer")

// Ask is the partner's side of a write: it publishes the request and returns the
// answer. It needs nothing but what a stock NATS client has. Where no answer has come
// when ctx ends the error is ErrNoAnswer, and the same request may be asked again.
func Ask(ctx context.Context, o AskOptions) (Message, error) {
	name, err := credentialName(o.Creds)
	if err != nil {
		return Message{}, err
	}
	if o.Credential == "" {
		o.Credential = name
	}
	if !events.ValidName(o.Credential) {
		return Message{}, errors.New("reading credentials: they have no name under which writes can be published: say it")
	}
	denied := make(chan struct{}, 1)
	nc, err := connectAs(ctx, o.URL, o.Creds, "sheetbridge write", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			select {
			case denied <- struct{}{}:
			default:
			}
		}
	}))
	if err != nil {
		return Message{}, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return Message{}, fmt.Errorf("connecting to %s: %w", o.URL, err)
	}
	return (&asking{options: o, js: js, denied: denied}).run(ctx)
}

// asking is one request under way.
type asking struct {
	options AskOptions
	js      jetstream.JetStream
	denied  <-chan struct{} // told when the server does not let something be published
}

func (a *asking) run(ctx context.Context) (Message, error) {
	info, err := a.open(ctx)
	if err != nil {
		return Message{}, fmt.Errorf("opening stream %s: %w", Name, err)
	}
	prefix := strings.TrimSuffix(filterWithin(">", info.Config.Subjects), ">")
	tokens := strings.Split(prefix, ".")
	if len(tokens) != 3 {
		return Message{}, fmt.Errorf("opening stream %s: its subjects are not those of one partner", Name)
	}
	share := events.Share{Partner: tokens[1], Sheet: a.options.Sheet}
	sequence, err := a.store(ctx, events.WriteSubject(share.Partner, share.Sheet, a.options.Credential))
	if err != nil {
		return Message{}, fmt.Errorf("asking for a write to %s: %w", share.Sheet, err)
	}
	if a.options.Stored != nil {
		a.options.Stored()
	}
	m, err := a.wait(ctx, share.SubjectAnswer(a.options.ID), info.State.LastSeq+1, sequence)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return m, nil
}

// open returns how the stream of events stands. A server that is told at that moment
// what the partner may do closes its connections.
func (a *asking) open(ctx context.Context) (*jetstream.StreamInfo, error) {
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoReply)
		st, err := a.js.Stream(ctx, Name)
		cause := context.Cause(ctx)
		cancel()
		switch {
		case err == nil:
			return st.CachedInfo(), nil
		case !errors.Is(cause, errNoReply):
			return nil, err
		case try == maxTries:
			return nil, errNoReply
		}
	}
}

// store publishes the request, again where no acknowledgement comes: the server
// stores it once. It returns its sequence in the queue.
func (a *asking) store(ctx context.Context, subject string) (uint64, error) {
	id := rand.Text()
	for try := 1; ; try++ {
		sequence, err := a.publish(ctx, subject, id)
		var refused *jetstream.APIError
		switch {
		case err == nil:
			return sequence, nil
		case errors.As(err, &refused) && refused.Code >= 500: // no room by count or by bytes
			return 0, fmt.Errorf("%w (%s)", ErrWritesFull, refused.Description)
		case errors.Is(err, jetstream.ErrNoStreamResponse) && try == maxTries:
			return 0, ErrMayNotWrite
		case errors.Is(err, ErrMayNotWrite), errors.As(err, &refused), ctx.Err() != nil, try == maxTries:
			return 0, err
		}
		select { // the queue of a share that was just made comes a moment after it
		case <-ctx.Done():
			return 0, err
		case <-time.After(askPause):
		}
	}
}

// publish publishes once and waits for the acknowledgement.
func (a *asking) publish(ctx context.Context, subject, id string) (uint64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoReply)
	defer cancel()
	type result struct {
		ack *jetstream.PubAck
		err error
	}
	done := make(chan result, 1)
	go func() { // it ends with the context
		ack, err := a.js.Publish(ctx, subject, a.options.Request, jetstream.WithMsgID(id))
		done <- result{ack, err}
	}()
	select {
	case r := <-done:
		switch {
		case r.err == nil:
			return r.ack.Sequence, nil
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		}
		return 0, r.err
	case <-a.denied:
		return 0, ErrMayNotWrite
	}
}

// wait waits for the answer to the request with that sequence in the queue.
func (a *asking) wait(ctx context.Context, subject string, from, sequence uint64) (Message, error) {
	consumer, err := a.consumer(ctx, subject, from)
	if err != nil {
		return Message{}, err
	}
	messages, err := consumer.Messages(jetstream.PullHeartbeat(tailHeartbeat), jetstream.PullExpiry(3*tailHeartbeat))
	if err != nil {
		return Message{}, err
	}
	defer messages.Stop()
	request := requestOf(sequence)
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue // the consumer is made again when the server is there
		}
		if err != nil {
			return Message{}, err
		}
		if !strings.HasPrefix(m.Headers().Get(answerHeader), request) {
			continue // to another request with this id
		}
		meta, err := m.Metadata()
		if err != nil {
			return Message{}, err
		}
		return Message{meta.Sequence.Stream, m.Subject(), m.Data()}, nil
	}
}

// consumer reads a subject. It is made as soon as the server can make it.
func (a *asking) consumer(ctx context.Context, subject string, from uint64) (jetstream.Consumer, error) {
	for {
		making, cancel := context.WithTimeout(ctx, requestTimeout)
		c, err := a.js.OrderedConsumer(making, Name, jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{subject}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		})
		cancel()
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(tailPause):
		}
	}
}

// requestOf begins the identity of the write with that sequence in the queue.
func requestOf(sequence uint64) string { return strconv.FormatUint(sequence, 36) + "-" }

// identityOf names a message uniquely among all that the queue ever held.
func identityOf(sequence uint64, at time.Time) string {
	return requestOf(sequence) + strconv.FormatInt(at.UnixNano(), 36)
}

// credentialName is the name that stands in credentials.
func credentialName(creds seal.Secret) (string, error) {
	if err := checkCreds(creds); err != nil {
		return "", err
	}
	token, err := jwt.ParseDecoratedJWT([]byte(creds))
	if err != nil {
		return "", errNoCreds
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return "", errNoCreds
	}
	return claims.Name, nil
}
