package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"
)

// gate takes what one partner's users send to JetStream and passes on what is allowed.
// The server puts the requests to the API of all accounts into one queue and drops
// all of it when it is full, so each partner's are counted before; and it bounds
// little of what a consumer may ask for, so that is judged. What makes the server
// work or answer much goes by turns. Neither server nor gate keeps anything for a
// request: consumers answer past the gate, to the inbox that the client named, and
// the API to a subject which has that in it. What is pushed does not come this way.
type gate struct {
	broker  *Broker
	partner string
	account string // public key of the partner's account
	storage string // public key of the account of its stream
	nc      *nats.Conn
	status  *statusConn
	inbox   string // begins the subjects of answers to what it handed on, ends with a dot
	stop    context.CancelFunc

	requests *nats.Subscription
	pulls    *nats.Subscription
	acks     *nats.Subscription // acknowledgements
	pulled   *rate.Limiter      // of the bytes that pulls ask for
	sizes    *sizes
	turns    chan *nats.Msg // requests that wait for their turn
	waiting  atomic.Int64   // bytes of those
	unknown  atomic.Int64   // times that too many requests were refused, and nobody waits for their answers

	mu         sync.Mutex
	consumers  map[string]bool      // that are known to exist
	makers     map[string]Maker     // of consumers, by name
	seen       map[string]time.Time // when a user last read directly, by public key
	users      map[string]string    // public keys, by inbox to which they are answered
	reconnects uint64               // of nc, when consumers was right
	limits     Limits               // effective
	tokens     float64
	at         time.Time     // when tokens was right
	copies     *rate.Limiter // of consumers for copies
	lookups    *rate.Limiter // of who waits for an answer
	denied     int           // requests refused in this second
	since      time.Time     // begin of this second
}

const (
	// gatePending bounds the requests that wait at a gate, acksPending the
	// acknowledgements; more are dropped.
	gatePending      = 2000
	gatePendingBytes = 4 << 20
	// answersPendingBytes bounds the API's answers that wait to be given back.
	answersPendingBytes = 2 * maxPayload
	acksPending         = 8 << 10
	acksPendingBytes    = 4 << 20
	// maxRequest bounds a request's body: one that names as many subjects as the
	// server takes has less.
	maxRequest = 128 << 10
	// maxReply bounds the subject of an answer; clients' inboxes have some sixty bytes.
	maxReply = 256
	// maxAck bounds an acknowledgement, which may have a pull in it.
	maxAck = maxPull
	// burstSeconds is how many seconds' worth of requests may come at once.
	burstSeconds = 4
	// copiesAtOnce and copiesEvery bound the consumers that a partner's servers have
	// made for copies: a copy that lost its connection asks again after ten seconds.
	copiesAtOnce = 64
	copiesEvery  = 10 * time.Second
)

func newGate(b *Broker, partner, storage string, r gateRecord, nc *nats.Conn) *gate {
	g := &gate{
		broker: b, partner: partner, account: r.Account, storage: storage, nc: nc, turns: make(chan *nats.Msg, turnsWaiting),
		consumers: map[string]bool{}, makers: map[string]Maker{}, seen: map[string]time.Time{}, users: map[string]string{}, at: time.Now(),
		pulled: rate.NewLimiter(maxPulled, maxPulled), copies: rate.NewLimiter(rate.Every(copiesEvery), copiesAtOnce),
		lookups: rate.NewLimiter(lookupsEach, lookupsEach),
	}
	g.sizes = &sizes{gate: g}
	g.setLimits(r.Limits)
	g.tokens = g.burst()
	return g
}

