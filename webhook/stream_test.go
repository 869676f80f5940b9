package webhook_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// published is one message of a partner's stream.
type published struct {
	Sequence uint64
	Subject  string
	Raw      []byte
	events.Event
	Data publishedData `json:"data"`
}

// publishedData is the data of any type of event.
type publishedData struct {
	events.ObjectData
	events.SchemaData
	State      events.State       `json:"state"`
	Mode       string             `json:"mode"`
	CompleteTo *events.CompleteTo `json:"completeTo"`
}

// reader is a partner's stream over a connection that the relay does not use.
func (b *bridge) reader(partner string) *stream.Stream {
	b.t.Helper()
	if s := b.readers[partner]; s != nil {
		return s
	}
	s, closing, err := b.partners.Dial(b.t.Context(), b.registry.Partner(partner))
	must(b.t, err)
	b.readers[partner] = s
	b.closing = append(b.closing, closing)
	return s
}

// stream returns all messages of a partner's stream, oldest first.
func (b *bridge) stream(partner string) []published {
	b.t.Helper()
	s := b.reader(partner)
	var all []published
	must(b.t, s.All(b.t.Context(), func(seq uint64, subject string, data []byte) error {
		m, err := parsePublished(seq, subject, data)
		all = append(all, m)
		return err
	}))
	return all
}

func parsePublished(seq uint64, subject string, data []byte) (published, error) {
	m := published{Sequence: seq, Subject: subject, Raw: data}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("message %d: %w", seq, err)
	}
	return m, nil
}

// objects are the events after a sequence, status and schema left out, each
// with what came of it.
func objects(all []published, after uint64) []string {
	var list []string
	for _, m := range all {
		if _, _, ok := events.ParseSubject(m.Subject); ok && m.Sequence > after {
			before, _ := json.Marshal(m.Data.Before)
			now, _ := json.Marshal(m.Data.After)
			line := fmt.Sprintf("%s %s %s->%s %s", strings.TrimPrefix(m.Type, "sheetbridge."), m.Data.Origin, before, now, m.Data.Reason)
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// kinds counts the types of events after a sequence.
func kinds(all []published, after uint64) map[string]int {
	n := map[string]int{}
	for _, m := range all {
		if m.Sequence > after {
			n[strings.TrimPrefix(m.Type, "sheetbridge.")]++
		}
	}
	return n
}

// statusOf is the last status of a share, the zero value for none.
func statusOf(all []published, sheet string) publishedData {
	var d publishedData
	for _, m := range all {
		if m.Type == events.StatusChanged && strings.HasPrefix(m.Event.Subject, sheet+"/") {
			d = m.Data
		}
	}
	return d
}

func last(all []published) uint64 {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Sequence
}
