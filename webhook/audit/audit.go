// Package audit keeps who did what and when: every action of the admin API and
// every change of what a partner may see. The entries lie in a stream of the
// bridge's NATS account that takes no deletion. Each names the SHA-256 of the
// one before it and is signed with a key that follows from the master key, so
// that an entry which was changed, left out or slipped in is found. What was cut
// off at the end is found by those who remember the last hash: see [Report].
package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// Names in the bridge's account.
const (
	StreamName = "AUDIT"
	subject    = "audit.entry"
	header     = "Sheetbridge-Mac" // HMAC-SHA256 of the message, hex
)

const (
	requestTimeout = 5 * time.Second
	attempts       = 50 // against other replicas that write at the same moment
	maxDetails     = 256 << 10
	maxText        = 300
)

// ErrNotWritten says that an entry could not be stored: what it is about must not
// be done.
var ErrNotWritten = errors.New("the audit log cannot be written")

// Outcomes of what was tried.
const (
	Begun   = "begun"   // it is being done now; how it ended says another entry
	Done    = "done"    //
	Refused = "refused" // nothing was changed, or not all of it
	Changed = "changed" // what is stored was changed so

	// Previewed says that somebody is shown cells, as a partner sees them or would.
	Previewed = "previewed"
)

// Entry is one entry. It holds no secret.
type Entry struct {
	Sequence uint64          `json:"-"`                 // in the stream
	Hash     string          `json:"-"`                 // SHA-256 of the message, hex
	ID       string          `json:"id"`                // its own
	At       time.Time       `json:"at"`                // when it was written
	Who      string          `json:"who"`               // name of the admin token; bridge: of itself; owner …: in the browser
	What     string          `json:"what"`              // "POST /v1/owners", "share added"
	On       string          `json:"on"`                // what it is about
	Outcome  string          `json:"outcome"`           // begun, done, refused, changed, previewed
	Client   string          `json:"client,omitempty"`  // address that the request came from
	Request  string          `json:"request,omitempty"` // its id, as the answer and the log have it
	Details  json.RawMessage `json:"details,omitempty"`
	Previous string          `json:"previous"` // Hash of the entry before it
}

// first is what the first entry names as the one before it.
const first = "0000000000000000000000000000000000000000000000000000000000000000"

// Log is the audit log. It is safe for concurrent use, by many processes.
type Log struct {
	// OnAppend is called with every entry that was stored, so that its hash can be
	// kept out of reach of those who can change the stream; nil: not called. It is
	// set before the first entry.
	OnAppend func(Entry)

	js     jetstream.JetStream
	stream jetstream.Stream
	key    []byte

	appending chan struct{} // one place: the caller in it writes, and has the two below
	last      uint64        // sequence of the last entry as far as is known
	hash      string        // and its hash
}

// KeyPurpose is what the key that signs entries is derived from a master key for.
const KeyPurpose = "sheetbridge audit v1"

// Key is the key that signs entries, as it follows from a master key.
func Key(master seal.MasterKey) []byte { return master.Derive(KeyPurpose, 32) }

// Open opens the log, whose entries the key signs, over a connection into the bridge's account and makes it
// when there is none.
func Open(ctx context.Context, nc *nats.Conn, key []byte, replicas int) (*Log, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        StreamName,
		Description: "Sheetbridge: who did what",
		Subjects:    []string{subject},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		DenyDelete:  true,
		DenyPurge:   true,
		Replicas:    replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	return &Log{js: js, stream: stream, key: key, hash: first, appending: make(chan struct{}, 1)}, nil
}

type whoKey struct{}

// bridge is who does what nobody asked for.
const bridge = "bridge"

// As returns a context in which what is done is done by who.
func As(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, whoKey{}, who)
}

// Who is by whom something is done in the context.
func Who(ctx context.Context) string {
	if who, ok := ctx.Value(whoKey{}).(string); ok && who != "" {
		return who
	}
	return bridge
}

type viaKey struct{}

type via struct{ client, request string }