// listen subscribes to what the gate takes. After an error, too, the gate is to be closed.
func (g *gate) listen(ctx context.Context) (err error) {
	serving, stop := context.WithCancel(g.broker.watching) // until the gate is closed, or the broker
	g.stop = stop
	g.inbox = g.nc.NewInbox() + "."
	if _, err = g.subscribe(g.inbox+">", gatePending, answersPendingBytes, g.giveBack); err != nil {
		return err
	}
	if g.requests, err = g.subscribe(gateAPI+">", gatePending, gatePendingBytes, g.take); err != nil {
		return err
	}
	passOn := func(m *nats.Msg) { g.pass(serving, m) }
	if g.acks, err = g.subscribe(gateAcks+">", acksPending, acksPendingBytes, passOn); err != nil {
		return err
	}
	return errors.Join(g.takePulls(serving), g.serveTurns(serving), flush(ctx, g.nc))
}

// subscribe subscribes with a bound on what waits, in messages and in bytes.
func (g *gate) subscribe(subject string, messages, bytes int, take nats.MsgHandler) (*nats.Subscription, error) {
	sub, err := g.nc.Subscribe(subject, take)
	if err != nil {
		return nil, err
	}
	return sub, sub.SetPendingLimits(messages, bytes)
}

// flush returns when the server has what was sent.
func flush(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	return nc.FlushWithContext(ctx)
}

func (g *gate) setLimits(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l.Effective()
}

