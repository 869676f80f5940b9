package partner

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// storeDelivered and storeSeen are how often it is stored how far a partner has
	// read, and that it still waits for something to read.
	storeDelivered, storeSeen = 30 * time.Second, 5 * time.Minute
	// presentTime is how long after a direct get credentials are taken to read still.
	presentTime = 30 * time.Second
	// readerKept and maxReaders bound what is remembered of readers that are gone.
	readerKept = 90 * 24 * time.Hour
	maxReaders = 300
)

// Reading is how far a partner has read.
type Reading struct {
	At           time.Time // when its stream was asked
	LastSequence uint64    // of the last message of the stream; 0: there is none, or the stream did not answer
	LastTime     time.Time // when that was stored
	Delivered    uint64    // sequence up to which any reader was given the stream; 0: none was
	DeliveredAt  time.Time
	SeenAt       time.Time // when it last read, or waited for something to read; zero: never
	UnreadSince  time.Time // since when something that it was not given waits for it; zero: nothing does, or it reads
	NotReading   bool      // it has read nothing for as long as it may, and there was something
	Readers      []Reader  // the latest first
}

// Reader is one of a partner's readers as it stands.
type Reader struct {
	registry.Reader
	Present bool    // it is there: the durable consumer exists, or the credentials read at this moment
	Pending *uint64 // messages that it has still to get; nil: not known
}

// Reading asks how far a partner has read and remembers it. Usage is what its stream
// was just found to be.
func (p *Partners) Reading(ctx context.Context, partner *registry.Partner, st *stream.Stream, usage *stream.Usage) (*Reading, error) {
	found := sighting{at: now(), partner: partner, usage: usage}
	if partner.Account != nil && p.Broker != nil {
		found.users = p.Broker.Readers(broker.Account{PublicKey: partner.Account.PublicKey, StorageKey: partner.Account.StorageKey})
	}
	known := p.Registry.Reading(partner.Name)
	if known == nil {
		known = &registry.Reading{Begun: found.at}
	}
	r := &Reading{At: found.at, LastSequence: usage.LastSequence, LastTime: usage.LastTime, Readers: found.merge(known.Readers)}
	r.sum()
	if r.LastSequence > r.Delivered && found.at.Sub(r.SeenAt) >= time.Minute {
		unread, err := st.UnreadSince(ctx, usage, r.Delivered)
		if err != nil {
			return nil, err
		}
		idleFrom := slices.MaxFunc([]time.Time{unread, r.SeenAt, known.Begun, partner.CreatedAt}, time.Time.Compare)
		r.UnreadSince = unread.UTC()
		r.NotReading = p.NotReadingAfter > 0 && !unread.IsZero() && found.at.Sub(idleFrom) > p.NotReadingAfter
	}
	if !worthStoring(known, r) {
		return r, nil
	}
	return r, p.Registry.UpdateReading(ctx, partner.Name, func(stored *registry.Reading) {
		if stored.Begun.IsZero() {
			stored.Begun = found.at
		}
		stored.At, stored.Readers = found.at, records(found.merge(stored.Readers))
	})
}

// Warning says what is wrong with how a partner reads, empty for nothing.
func (r *Reading) Warning() string {
	switch {
	case r == nil || !r.NotReading:
		return ""
	case r.SeenAt.IsZero():
		return "it has never read anything, and something waits for it since " + r.UnreadSince.Format(time.RFC3339)
	}
	return "it has read nothing since " + r.SeenAt.Format(time.RFC3339) + ", and something waits for it since " + r.UnreadSince.Format(time.RFC3339)
}

// RememberedReading is how far a partner has read as far as that is remembered, for
// when its stream does not answer.
func (p *Partners) RememberedReading(partner *registry.Partner) *Reading {
	known := p.Registry.Reading(partner.Name)
	if known == nil {
		return &Reading{}
	}
	r := &Reading{At: known.At}
	for _, reader := range known.Readers {
		r.Readers = append(r.Readers, Reader{Reader: reader})
	}
	r.sum()
	return r
}

// sum says of all readers how far they are together.
func (r *Reading) sum() {
	for _, reader := range r.Readers {
		if reader.Delivered > r.Delivered {
			r.Delivered, r.DeliveredAt = reader.Delivered, reader.DeliveredAt
		}
		r.SeenAt = later(r.SeenAt, reader.SeenAt)
	}
}

func later(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}

// sighting is what was found of a partner's readers at one time.
type sighting struct {
	at      time.Time
	partner *registry.Partner
	usage   *stream.Usage
	users   broker.Readers
}

