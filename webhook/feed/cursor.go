package feed

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events/stream"
)

// ErrCursor says that a cursor is none of ours.
var ErrCursor = errors.New("the cursor is none that an event had: leave Last-Event-ID out to begin now")

// maxCursor bounds a cursor: some thousand partners.
const maxCursor = 256 << 10

// place is how far a follower has come: since when it follows, and the last sequence
// of each partner of whom it was told something. It is written as
// "<milliseconds>;acme=12;globex=7".
type place struct {
	since time.Time
	last  map[string]uint64 // by partner
}

// CheckCursor returns ErrCursor for a text that is no cursor.
func CheckCursor(text string) error {
	_, err := parseCursor(text)
	return err
}

func parseCursor(text string) (*place, error) {
	p := &place{since: time.Now(), last: map[string]uint64{}}
	if text == "" {
		return p, nil
	}
	if len(text) > maxCursor {
		return nil, ErrCursor
	}
	first, rest, _ := strings.Cut(text, ";")
	at, err := strconv.ParseInt(first, 10, 64)
	if err != nil || at < 0 {
		return nil, ErrCursor
	}
	p.since = time.UnixMilli(at)
	for entry := range strings.SplitSeq(rest, ";") {
		if entry == "" {
			continue
		}
		name, number, _ := strings.Cut(entry, "=")
		sequence, err := strconv.ParseUint(number, 10, 64)
		if err != nil || name == "" {
			return nil, ErrCursor
		}
		p.last[name] = sequence
	}
	return p, nil
}

// clone returns a place that has no memory in common with p.
func (p *place) clone() *place { return &place{since: p.since, last: maps.Clone(p.last)} }

// of is where to begin in a partner's stream.
func (p *place) of(partner string) stream.Position {
	if last, ok := p.last[partner]; ok {
		return stream.Position{Sequence: last + 1}
	}
	return stream.Position{Time: p.since.Add(-overlap)}
}

// took moves the place behind an item, and gives the item its cursor.
func (p *place) took(item *Item) {
	if item.Sequence > 0 {
		p.last[item.Partner] = item.Sequence
	}
	var b strings.Builder
	b.WriteString(strconv.FormatInt(p.since.UnixMilli(), 10))
	for _, name := range slices.Sorted(maps.Keys(p.last)) {
		b.WriteString(";" + name + "=" + strconv.FormatUint(p.last[name], 10))
	}
	item.Cursor = b.String()
}
