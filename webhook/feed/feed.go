// Package feed follows what is published to all partners, for admins who watch it
// while it happens. It reads the partners' streams and nothing else: what
// publishes knows of no follower, and waits for none.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// maxBehind is how many messages of one partner a follower may have to get. One
	// that begins further back begins later and is told so; one that falls back so
	// far is cut.
	maxBehind = 10_000
	// retryTime is how long a stream that cannot be read is left alone.
	retryTime = 5 * time.Second
	// overlap is by how much a follower that goes on by time begins earlier: clocks
	// of servers differ. What comes twice has the same id.
	overlap = 2 * time.Second
)

// ErrSlow says that a follower is too far behind to be worth following for.
var ErrSlow = errors.New("the follower is too slow")

// Filter says what of the partners' streams is followed. Empty is all.
type Filter struct {
	Partner, Sheet string
	Kinds          []string
	Limit          int // of each partner's, how many of those messages that are there already; 0: maxBehind
}

// behind is how many messages that are there already a follower gets of a partner.
func (f Filter) behind() uint64 {
	if f.Limit > 0 {
		return min(uint64(f.Limit), maxBehind)
	}
	return maxBehind
}

// subject is the NATS subject that covers what the filter wants of a partner.
func (f Filter) subject(partner string) string {
	sheet := f.Sheet
	if sheet == "" {
		sheet = "*"
	}
	all := "smartsheet." + partner + "." + sheet
	if len(f.Kinds) != 1 {
		return all + ".>"
	}
	if kind := f.Kinds[0]; kind != "schema" && kind != "status" {
		return all + "." + kind + ".*"
	}
	return all + "." + f.Kinds[0]
}

// wants tells whether the filter covers a kind.
func (f Filter) wants(kind string) bool { return len(f.Kinds) == 0 || slices.Contains(f.Kinds, kind) }

// Item is one thing that a follower is told.
type Item struct {
	Partner    string
	Sheet      string
	Kind       string
	Sequence   uint64
	Event      json.RawMessage // a CloudEvent; nil: the item is Missed or Unreadable
	Missed     uint64          // messages that are left out: the follower begins too far back
	Unreadable error           // the partner's stream cannot be read now
	Cursor     string          // to go on behind it
}

// Streams finds the stream of a partner.
type Streams interface {
	Stream(ctx context.Context, p *registry.Partner) (*stream.Stream, error)
}

// Feed follows the streams of all partners.
type Feed struct {
	Registry *registry.Registry
	Streams  Streams
}

// Follow calls the function with what is published from the cursor on, empty for
// from now on, until ctx ends or the function fails. Of each partner the order is
// its stream's. A partner that is added is followed too.
func (f *Feed) Follow(ctx context.Context, filter Filter, cursor string, take func(Item) error) error {
	place, err := parseCursor(cursor)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	from := place.clone()    // what is taken moves the place on, while partners are added
	items := make(chan Item) // without room: a follower reads on when what it has read is taken
	g.Go(func() error { return f.followAll(ctx, filter, from, items) })
	g.Go(func() error {
		for {
			select {
			case item := <-items:
				place.took(&item)
				if err := take(item); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return g.Wait()
}

// followAll follows each partner, also those that are added in the meantime.
func (f *Feed) followAll(ctx context.Context, filter Filter, from *place, items chan<- Item) error {
	g, ctx := errgroup.WithContext(ctx)
	following := map[string]time.Time{} // by name, since when there is such a partner
	for {
		changed := f.Registry.Changed()
		for _, p := range f.Registry.Partners() {
			since, known := following[p.Name]
			if filter.Partner != "" && p.Name != filter.Partner || known && since.Equal(p.CreatedAt) {
				continue
			}
			following[p.Name] = p.CreatedAt
			one := &follower{feed: f, filter: filter, partner: p, position: from.of(p.Name), items: items}
			g.Go(func() error { return one.run(ctx) })
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return g.Wait()
		}
	}
}

// follower follows one partner.
type follower struct {
	feed     *Feed
	filter   Filter
	partner  *registry.Partner
	position stream.Position
	items    chan<- Item
	begun    bool // the stream was read once
}

// run follows until ctx ends, the follower is too slow, or the partner is gone.
func (o *follower) run(ctx context.Context) error {
	for {
		err := o.follow(ctx)
		now := o.feed.Registry.Partner(o.partner.Name)
		switch {
		case ctx.Err() != nil, errors.Is(err, ErrSlow):
			return err
		case errors.Is(err, errSkipped):
			continue
		case now == nil || !now.CreatedAt.Equal(o.partner.CreatedAt):
			return nil // another one of the name has a follower of its own
		case errors.Is(err, stream.ErrRestored):
			o.position = stream.Position{Time: time.Now()}
		}
		o.partner = now
		if err := o.send(ctx, Item{Partner: now.Name, Unreadable: err}); err != nil {
			return err
		}
		select {
		case <-time.After(retryTime):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follow reads the partner's stream from the position on.
func (o *follower) follow(ctx context.Context) error {
	st, err := o.feed.Streams.Stream(ctx, o.partner)
	if err != nil {
		return err
	}
	return st.Follow(ctx, o.filter.subject(o.partner.Name), o.position, func(m stream.Message, waiting uint64) error {
		o.position = stream.Position{Sequence: m.Sequence + 1}
		switch {
		case o.begun && waiting > maxBehind:
			return ErrSlow
		case !o.begun && waiting >= o.filter.behind():
			return o.skip(ctx, st, waiting+1)
		}
		o.begun = true
		sheet, kind := split(m.Subject)
		if !o.filter.wants(kind) {
			return nil
		}
		return o.send(ctx, Item{Partner: o.partner.Name, Sheet: sheet, Kind: kind, Sequence: m.Sequence, Event: m.Data})
	})
}

// errSkipped ends a reading that began too far back.
var errSkipped = errors.New("what is too old is left out")

// skip moves the position to the last messages that the follower gets of those that
// are there already, and says how many of them it leaves out.
func (o *follower) skip(ctx context.Context, st *stream.Stream, waiting uint64) error {
	last, err := st.LastSequence(ctx)
	if err != nil {
		return err
	}
	behind := o.filter.behind()
	next := max(o.position.Sequence, last+1-min(behind, last))
	o.position, o.begun = stream.Position{Sequence: next}, true
	if err := o.send(ctx, Item{Partner: o.partner.Name, Missed: waiting - min(behind, waiting), Sequence: next - 1}); err != nil {
		return err
	}
	return errSkipped
}

func (o *follower) send(ctx context.Context, item Item) error {
	select {
	case o.items <- item:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// split returns the sheet and the kind of a subject.
func split(subject string) (sheet, kind string) {
	tokens := strings.Split(subject, ".")
	if len(tokens) < 4 {
		return "", ""
	}
	return tokens[2], tokens[3]
}
