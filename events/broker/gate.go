package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"
)

// gate takes the requests that one partner's users send to JetStream's API and
// hands on those that may pass. The server puts the requests of all accounts into
// one queue and drops all of it when it is full, so each partner's are counted
// before; and it bounds little of what a consumer may ask for, so that is judged.
// Direct gets go by turns, pulls are handed on if their answers may come to where
// they say. What is pushed and acknowledged does not come this way.
type gate struct {
	broker  *Broker
	partner string
	account string // public key of the partner's account
	storage string // public key of the account of its stream
	nc      *nats.Conn
	inbox   string // begins the subjects of answers to what it handed on, ends with a dot
	stop    context.CancelFunc

	pulls    *nats.Subscription
	pulled   *rate.Limiter  // of the bytes that pulls ask for
	gets     chan *nats.Msg // direct gets that wait for their turn
	getBytes atomic.Int64   // of those

	mu         sync.Mutex
	consumers  map[string]bool      // that are known to exist
	makers     map[string]Maker     // of consumers, by name
	seen       map[string]time.Time // when a user last read directly, by public key
	reconnects uint64               // of nc, when that was right
	limits     Limits               // effective
	tokens     float64
	at         time.Time      // when tokens was right
	copies     *rate.Limiter  // of consumers for copies
	denied     map[uint64]int // requests refused in this second, by connection
	since      time.Time      // begin of this second
}

const (
	// gatePending bounds the requests that wait at a gate; more are dropped.
	gatePending      = 2000
	gatePendingBytes = 2 * maxPayload
	// maxRequest bounds a request's body: one that names as many subjects as the
	// server takes has less.
	maxRequest = 128 << 10
	// burstSeconds is how many seconds' worth of requests may come at once.
	burstSeconds = 4
	// requestHeader is where the server says who asks; a client's own is replaced.
	requestHeader = "Nats-Request-Info"
	// kindLeaf is what that calls a leaf node connection.
	kindLeaf = "Leafnode"
	// copiesAtOnce and copiesEvery bound the consumers that a partner's servers have
	// made for copies: a copy that lost its connection asks again after ten seconds.
	copiesAtOnce = 64
	copiesEvery  = 10 * time.Second
	// importReply begins the replies of requests that come from another account.
	importReply = "_R_."
)

func (g *gate) listen(ctx context.Context) error {
	g.inbox = g.nc.NewInbox() + "."
	requests, err := g.nc.Subscribe(gateAPI+">", g.take)
	if err != nil {
		return err
	}
	answers, err := g.nc.Subscribe(g.inbox+">", g.giveBack)
	if err != nil {
		return err
	}
	for _, sub := range []*nats.Subscription{requests, answers} {
		if err := sub.SetPendingLimits(gatePending, gatePendingBytes); err != nil {
			return err
		}
	}
	serving, stop := context.WithCancel(g.broker.watching) // until the gate is closed, or the broker
	if err := errors.Join(g.takePulls(serving), g.serveGets(serving), flush(ctx, g.nc)); err != nil {
		stop()
		return err
	}
	g.stop = stop
	return nil
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

// take judges one request.
func (g *gate) take(m *nats.Msg) {
	if !strings.HasPrefix(m.Reply, importReply) {
		return // a consumer that was aimed here, not a request
	}
	call := strings.TrimPrefix(m.Subject, gateAPI)
	if len(m.Data) > maxRequest {
		g.refuse(m, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request to JetStream has more than %d bytes", maxRequest))
		g.countDenied(requester(m))
		return
	}
	if strings.HasPrefix(call, getCall) {
		g.queueGet(m)
		return
	}
	if !g.admit(cost(call, m.Data)) {
		g.refuse(m, http.StatusTooManyRequests, "too many requests to JetStream: wait a second, and use consumers instead of asking again and again")
		g.countDenied(requester(m))
		return
	}
	body := m.Data
	if strings.HasPrefix(call, "CONSUMER.CREATE.") || strings.HasPrefix(call, "CONSUMER.DURABLE.CREATE.") {
		var err error
		if body, err = g.judge(m.Data, requester(m)); err != nil {
			g.broker.offends(g.partner, OffenceConsumer, requester(m))
			g.refuse(m, http.StatusBadRequest, "consumer refused: "+err.Error())
			return
		}
	}
	if strings.HasPrefix(call, "STREAM.MSG.GET.") {
		g.readsDirectly(m)
	}
	g.notesMaker(call, m)
	// Where the answer goes is in the reply, so that nothing has to be kept for it.
	// The server takes its own replies from nobody else. The request's headers are
	// left behind: they say who asks, and the account that asks is this one now.
	reply := g.inbox + strings.TrimPrefix(m.Reply, importReply)
	if err := g.nc.PublishRequest(stockAPI+call, reply, body); err != nil {
		g.refuse(m, http.StatusServiceUnavailable, "cannot be asked now")
	}
}

// giveBack gives an answer to who asked.
func (g *gate) giveBack(m *nats.Msg) {
	m.Subject, m.Reply = importReply+strings.TrimPrefix(m.Subject, g.inbox), ""
	err := g.nc.PublishMsg(m)
	if errors.Is(err, nats.ErrMaxPayload) {
		g.refuse(&nats.Msg{Sub: m.Sub, Reply: m.Subject}, http.StatusRequestEntityTooLarge, "the answer is larger than a message may be: ask for less of it")
		return
	}
	if err != nil {
		g.broker.log.Debug("request of a partner not answered", "partner", g.partner, "error", err)
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

// countDenied closes a connection that has as many requests refused in a second
// as it might have made.
func (g *gate) countDenied(c client) {
	g.mu.Lock()
	now := time.Now()
	if now.Sub(g.since) > time.Second {
		g.since = now
		clear(g.denied)
	}
	g.denied[c.id]++
	n, most := g.denied[c.id], g.limits.Requests
	g.mu.Unlock()
	if n == most+1 {
		g.broker.disconnect(g.partner, OffenceRequests, c)
	}
}

// requester is the connection that a request came from, as the server says.
func requester(m *nats.Msg) client {
	var info server.ClientInfo
	if err := json.Unmarshal([]byte(m.Header.Get(requestHeader)), &info); err != nil {
		return client{}
	}
	return client{id: info.ID, user: info.User, host: info.Host, leaf: info.Kind == kindLeaf}
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
func (g *gate) judge(body []byte, by client) ([]byte, error) {
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
	if err := checkCopying(c, by.leaf, idle); err != nil {
		return nil, err
	}
	copies := c.Direct || c.Sourcing
	if copies && !g.copies.Allow() {
		return nil, errors.New("too many consumers for copies: wait a little")
	}
	if boundPending(c, limits) || copies {
		return json.Marshal(request)
	}
	return body, nil
}
