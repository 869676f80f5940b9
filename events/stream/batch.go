package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// storeTime is how long a server may take for each message of a batch, all of which it
// stores when it has the last one: many times as long as one that has little else to do.
const storeTime = 5 * time.Millisecond

// storeBatch stores messages as one atomic batch, all or none, and returns the
// sequence of the last one.
func (s *Stream) storeBatch(ctx context.Context, batch []*nats.Msg) (uint64, error) {
	last := len(batch) - 1
	if last == 0 {
		return s.request(ctx, batch[0])
	}
	id := uuid.NewString()
	for i, m := range batch {
		m.Header.Set("Nats-Batch-Id", id)
		m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
	}
	batch[last].Header.Set("Nats-Batch-Commit", "1")
	if err := s.stage(ctx, batch[:last]); err != nil {
		return 0, s.fullOr(ctx, err, batch)
	}
	answer, err := s.ask(ctx, batch[last], answerTime(maxAnswer)+time.Duration(len(batch))*storeTime)
	if err != nil {
		return 0, s.fullOr(ctx, err, batch)
	}
	return parseAck(answer)
}

// stage sends the messages of a batch that come before its last one. The server
// is asked after each maxAnswer bytes whether it has them: so each time-out is
// the one of a part, however slow the connection and however large the batch.
func (s *Stream) stage(ctx context.Context, msgs []*nats.Msg) error {
	unanswered := 0
	for _, m := range msgs {
		if unanswered += m.Size(); unanswered < maxAnswer {
			if err := s.nc.PublishMsg(m); err != nil {
				return err
			}
			continue
		}
		answer, err := s.ask(ctx, m, answerTime(unanswered))
		if err != nil {
			return err
		}
		if len(answer.Data) > 0 { // else it has them
			if _, err := parseAck(answer); err != nil {
				return err
			}
		}
		unanswered = 0
	}
	return nil
}

// request sends one message and waits for the stream's acknowledgement.
func (s *Stream) request(ctx context.Context, m *nats.Msg) (uint64, error) {
	answer, err := s.ask(ctx, m, answerTime(max(maxAnswer, m.Size())))
	if err != nil {
		return 0, err
	}
	return parseAck(answer)
}

// ask sends a message and waits for the answer for so long.
func (s *Stream) ask(ctx context.Context, m *nats.Msg, within time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return s.nc.RequestMsgWithContext(ctx, m)
}

// answerTime is how long the answer to so many bytes is waited for: a connection
// may bring 4 Mbit/s.
func answerTime(size int) time.Duration {
	return 2*requestTimeout + time.Duration(size)*2*time.Microsecond
}

// fullOr says ErrFull of a time-out where the account is full: a server that
// finds that out in the midst of a batch does not answer.
func (s *Stream) fullOr(ctx context.Context, err error, msgs []*nats.Msg) error {
	if errors.Is(err, context.DeadlineExceeded) && s.exhausted(ctx, msgs) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func parseAck(answer *nats.Msg) (uint64, error) {
	if answer.Header.Get("Status") == statusNoResponders && len(answer.Data) == 0 {
		return 0, nats.ErrNoResponders
	}
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("reading the answer of the stream: %w", err)
	}
	if ack.Error != nil {
		return 0, refusal(ack.Error)
	}
	if ack.Stream != Name || ack.Sequence == 0 {
		return 0, fmt.Errorf("stream %q answered, not %s", ack.Stream, Name)
	}
	return ack.Sequence, nil
}

// exhausted tells whether the account has no room for the messages.
func (s *Stream) exhausted(ctx context.Context, batch []*nats.Msg) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout/3)
	defer cancel()
	account, err := s.js.AccountInfo(ctx)
	if err != nil || account.Limits.MaxStore <= 0 {
		return false
	}
	size := uint64(0)
	for _, m := range batch {
		size += uint64(m.Size())
	}
	return account.Store+size > uint64(account.Limits.MaxStore)
}
