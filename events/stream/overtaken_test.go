package stream_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// TestOvertakenWriterIsNotHeard: what a writer that stood still has to say is
// not in the stream, and does not pass by who subscribes without one either.
func TestOvertakenWriterIsNotHeard(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int64{"an event": 1, "a batch": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTailed(t)
			st, err := stream.Open(t.Context(), s.nc, "acme", stream.Options{})
			must(t, err)
			old, now := testShare("orders"), testShare("orders")
			now.Revision = 2
			still := begin(t, st, old)
			other := st.NewWriter(now, still.Lock())
			live := s.subscribe("smartsheet.acme.>")

			must(t, other.Begin(t.Context(), time.Now(), schema(now), events.StatusData{}))
			live.want("smartsheet.acme.orders.schema")
			live.want("smartsheet.acme.orders.status")
			for row := range n {
				must(t, still.Add(rowEvent(t, old, row+1)))
			}
			still.Stand(time.Minute)
			if _, err := still.Flush(t.Context(), time.Now(), events.StatusData{}); !errors.Is(err, stream.ErrLostRace) {
				t.Errorf("got %v, want %v", err, stream.ErrLostRace)
			}
			must(t, other.Acquire(t.Context(), time.Now(), events.StatusData{}))
			live.want("smartsheet.acme.orders.status") // over the same connection: in its order
		})
	}
}

// TestMoreEventsThanABatch adds at once what no batch can hold.
func TestMoreEventsThanABatch(t *testing.T) {
	t.Parallel()
	s, sh := newStream(t, "acme"), testShare("orders")
	w := begin(t, s, sh)
	full := eventstest.Times(1, 2) // batches
	rows := full*stream.MaxBatch + 200
	for row := range int64(rows) {
		must(t, w.Add(rowEvent(t, sh, row+1)))
	}
	stored, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
	must(t, err)
	if diff := cmp.Diff(stream.Published{events.RowCreated: rows}, stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	want := slices.Concat([]int{2}, slices.Repeat([]int{stream.MaxBatch}, full), []int{201})
	if got := batches(t, s); !slices.Equal(got, want) {
		t.Errorf("got batches of %d", got)
	}
	row := 0
	must(t, s.All(t.Context(), func(_ uint64, subject string, _ []byte) error {
		if _, _, ok := events.ParseSubject(subject); ok {
			row++
			if !strings.HasSuffix(subject, ".row."+strconv.Itoa(row)) {
				t.Errorf("got %s, want row %d", subject, row)
			}
		}
		return nil
	}))
	if row != rows {
		t.Errorf("%d rows are stored, want %d", row, rows)
	}
}

// TestAnothersStream is left alone, also by credentials that may not ask whose
// it is.
func TestAnothersStream(t *testing.T) {
	t.Parallel()
	s := newTailed(t)
	must(t, s.js.DeleteStream(t.Context(), stream.Name))
	eventstest.AfterDeletion(t, func() error {
		_, err := s.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Name, Subjects: []string{"theirs.>"}})
		return err
	})
	blind := s.connect(func(c *jwt.UserClaims) { c.Pub.Deny.Add("$JS.API.STREAM.INFO.>") })
	for name, nc := range map[string]*nats.Conn{"seen": s.nc, "not to be asked about": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := stream.Open(t.Context(), nc, "acme", stream.Options{})
			if taken := errors.Is(err, stream.ErrTaken); err == nil || taken != (name == "seen") {
				t.Errorf("got %v", err)
			}
			theirs, err := s.js.Stream(t.Context(), stream.Name)
			must(t, err)
			if got := theirs.CachedInfo().Config.Subjects; !slices.Equal(got, []string{"theirs.>"}) {
				t.Errorf("another's stream has now the subjects %q", got)
			}
		})
	}
}

func rowEvent(t testing.TB, sh *events.Share, row int64) events.Event {
	t.Helper()
	e, err := sh.ObjectEvent(events.KindRow, row, "created", time.Now(), events.ObjectData{After: object(1)})
	must(t, err)
	return e
}

// connect connects to the account of the partner's stream as somebody with these permissions.
func (s *tailed) connect(permit func(*jwt.UserClaims)) *nats.Conn {
	s.t.Helper()
	return s.connectTo(s.broker.URL(), permit)
}

func (s *tailed) connectTo(url string, permit func(*jwt.UserClaims)) *nats.Conn {
	s.t.Helper()
	signer, err := nkeys.FromSeed([]byte(s.account.StorageSeed))
	must(s.t, err)
	user, err := nkeys.CreateUser()
	must(s.t, err)
	public, err := user.PublicKey()
	must(s.t, err)
	seed, err := user.Seed()
	must(s.t, err)
	claims := jwt.NewUserClaims(public)
	permit(claims)
	token, err := claims.Encode(signer)
	must(s.t, err)
	nc, err := nats.Connect(url, nats.UserJWTAndSeed(token, string(seed)))
	must(s.t, err)
	s.t.Cleanup(nc.Close)
	return nc
}

// subscription is a partner's that asks no stream.
type subscription struct {
	t *testing.T
	*nats.Subscription
}

func (s *tailed) subscribe(subject string) subscription {
	s.t.Helper()
	creds, _ := s.creds()
	nc, err := nats.Connect(s.broker.URL(), nats.UserCredentialBytes([]byte(creds)))
	must(s.t, err)
	s.t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync(subject)
	must(s.t, errors.Join(err, nc.Flush()))
	return subscription{s.t, sub}
}

// want waits for a message on the subject and no other before it.
func (s subscription) want(subject string) {
	s.t.Helper()
	m, err := s.NextMsgWithContext(s.t.Context())
	must(s.t, err)
	if m.Subject != subject {
		s.t.Errorf("got %s: %.200s, want %s", m.Subject, m.Data, subject)
	}
}

// batches are the sizes of the atomic batches in the stream, one after another; 1
// is a message by itself.
func batches(t testing.TB, s *stream.Stream) []int {
	t.Helper()
	js, err := jetstream.New(s.Conn(), jetstream.WithDefaultTimeout(eventstest.Patience))
	must(t, err)
	last, err := s.LastSequence(t.Context())
	must(t, err)
	all, err := js.OrderedConsumer(t.Context(), stream.Name, jetstream.OrderedConsumerConfig{})
	must(t, err)
	messages, err := all.Messages()
	must(t, err)
	defer messages.Stop()
	var sizes []int
	for before, sequence := "", uint64(0); sequence < last; {
		m, err := messages.Next(jetstream.NextContext(t.Context()))
		must(t, err)
		if id := m.Headers().Get("Nats-Batch-Id"); id == "" || id != before {
			sizes, before = append(sizes, 0), id
		}
		sizes[len(sizes)-1]++
		meta, err := m.Metadata()
		must(t, err)
		sequence = meta.Sequence.Stream
	}
	return sizes
}
