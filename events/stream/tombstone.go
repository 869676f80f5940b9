package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

// scanMessages is how many messages one answer to a scan of the stream has.
const scanMessages = 500

// PurgeTombstones removes objects from the stream whose last message is a
// deletion stored before the given time, with all that stood below it. What
// lives keeps its history, also where a deletion is part of it.
//
// Foreign messages that it comes upon are removed.
//
// One call looks at no more than about limit messages, from the sequence on.
// It returns where the next one goes on, 0 when there is no older deletion left.
// Each purge has the deletion's own sequence as its bound: what is published
// in the meantime stays. A stream-wide age would instead bring the state before the
// deletion back for a while.
func (s *Stream) PurgeTombstones(ctx context.Context, before time.Time, from uint64, limit int) (next uint64, purged int, err error) {
	next = max(from, 1)
	for seen := 0; seen < limit; {
		page, err := s.scan(ctx, next)
		if err != nil {
			return next, purged, fmt.Errorf("looking for old deletions: %w", err)
		}
		seen += len(page.messages)
		if len(page.messages) == 0 {
			return 0, purged, nil
		}
		last := page.messages[len(page.messages)-1].sequence
		page.messages, err = s.onlyGenuine(ctx, page.messages)
		if err != nil {
			return next, purged, fmt.Errorf("looking for old deletions: %w", err)
		}
		tombstones, young := page.tombstones(before)
		n, err := s.purgeObjects(ctx, tombstones)
		purged += n
		if err != nil {
			return next, purged, fmt.Errorf("purging old deletions: %w", err)
		}
		if page.pending == 0 || young && s.options.Key == "" { // else all is looked at for foreign messages
			return 0, purged, nil
		}
		next = last + 1
	}
	return next, purged, nil
}

// onlyGenuine removes foreign messages from a part of the stream that was read,
// and from the stream.
func (s *Stream) onlyGenuine(ctx context.Context, msgs []message) ([]message, error) {
	kept := msgs[:0]
	for _, m := range msgs {
		genuine, readable := s.genuine(m), json.Valid(m.data)
		if genuine && readable {
			kept = append(kept, m)
			continue
		}
		if err := s.removeForeign(ctx, m, !readable); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// page is a part of the stream, oldest first.
type page struct {
	messages []message
	pending  uint64 // messages that stand after it
}

// tombstones are the page's deletions stored before the time, by subject, the
// last of each. young says that the page goes beyond it.
func (p *page) tombstones(before time.Time) (sequences map[string]uint64, young bool) {
	sequences = map[string]uint64{}
	for _, m := range p.messages {
		if m.stored.IsZero() || !m.stored.Before(before) {
			return sequences, true
		}
		var e struct {
			Type string `json:"type"`
		}
		if _, _, ok := events.ParseSubject(m.subject); !ok || json.Unmarshal(m.data, &e) != nil {
			continue // not ours to judge
		}
		if strings.HasSuffix(e.Type, ".deleted") {
			sequences[m.subject] = m.sequence
		}
	}
	return sequences, false
}

// scan reads the stream from the sequence on, in one request.
func (s *Stream) scan(ctx context.Context, from uint64) (*page, error) {
	request := struct {
		From  uint64 `json:"seq"`
		Next  string `json:"next_by_subj"`
		Batch int    `json:"batch"`
		Bytes int    `json:"max_bytes"`
	}{from, "smartsheet." + s.partner + ".>", scanMessages, maxAnswer}
	p := &page{}
	end, err := s.directGet(ctx, request, scanMessages, func(m message) { p.messages = append(p.messages, m) })
	if errors.Is(err, errNone) {
		return p, nil
	}
	p.pending = end.pending
	return p, err
}

// purgeObjects removes the objects whose last message is still the one given.
func (s *Stream) purgeObjects(ctx context.Context, sequences map[string]uint64) (purged int, err error) {
	if len(sequences) == 0 {
		return 0, nil
	}
	subjects := make([]string, 0, len(sequences))
	for subject := range sequences {
		subjects = append(subjects, subject)
	}
	last, err := s.lastMessages(ctx, subjects, 0)
	if err != nil {
		return 0, err
	}
	st, err := s.js.Stream(ctx, Name)
	if err != nil {
		return 0, err
	}
	for subject, m := range last {
		if m.sequence != sequences[subject] {
			continue // it came back
		}
		if err := st.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(m.sequence+1)); err != nil {
			return purged, err
		}
		purged++
	}
	return purged, nil
}
