package stream_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events"
)

// TestOvertakenWriterIsNotHeard: what a writer that stood still has to say is
// not in the stream, and does not pass by who subscribes without one either.
func TestOvertakenWriterIsNotHeard(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int64{"an event": 1, "a batch": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTailed(t)
			st, err := events.OpenStream(t.Context(), s.nc, "acme", events.StreamOptions{})
			must(t, err)
			old, now := testShare("orders"), testShare("orders")
			now.Revision = 2
			begin(t, st, old)
			state, err := st.State(t.Context(), old)
			must(t, err)
			still, other := st.NewWriter(old, state.Lock), st.NewWriter(now, state.Lock)
			live := s.subscribe("smartsheet.acme.>")

			must(t, errors.Join(other.PublishSchema(t.Context(), time.Now(), true), other.Flush(t.Context())))
			live.want("smartsheet.acme.orders.schema")
			for row := range n {
				must(t, still.Add(t.Context(), rowEvent(t, old, row+1)))
			}
			if err := still.Flush(t.Context()); !errors.Is(err, events.ErrLostRace) {
				t.Errorf("got %v, want %v", err, events.ErrLostRace)
			}
			must(t, errors.Join(other.PublishStatus(t.Context(), time.Now(), events.StatusData{}), other.Flush(t.Context())))
			live.want("smartsheet.acme.orders.status") // over the same connection: in its order
		})
	}
}

// TestMoreEventsThanABatch adds at once what no batch can hold.
func TestMoreEventsThanABatch(t *testing.T) {
	t.Parallel()
	s, sh := newStream(t, "acme"), testShare("orders")
	w := s.NewWriter(sh, 0)
	var batches []int
	w.After = func(b events.Batch) {
		must(t, b.Err)
		batches = append(batches, b.Types[events.SchemaChanged]+b.Types[events.RowCreated])
	}
	must(t, w.PublishSchema(t.Context(), time.Now(), false))
	var all []events.Event
	for row := range int64(2*events.MaxBatch + 200) {
		all = append(all, rowEvent(t, sh, row+1))
	}
	must(t, w.Add(t.Context(), all...))
	must(t, w.Flush(t.Context()))
	if want := []int{1, events.MaxBatch, events.MaxBatch, 200}; !slices.Equal(batches, want) {
		t.Errorf("got batches of %d, want %d", batches, want)
	}
	row := 0
	must(t, s.All(t.Context(), func(_ uint64, subject string, _ []byte) error {
		if subject != sh.SubjectSchema() {
			row++
			if !strings.HasSuffix(subject, ".row."+strconv.Itoa(row)) {
				t.Errorf("got %s, want row %d", subject, row)
			}
		}
		return nil
	}))
	if row != len(all) || w.Published != len(all)+1 {
		t.Errorf("%d rows are stored and %d events counted, want %d and one more", row, w.Published, len(all))
	}
}

// TestAnothersStream is left alone, also by credentials that may not ask whose
// it is.
func TestAnothersStream(t *testing.T) {
	t.Parallel()
	s := newTailed(t)
	must(t, s.js.DeleteStream(t.Context(), events.StreamName))
	_, err := s.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.StreamName, Subjects: []string{"theirs.>"}})
	must(t, err)
	blind := s.connect(func(c *jwt.UserClaims) { c.Pub.Deny.Add("$JS.API.STREAM.INFO.>") })
	for name, nc := range map[string]*nats.Conn{"seen": s.nc, "not to be asked about": blind} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := events.OpenStream(t.Context(), nc, "acme", events.StreamOptions{})
			if taken := errors.Is(err, events.ErrTaken); err == nil || taken != (name == "seen") {
				t.Errorf("got %v", err)
			}
			stream, err := s.js.Stream(t.Context(), events.StreamName)
			must(t, err)
			if got := stream.CachedInfo().Config.Subjects; !slices.Equal(got, []string{"theirs.>"}) {
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

// connect connects to the partner's account as somebody with these permissions.
func (s *tailed) connect(permit func(*jwt.UserClaims)) *nats.Conn {
	s.t.Helper()
	signer, err := nkeys.FromSeed([]byte(s.account.Seed))
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
	nc, err := nats.Connect(s.broker.URL(), nats.UserJWTAndSeed(token, string(seed)))
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
