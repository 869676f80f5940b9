package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

// answerHeader is the header of an answer that tells which request it is to.
const answerHeader = "Sheetbridge-Write"

// Answer is the answer to a write as it stands in the stream.
type Answer struct {
	Request string // that it is to, as PublishAnswer was told
	Data    events.WriteData
}

// PublishAnswer stores the answer to a write, under a text that says which request it
// is to. It goes by itself when answers are not kept any longer.
func (s *Stream) PublishAnswer(ctx context.Context, sh *events.Share, at time.Time, a Answer) error {
	m, err := s.answerMessage(sh, at, a)
	if err == nil {
		_, err = s.request(ctx, m)
		err = s.fullOr(ctx, err, []*nats.Msg{m})
	}
	if err != nil {
		return fmt.Errorf("storing the answer to a write of partner %s: %w", s.partner, err)
	}
	return nil
}

func (s *Stream) answerMessage(sh *events.Share, at time.Time, a Answer) (*nats.Msg, error) {
	encode := func(d events.WriteData) ([]byte, error) {
		e, err := events.AnswerEvent(sh, at, d)
		if err != nil {
			return nil, err
		}
		return e.AppendJSON(make([]byte, 0, usualSize))
	}
	data, err := encode(a.Data)
	if limit := int(s.nc.MaxPayload()) - 1024; err == nil && len(data) > limit { // a row of very long cells
		small := a.Data
		small.Current = nil
		data, err = encode(small)
	}
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(sh.SubjectAnswer(a.Data.ID))
	m.Header.Set("Content-Type", events.ContentType)
	m.Header.Set(answerHeader, a.Request)
	m.Header.Set(jetstream.MsgTTLHeader, events.AnswersKept.String())
	m.Data = data
	s.sign(m)
	return m, nil
}

// Answers returns the last answer to each of the writes of a share that has one, by
// its id.
func (s *Stream) Answers(ctx context.Context, sh *events.Share, ids []string) (map[string]Answer, error) {
	found := make(map[string]Answer, len(ids))
	for chunk := range slices.Chunk(ids, maxSubjects) {
		subjects := make([]string, len(chunk))
		for i, id := range chunk {
			subjects[i] = sh.SubjectAnswer(id)
		}
		last, err := s.lastMessages(ctx, subjects, 0)
		if err != nil {
			return nil, fmt.Errorf("reading answers to writes of partner %s: %w", s.partner, err)
		}
		for i, id := range chunk {
			m, ok := last[subjects[i]]
			if !ok {
				continue
			}
			e := struct {
				Data events.WriteData `json:"data"`
			}{}
			if json.Unmarshal(m.data, &e) == nil { // else it is none of ours
				found[id] = Answer{m.request, e.Data}
			}
		}
	}
	return found, nil
}