// Via returns a context in which what is done was asked for by a request with that
// id, from that address.
func Via(ctx context.Context, client, request string) context.Context {
	return context.WithValue(ctx, viaKey{}, via{client, request})
}

// Append stores an entry durably. Its error is ErrNotWritten. Details become JSON.
func (l *Log) Append(ctx context.Context, what, on, outcome string, details any) error {
	e := Entry{
		ID: uuid.NewString(), At: time.Now().UTC(), Who: clip(Who(ctx)), What: clip(what), On: clip(on), Outcome: outcome,
	}
	if v, ok := ctx.Value(viaKey{}).(via); ok {
		e.Client, e.Request = clip(v.client), clip(v.request)
	}
	if details != nil {
		text, err := json.Marshal(details)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotWritten, err)
		}
		if len(text) > maxDetails {
			sum := sha256.Sum256(text)
			text, err = json.Marshal(map[string]any{"tooLarge": len(text), "sha256": hex.EncodeToString(sum[:])})
			if err != nil {
				return fmt.Errorf("%w: %w", ErrNotWritten, err)
			}
		}
		e.Details = text
	}
	select {
	case l.appending <- struct{}{}:
		defer func() { <-l.appending }()
	case <-ctx.Done():
		return fmt.Errorf("%w: other entries are still being written: %w", ErrNotWritten, ctx.Err())
	}
	if err := l.append(ctx, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	if l.OnAppend != nil {
		l.OnAppend(e)
	}
	return nil
}

func clip(s string) string { return s[:min(len(s), maxText)] }

// append stores the entry after the last one, wherever that is by now.
func (l *Log) append(ctx context.Context, e *Entry) error {
	for range attempts {
		e.Previous = l.hash
		body, err := json.Marshal(e)
		if err != nil {
			return err
		}
		m := nats.NewMsg(subject)
		m.Data = body
		m.Header.Set(header, l.sign(body))
		bounded, cancel := context.WithTimeout(ctx, requestTimeout)
		ack, err := l.js.PublishMsg(bounded, m, jetstream.WithExpectLastSequence(l.last))
		cancel()
		if err == nil {
			l.last, l.hash = ack.Sequence, hashOf(body)
			e.Sequence, e.Hash = l.last, l.hash
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		// Whatever it was: what stands there decides.
		stored, loadErr := l.load(ctx)
		if loadErr != nil {
			return errors.Join(err, loadErr)
		}
		if stored != nil && stored.ID == e.ID {
			e.Sequence, e.Hash = stored.Sequence, stored.Hash
			return nil // and its answer was lost
		}
		if !stream.LostRace(err) {
			return err
		}
	}
	return errors.New("others write all the time")
}

// load looks for the last entry.
func (l *Log) load(ctx context.Context) (*Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := l.stream.Info(ctx)
	if err != nil {
		return nil, err
	}
	l.last, l.hash = info.State.LastSeq, first
	if l.last == 0 {
		return nil, nil
	}
	e, _, err := l.get(ctx, l.last)
	if err != nil {
		return nil, err
	}
	l.hash = e.Hash
	return e, nil
}

// get reads one entry as it is stored, and whether its signature is right.
func (l *Log) get(ctx context.Context, sequence uint64) (*Entry, bool, error) {
	m, err := l.stream.GetMsg(ctx, sequence)
	if err != nil {
		return nil, false, fmt.Errorf("reading entry %s of the audit log: %w", strconv.FormatUint(sequence, 10), err)
	}
	e, signed := l.entryOf(sequence, m.Data, m.Header)
	return e, signed, nil
}

// entryOf is the entry in a message, and whether its signature is right.
func (l *Log) entryOf(sequence uint64, body []byte, headers nats.Header) (*Entry, bool) {
	e := &Entry{}
	// What does not parse has a hash, and is found out by its signature.
	_ = json.Unmarshal(body, e)
	e.Sequence, e.Hash = sequence, hashOf(body)
	return e, hmac.Equal([]byte(headers.Get(header)), []byte(l.sign(body)))
}

func (l *Log) sign(body []byte) string {
	h := hmac.New(sha256.New, l.key)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