// merge adds what was found to what was remembered.
func (l *sighting) merge(known []registry.Reader) []Reader {
	var list []*Reader
	for _, r := range known {
		if !r.SeenAt.IsZero() && r.SeenAt.Before(l.partner.CreatedAt) {
			continue // of another partner, which had the name before
		}
		if r.Delivered > l.usage.LastSequence { // the stream was made again
			r.Delivered, r.DeliveredAt = 0, time.Time{}
		}
		list = append(list, &Reader{Reader: r})
	}
	find := func(credentials, consumer string) *Reader {
		i := slices.IndexFunc(list, func(r *Reader) bool {
			return r.Consumer == consumer && (consumer != "" || r.Credentials == credentials)
		})
		if i < 0 {
			list, i = append(list, &Reader{Reader: registry.Reader{Credentials: credentials, Consumer: consumer}}), len(list)
		}
		return list[i]
	}
	for _, c := range l.usage.Consumers {
		maker := l.users.Makers[c.Name]
		credentials := l.credentials(maker.User)
		if !c.Durable {
			find(credentials, "").reads(l.at, c)
			continue
		}
		r := find(credentials, c.Name)
		if credentials != "" && (maker.Certain || r.Credentials == "") {
			r.Credentials = credentials
		}
		r.reads(l.at, c)
	}
	for user, at := range l.users.Seen {
		if credentials := l.credentials(user); credentials != "" {
			r := find(credentials, "")
			r.SeenAt, r.Present = later(r.SeenAt, at.UTC()), r.Present || l.at.Sub(at) < presentTime
		}
	}
	if l.users.Copies {
		r := find(l.leaf(), "")
		r.SeenAt, r.Present = l.at, true
	}
	return l.latest(list)
}

// reads takes over how far a consumer of the reader's is.
func (r *Reader) reads(at time.Time, c stream.Consumer) {
	if !c.DeliveredAt.IsZero() && (c.Durable || c.Delivered >= r.Delivered) {
		r.Delivered, r.DeliveredAt = c.Delivered, c.DeliveredAt
	}
	r.SeenAt = later(r.SeenAt, c.DeliveredAt)
	if c.Asking {
		r.SeenAt = at
	}
	if r.Pending == nil || *r.Pending < c.Pending {
		r.Pending = &c.Pending
	}
	r.Present = true
}

// latest returns the readers, the latest first, without those that are gone for long.
func (l *sighting) latest(list []*Reader) []Reader {
	var kept []Reader
	for _, r := range list {
		if r.Present || l.at.Sub(r.SeenAt) < readerKept {
			kept = append(kept, *r)
		}
	}
	slices.SortStableFunc(kept, func(x, y Reader) int {
		return cmp.Or(y.SeenAt.Compare(x.SeenAt), cmp.Compare(x.Credentials, y.Credentials), cmp.Compare(x.Consumer, y.Consumer))
	})
	return kept[:min(len(kept), maxReaders)]
}

// credentials is the name of those that have the user, empty for none.
func (l *sighting) credentials(user string) string {
	for _, c := range l.partner.Credentials {
		if user != "" && c.PublicKey == user {
			return c.Name
		}
	}
	return ""
}

// leaf is the name of the credentials for the partner's own servers, empty where there
// are several.
func (l *sighting) leaf() (name string) {
	for _, c := range l.partner.Credentials {
		switch {
		case !c.Leaf:
		case name != "":
			return ""
		default:
			name = c.Name
		}
	}
	return name
}

func records(list []Reader) []registry.Reader {
	stored := make([]registry.Reader, len(list))
	for i, r := range list {
		stored[i] = r.Reader
	}
	return stored
}

// worthStoring tells whether what is known now is to be stored: at once where there is
// another reader, else not every time.
func worthStoring(known *registry.Reading, r *Reading) bool {
	if known.At.IsZero() {
		return true
	}
	age := r.At.Sub(known.At)
	for _, reader := range r.Readers {
		i := slices.IndexFunc(known.Readers, func(k registry.Reader) bool {
			return k.Consumer == reader.Consumer && k.Credentials == reader.Credentials
		})
		if i < 0 || known.Readers[i].Delivered == 0 && reader.Delivered > 0 {
			return true
		}
		was := known.Readers[i]
		if was.Delivered != reader.Delivered && age >= storeDelivered || reader.SeenAt.After(was.SeenAt) && age >= storeSeen {
			return true
		}
	}
	return false
}
