package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
)

const (
	// maxSubjects is how many subjects one request asks for. The server answers
	// at most 1,024 of them.
	maxSubjects = 500
	// maxSingle is how many subjects are asked for one by one: for a few that is
	// cheaper than one request for all, which searches the index of the stream.
	maxSingle = 16
	// maxAnswer bounds the bytes of one answer, so that a slow connection delivers
	// each within the time-out.
	maxAnswer = 1 << 20
)

// ErrLag says that a copy of the stream answered that has not yet seen what we
// know to stand in it, or that a part of its answer was lost.
var ErrLag = errors.New("a replica of the stream lags behind")

// message is one stored message.
type message struct {
	subject  string
	sequence uint64
	stored   time.Time
	carried  string // see [Writer.Carry]
	request  string // that an answer is to, see [Stream.PublishAnswer]
	data     []byte
	mac      string // that it carries
	replayed bool   // its headers are those of a server's answer: somebody had an old message sent again
}

// Last returns what the partner last saw of each of the subjects, which are
// objects of the share, as the stream stood at sequence since or later. A
// subject without a message of the bridge's is not in the answer. Since must be a lock of the
// share or above one, or 0; without it a copy of the stream may answer that lags
// behind.
func (s *Stream) Last(ctx context.Context, sh *events.Share, subjects []string, since uint64) (map[string]*events.Seen, error) {
	seen := make(map[string]*events.Seen, len(subjects))
	for chunk := range slices.Chunk(subjects, maxSubjects) {
		if len(chunk) > maxSingle || s.replicated() {
			chunk = append(slices.Clip(chunk), sh.SubjectStatus()) // one that has a message, see lastOfMany
		}
		msgs, err := s.lastMessages(ctx, chunk, since)
		if err != nil {
			return nil, fmt.Errorf("reading what the partner last saw of share %s: %w", sh.Sheet, err)
		}
		delete(msgs, sh.SubjectStatus())
		for subject, m := range msgs {
			object, err := events.ParseSeen(m.data, m.sequence)
			if err == nil {
				seen[subject] = object
				continue
			}
			if err := s.removeForeign(ctx, m, true); err != nil {
				return nil, fmt.Errorf("reading what the partner last saw of share %s: %w", sh.Sheet, err)
			}
		}
	}
	return seen, nil
}

// replicated tells whether another server than the stream's leader may answer.
func (s *Stream) replicated() bool { return s.info.Config.Replicas > 1 }

// lastMessages returns the last message of each subject that has one of the
// bridge's, as the stream stood at sequence since or later.
func (s *Stream) lastMessages(ctx context.Context, subjects []string, since uint64) (map[string]message, error) {
	msgs, err := s.readLast(ctx, subjects, since)
	if err != nil {
		return nil, err
	}
	return s.withoutForeign(ctx, msgs)
}

// readLast returns the last messages, those that others made too.
func (s *Stream) readLast(ctx context.Context, subjects []string, since uint64) (map[string]message, error) {
	if len(subjects) <= maxSingle && (!s.replicated() || since == 0) {
		return s.lastOfEach(ctx, subjects)
	}
	msgs, err := s.lastOfMany(ctx, subjects, since)
	if errors.Is(err, errNone) && since == 0 {
		return map[string]message{}, nil
	}
	return msgs, err
}

// lastOfEach asks for each subject by itself, all at once. It does not tell how
// far the copy that answers has come.
func (s *Stream) lastOfEach(ctx context.Context, subjects []string) (map[string]message, error) {
	to, err := s.answers(len(subjects))
	if err != nil {
		return nil, err
	}
	defer to.close()
	for _, subject := range subjects {
		if err := s.nc.PublishRequest("$JS.API.DIRECT.GET."+Name+"."+subject, to.inbox, nil); err != nil {
			return nil, err
		}
	}
	found := make(map[string]message, len(subjects))
	for range subjects {
		m, err := to.next(ctx, requestTimeout)
		if err != nil {
			return nil, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			stored := parseMessage(m)
			found[stored.subject] = stored
		case "404":
		default:
			return nil, answerError(m)
		}
	}
	return found, nil
}