// take judges one request. What names no inbox for its answer is not answered: the
// gate may publish to the stream.
func (g *gate) take(m *nats.Msg) {
	if !isInbox(m.Reply) && !isLeafInbox(m.Reply) {
		return
	}
	call := strings.TrimPrefix(m.Subject, gateAPI)
	switch {
	case len(m.Reply) > maxReply && !isLeafInbox(m.Reply):
		g.refuse(m, http.StatusBadRequest, fmt.Sprintf("the subject for the answer has more than %d bytes", maxReply))
		g.deny(m.Reply)
		return
	case len(m.Data) > maxRequest:
		g.refuse(m, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request to JetStream has more than %d bytes", maxRequest))
		g.deny(m.Reply)
		return
	case strings.HasPrefix(call, getCall):
		g.queue(m)
		return
	case !g.admit(cost(call, m.Data)):
		g.refuse(m, http.StatusTooManyRequests, tooMany)
		g.deny(m.Reply)
		return
	case byTurns(call, m.Data):
		g.queue(m)
		return
	}
	if strings.HasPrefix(call, "CONSUMER.CREATE.") || strings.HasPrefix(call, "CONSUMER.DURABLE.CREATE.") {
		var err error
		if m.Data, err = g.judge(m.Data, m.Reply); err != nil {
			g.broker.offends(g.partner, OffenceConsumer, g.asker(m.Reply))
			g.refuse(m, http.StatusBadRequest, "consumer refused: "+err.Error())
			return
		}
	}
	g.recordMaker(call, m.Reply)
	// The server does not hand the API's answers to other accounts, but to the gate.
	// The request's headers are left behind: no client needs one.
	if err := g.nc.PublishRequest(stockAPI+call, g.inbox+m.Reply, m.Data); err != nil {
		g.refuse(m, http.StatusServiceUnavailable, "cannot be asked now")
	}
}

// giveBack gives an answer of the API to who asked.
func (g *gate) giveBack(m *nats.Msg) {
	m.Subject, m.Reply = strings.TrimPrefix(m.Subject, g.inbox), ""
	err := g.nc.PublishMsg(m)
	if errors.Is(err, nats.ErrMaxPayload) {
		g.refuse(&nats.Msg{Sub: m.Sub, Reply: m.Subject}, http.StatusRequestEntityTooLarge, answerTooLarge)
		return
	}
	if err != nil {
		g.broker.log.Debug("request of a partner not answered", "partner", g.partner, "error", err)
	}
}

const (
	answerTooLarge = "the answer is larger than a message may be: ask for less of it"
	tooMany        = "too many requests to JetStream: wait a second, and use consumers instead of asking again and again"
)

// pass passes one acknowledgement on.
func (g *gate) pass(serving context.Context, m *nats.Msg) {
	if m.Reply != "" && !isInbox(m.Reply) || len(m.Reply) > maxReply || len(m.Data) > maxAck {
		return // no client does so
	}
	if next, ok := bytes.CutPrefix(m.Data, server.AckNext); ok {
		body, asks, err := boundPull(bytes.TrimSpace(next), g.sizes.average())
		if err != nil || g.pulled.WaitN(serving, asks) != nil {
			return // no pull, or the gate is closed
		}
		m.Data = slices.Concat(server.AckNext, []byte(" "), body)
	}
	ack := &nats.Msg{Subject: ackPrefix + strings.TrimPrefix(m.Subject, gateAcks), Reply: m.Reply, Header: m.Header, Data: m.Data}
	if err := g.nc.PublishMsg(ack); err != nil {
		g.broker.log.Debug("acknowledgement of a partner not passed on", "partner", g.partner, "error", err)
	}
}

// burst is how many requests may come at once.
func (g *gate) burst() float64 { return burstSeconds * float64(g.limits.Requests) }

// admit tells whether requests of so much cost may pass now.
func (g *gate) admit(cost float64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limits.Requests < 0 {
		return true
	}
	now := time.Now()
	g.tokens = min(g.burst(), g.tokens+now.Sub(g.at).Seconds()*float64(g.limits.Requests))
	g.at = now
	if g.tokens < cost {
		return false
	}
	g.tokens -= cost
	return true
}

// cost is how many requests a request counts as: some walk through the index of
// the stream, some write to the disk.
func cost(call string, body []byte) float64 {
	switch {
	case strings.HasPrefix(call, "STREAM.INFO.") && len(body) > 0,
		strings.HasPrefix(call, "STREAM.MSG.GET."):
		return 10
	case strings.HasPrefix(call, "CONSUMER.CREATE."), strings.HasPrefix(call, "CONSUMER.DURABLE.CREATE."),
		strings.HasPrefix(call, "CONSUMER.DELETE."):
		return 3
	}
	return 1
}

// deny counts a request that is refused. When there were as many in a second as
// might have been made, it closes the connections that would get the answer, and so
// again for each such number. Where there are none, the watch closes who sends most.
func (g *gate) deny(reply string) {
	g.mu.Lock()
	if now := time.Now(); now.Sub(g.since) > time.Second {
		g.since, g.denied = now, 0
	}
	g.denied++
	exceeded := g.limits.Requests >= 0 && g.denied%(g.limits.Requests+1) == 0
	g.mu.Unlock()
	if !exceeded || !g.lookups.Allow() {
		return
	}
	askers := g.broker.askersOf(g.account, reply)
	for _, c := range askers {
		g.broker.disconnect(g.partner, OffenceRequests, c)
	}
	if len(askers) == 0 {
		g.unknown.Add(1)
	}
}

// refuse answers a request as JetStream's API does.
func (g *gate) refuse(m *nats.Msg, code int, why string) {
	var answer server.ApiResponse
	answer.Error = &server.ApiError{Code: code, Description: why}
	body, err := json.Marshal(answer)
	if err == nil {
		err = m.Respond(body)
	}
	if err != nil {
		g.broker.log.Debug("request of a partner not answered", "partner", g.partner, "error", err)
	}
}

// judge returns the request for a consumer as it may be made, or why it must not.
func (g *gate) judge(body []byte, reply string) ([]byte, error) {
	var request server.CreateConsumerRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, fmt.Errorf("the request cannot be read: %w", err)
	}
	g.mu.Lock()
	limits := g.limits
	g.mu.Unlock()
	c := &request.Config
	if err := checkConsumer(c, limits); err != nil {
		return nil, err
	}
	g.broker.mu.Lock()
	idle := g.broker.copyIdle
	g.broker.mu.Unlock()
	copies := c.Direct || c.Sourcing
	if err := checkCopying(c, copies && g.asker(reply).leaf, idle); err != nil {
		return nil, err
	}
	if copies && !g.copies.Allow() {
		return nil, errors.New("too many consumers for copies: wait a little")
	}
	if boundPending(c, limits) || copies {
		return json.Marshal(request)
	}
	return body, nil
}
