package webhooktest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// Published is one message of a partner's stream.
type Published struct {
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

// Reader is a partner's stream over a connection that the relay does not use.
func (b *Bridge) Reader(partner string) *stream.Stream {
	b.T.Helper()
	if s := b.readers[partner]; s != nil {
		return s
	}
	s, closing, err := b.Partners.Dial(b.T.Context(), b.Registry.Partner(partner))
	Must(b.T, err)
	b.readers[partner] = s
	b.closing = append(b.closing, closing)
	return s
}

// Stream returns all messages of a partner's stream, oldest first.
func (b *Bridge) Stream(partner string) []Published {
	b.T.Helper()
	s := b.Reader(partner)
	var all []Published
	Must(b.T, s.All(b.T.Context(), func(seq uint64, subject string, data []byte) error {
		m, err := parsePublished(seq, subject, data)
		all = append(all, m)
		return err
	}))
	return all
}

func parsePublished(seq uint64, subject string, data []byte) (Published, error) {
	m := Published{Sequence: seq, Subject: subject, Raw: data}
	if tokens := strings.Split(subject, "."); len(tokens) == 5 && tokens[3] == "write" { // its data is read by those who want it
		if err := json.Unmarshal(data, &m.Event); err != nil {
			return m, fmt.Errorf("message %d: %w", seq, err)
		}
		return m, nil
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("message %d: %w", seq, err)
	}
	return m, nil
}

// Objects are the events after a sequence, status and schema left out, each
// with what came of it.
func Objects(all []Published, after uint64) []string {
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

// Kinds counts the types of events after a sequence.
func Kinds(all []Published, after uint64) map[string]int {
	n := map[string]int{}
	for _, m := range all {
		if m.Sequence > after {
			n[strings.TrimPrefix(m.Type, "sheetbridge.")]++
		}
	}
	return n
}

// StatusOf is the last status of a share, the zero value for none.
func StatusOf(all []Published, sheet string) publishedData {
	var d publishedData
	for _, m := range all {
		if m.Type == events.StatusChanged && strings.HasPrefix(m.Event.Subject, sheet+"/") {
			d = m.Data
		}
	}
	return d
}

func Last(all []Published) uint64 {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Sequence
}
