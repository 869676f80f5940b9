package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	scanBatch = 256     // messages of one answer
	scanBytes = 4 << 20 // of one answer, about
	maxScan   = 4096    // messages of one scan
)

// stored is a message in the stream.
type stored struct {
	subject  string
	sequence uint64
	time     time.Time
	data     []byte
}

// scan hands over the messages under a subject, oldest first, and no more than
// maxScan of them. A copy of the stream may answer that is a moment behind.
func (in *Inbox) scan(ctx context.Context, subject string, take func(stored)) error {
	for from, n := uint64(1), 0; n < maxScan; {
		last, got, err := in.scanBatch(ctx, subject, from, take)
		if err != nil {
			return fmt.Errorf("reading messages %s: %w", subject, err)
		}
		if got == 0 {
			return nil
		}
		from, n = last+1, n+got
	}
	return nil
}

// scanBatch asks for several messages at once, which nats.go has no call for. It
// returns the sequence of the last one and how many there were.
func (in *Inbox) scanBatch(ctx context.Context, subject string, from uint64, take func(stored)) (last uint64, n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := json.Marshal(struct {
		Subject  string `json:"next_by_subj"`
		From     uint64 `json:"seq"`
		Batch    int    `json:"batch"`
		MaxBytes int    `json:"max_bytes"`
	}{subject, from, scanBatch, scanBytes})
	if err != nil {
		return 0, 0, err
	}
	nc := in.js.Conn()
	reply := nc.NewInbox()
	sub, err := nc.SubscribeSync(reply)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = sub.Unsubscribe() }() // a closed connection has no subscriptions either
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+StreamName, reply, request); err != nil {
		return 0, 0, err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return 0, 0, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			s := storedOf(m)
			take(s)
			last, n = s.sequence, n+1
		case "204", "404":
			return last, n, nil
		default:
			return 0, 0, fmt.Errorf("the server answered %s %s", status, m.Header.Get("Description"))
		}
	}
}

func storedOf(m *nats.Msg) stored {
	s := stored{subject: m.Header.Get("Nats-Subject"), data: m.Data}
	// Both are zero where they are absent.
	s.sequence, _ = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	s.time, _ = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	return s
}