// lastOfMany asks for all subjects in one request (`multi_last` of a direct get,
// which nats.go 1.55 has no call for). Which copy of the stream answered, and how
// far that has come, is told only where there is anything to send. So with a
// sequence since at least one of the subjects must be one that has a message.
// errNone says that without one none has.
func (s *Stream) lastOfMany(ctx context.Context, subjects []string, since uint64) (map[string]message, error) {
	found := make(map[string]message, len(subjects))
	from := uint64(0)
	for {
		end, err := s.multiLast(ctx, subjects, from, found)
		if errors.Is(err, errNone) && (since > 0 || from > 0) {
			return nil, ErrLag // one has, or there was more
		}
		if err != nil {
			return nil, fmt.Errorf("reading last messages: %w", err)
		}
		if end.upTo < since {
			return nil, ErrLag
		}
		if end.pending == 0 {
			return found, nil
		}
		from = end.last + 1 // cut off by the limit on bytes
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
		Bytes    int      `json:"max_bytes"`
		From     uint64   `json:"seq,omitempty"`
	}{subjects, len(subjects), maxAnswer, from}
	return s.directGet(ctx, request, len(subjects), func(m message) { found[m.subject] = m })
}

// errNone says that there is no message of what was asked for.
var errNone = errors.New("no such message")

// directGet sends a request for at most so many messages and hands over each of
// them; errNone says that there is none. Each names the one before it: where one
// was lost on the way it is ErrLag, not an object that was never published.
func (s *Stream) directGet(ctx context.Context, request any, most int, take func(message)) (end, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return end{}, err
	}
	to, err := s.answers(most + 1)
	if err != nil {
		return end{}, err
	}
	defer to.close()
	if err := s.nc.PublishRequest("$JS.API.DIRECT.GET."+Name, to.inbox, body); err != nil {
		return end{}, err
	}
	before := uint64(0) // sequence of the message before
	for n := 0; n <= most; n++ {
		m, err := to.next(ctx, requestTimeout)
		if err != nil {
			return end{}, err
		}
		status := m.Header.Get("Status")
		if (status == "" || status == "204") && number(m, "Nats-Last-Sequence") != before {
			return end{}, ErrLag
		}
		switch status {
		case "":
			stored := parseMessage(m)
			before = stored.sequence
			take(stored)
		case "204":
			return end{number(m, "Nats-Num-Pending"), before, number(m, "Nats-UpTo-Sequence")}, nil
		case "404":
			return end{}, errNone
		default:
			return end{}, answerError(m)
		}
	}
	return end{}, fmt.Errorf("the server sent more than the %d messages that were asked for", most)
}

func parseMessage(m *nats.Msg) message {
	stored, _ := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")) // zero where it is absent
	return message{
		subject: m.Header.Get("Nats-Subject"), sequence: number(m, "Nats-Sequence"), stored: stored,
		carried: m.Header.Get(carriedHeader), request: m.Header.Get(answerHeader), data: m.Data,
		mac: m.Header.Get(macHeader), replayed: len(m.Header.Values("Nats-Sequence")) > 1,
	}
}

// statusNoResponders is the answer where nobody listens: the stream is gone, or
// its server is.
const statusNoResponders = "503"

func answerError(m *nats.Msg) error {
	if m.Header.Get("Status") == statusNoResponders {
		return nats.ErrNoResponders
	}
	return fmt.Errorf("the server answered %s %s", m.Header.Get("Status"), m.Header.Get("Description"))
}

func number(m *nats.Msg, header string) uint64 {
	n, _ := strconv.ParseUint(m.Header.Get(header), 10, 64) // 0 where it is absent
	return n
}
