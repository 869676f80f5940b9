package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// maxLast is how many subjects one request asks for. The server answers at most
// 1,024 of them.
const maxLast = 500

// message is one stored message.
type message struct {
	subject  string
	sequence uint64
	data     []byte
}

// last returns the last message of each subject in one request (`multi_last`
// of a direct get, which nats.go 1.55 has no call for). A follower may answer:
// its answer counts only if it has come to sequence lock, which it tells only
// when it has anything to send. So with a lock at least one of the subjects must
// be one that has messages. errNone says that without a lock none has.
func (s *Stream) last(ctx context.Context, subjects []string, lock uint64) (map[string]message, error) {
	found := make(map[string]message, len(subjects))
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	from := uint64(0)
	for {
		end, err := s.multiLast(ctx, subjects, from, found)
		if errors.Is(err, errNone) && (lock > 0 || from > 0) {
			return nil, ErrLag // one has, or there was more
		}
		if err != nil {
			return nil, fmt.Errorf("reading last messages: %w", err)
		}
		if end.upTo < lock {
			return nil, ErrLag
		}
		if end.pending == 0 {
			return found, nil
		}
		from = end.last + 1 // cut off by the server's limit on bytes
	}
}

// end is what the server says after the last message of an answer.
type end struct {
	pending uint64 // messages that it did not send
	last    uint64 // sequence of the last one it did send
	upTo    uint64 // the stream's last sequence when it looked
}

func (s *Stream) multiLast(ctx context.Context, subjects []string, from uint64, found map[string]message) (end, error) {
	request := struct {
		Subjects []string `json:"multi_last"`
		Batch    int      `json:"batch"`
		From     uint64   `json:"seq,omitempty"`
	}{subjects, len(subjects), from}
	return s.directGet(ctx, request, func(m message, _ time.Time) { found[m.subject] = m })
}

// errNone says that there is no message of what was asked for.
var errNone = errors.New("no such message")

// directGet sends a request for several messages and hands over each of them
// with the time it was stored; errNone says that there is none. Each names the
// one before it: where one was lost on the way it is ErrLag, not an object that
// was never published.
func (s *Stream) directGet(ctx context.Context, request any, take func(message, time.Time)) (end, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return end{}, err
	}
	inbox := s.nc.NewInbox()
	sub, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return end{}, err
	}
	defer func() { _ = sub.Unsubscribe() }() // a closed connection has no subscriptions either
	if err := s.nc.PublishRequest("$JS.API.DIRECT.GET."+StreamName, inbox, body); err != nil {
		return end{}, err
	}
	before := uint64(0) // sequence of the message before
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return end{}, err
		}
		status := m.Header.Get("Status")
		if (status == "" || status == "204") && number(m, "Nats-Last-Sequence") != before {
			return end{}, ErrLag
		}
		switch status {
		case "":
			before = number(m, "Nats-Sequence")
			stored, _ := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")) // zero where it is absent
			take(message{subject: m.Header.Get("Nats-Subject"), sequence: before, data: m.Data}, stored)
		case "204":
			return end{number(m, "Nats-Num-Pending"), before, number(m, "Nats-UpTo-Sequence")}, nil
		case "404":
			return end{}, errNone
		default:
			return end{}, fmt.Errorf("the server answered %s %s", status, m.Header.Get("Description"))
		}
	}
}

func number(m *nats.Msg, header string) uint64 {
	n, _ := strconv.ParseUint(m.Header.Get(header), 10, 64) // 0 where it is absent
	return n
}
