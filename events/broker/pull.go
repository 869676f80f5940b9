package broker

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Bounds of a pull. The server keeps its reply until it is answered.
const (
	maxPull = 4 << 10
	// maxPulled bounds the bytes that one pull brings, and all in a second. What
	// consumers read for them waits in a queue of the server without a bound.
	maxPulled = 16 << 20
	// sizeEvery is how often the size of a message is looked at.
	sizeEvery = time.Second
	// pullsWaiting bounds the pulls that wait for the gate; more are dropped.
	pullsWaiting = 4 << 10
	minSize      = 1 << 10
)

const (
	// inboxes begins the subjects to which a partner's users may be answered: they can
	// subscribe them, and the storage account exports them.
	inboxes = "_INBOX."
	// leafInboxes begins those to which the partner's own servers are answered.
	leafInboxes = "$JSC.R."
)

// takePulls has the gate hand pulls on to their consumers. Those answer to the
// inboxes that the pulls name, past the gate.
func (g *gate) takePulls(serving context.Context) (err error) {
	for _, subject := range []string{server.JSAdvisoryConsumerDeletedPre + "." + stream + ".*", server.JSAdvisoryStreamDeletedPre + "." + stream} {
		if _, err := g.nc.Subscribe(subject, g.forget); err != nil {
			return err
		}
	}
	g.pulls, err = g.subscribe(gatePull+">", pullsWaiting, pullsWaiting*maxReply, func(m *nats.Msg) { g.pull(serving, m) })
	return err
}

// pull hands on one pull. Who would have an answer come to anything but an inbox
// is not answered: the gate may publish to the stream.
func (g *gate) pull(serving context.Context, m *nats.Msg) {
	consumer := strings.TrimPrefix(m.Subject, gatePull)
	switch {
	case !isInbox(m.Reply):
		return
	case len(m.Reply) > maxReply || len(m.Data) > maxPull:
		g.answerStatus(m, "400", "Bad Request: the pull or its reply subject is too long")
		return
	case !g.exists(consumer):
		g.answerStatus(m, "503", "") // as the server does
		return
	}
	body, asks, err := boundPull(m.Data, g.sizes.average())
	if err != nil {
		g.answerStatus(m, "400", "Bad Request")
		return
	}
	if g.pulled.WaitN(serving, asks) != nil {
		return // the gate is closed
	}
	if err := g.nc.PublishRequest(stockAPI+pullCall+consumer, m.Reply, body); err != nil {
		g.answerStatus(m, "503", "")
	}
}

// boundPull returns a pull that brings about maxPulled bytes at most, and about how
// many it brings where a message has size bytes. Clients that go on by themselves know
// that answer: where the next message does not fit, the server says so, and how much of
// the pull is left. A pull that asks for less stays as it is: one with a bound of bytes
// is answered with one message more.
func boundPull(body []byte, size int) (bounded []byte, asks int, err error) {
	var request server.JSApiConsumerGetNextRequest
	if len(body) > 0 {
		if n, numeric := strconv.Atoi(string(body)); numeric == nil {
			request.Batch = n // of old clients
		} else if err := json.Unmarshal(body, &request); err != nil {
			return nil, 0, err
		}
	}
	most := maxPulled
	if request.MaxBytes > 0 {
		most = min(most, request.MaxBytes)
	}
	if messages := max(1, request.Batch); messages <= most/size {
		return body, messages * size, nil
	}
	request.MaxBytes = most
	bounded, err = json.Marshal(request)
	return bounded, most, err
}

// sizes knows how large the messages of a stream are.
type sizes struct {
	gate *gate
	mu   sync.Mutex
	at   time.Time // when size was right
	size int
}

// average is how many bytes a message has.
func (s *sizes) average() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) < sizeEvery {
		return s.size
	}
	s.at, s.size = time.Now(), minSize
	account, err := s.gate.broker.srv.JszAccount(&server.JSzOptions{Account: s.gate.storage, Streams: true})
	if err == nil && len(account.Streams) > 0 {
		state := account.Streams[0].State
		s.size = min(maxPayload, max(minSize, int(state.Bytes/max(1, state.Msgs))))
	}
	return s.size
}

// isInbox tells whether the subject is one inbox and nothing else.
func isInbox(subject string) bool {
	return strings.HasPrefix(subject, inboxes) && !strings.ContainsAny(subject, "*>")
}

func isLeafInbox(subject string) bool {
	return strings.HasPrefix(subject, leafInboxes) && !strings.ContainsAny(subject, "*>")
}

// exists tells whether there is such a consumer. The server tells only who asks
// and is answered at the same connection, so it is asked once for each.
func (g *gate) exists(consumer string) bool {
	g.mu.Lock()
	if reconnects := g.nc.Stats().Reconnects; reconnects != g.reconnects { // what was deleted in the meantime was not heard
		g.reconnects = reconnects
		clear(g.consumers)
	}
	known := g.consumers[consumer]
	g.consumers[consumer] = true // before it is asked: what is deleted after the answer is heard later
	g.mu.Unlock()
	if known {
		return true
	}
	var answer server.ApiResponse
	m, err := g.nc.Request(stockAPI+"CONSUMER.INFO."+stream+"."+consumer, nil, turnTime)
	if err == nil {
		err = json.Unmarshal(m.Data, &answer)
	}
	if err == nil && answer.Error == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.consumers, consumer)
	return false
}

// forget hears that a consumer was deleted, or the stream with all of them.
func (g *gate) forget(m *nats.Msg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	consumer, ok := strings.CutPrefix(m.Subject, server.JSAdvisoryConsumerDeletedPre+"."+stream+".")
	if !ok {
		clear(g.consumers)
		clear(g.makers)
		return
	}
	delete(g.consumers, consumer)
	delete(g.makers, consumer)
}
