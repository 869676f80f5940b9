package broker

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	getCall = "DIRECT.GET."
	// turnsWaiting bounds the requests that wait for their turn; more are refused.
	turnsWaiting = 1000
	// turnTime is how long a turn waits for the next message of its answer: a server that
	// has much to store at the moment takes seconds.
	turnTime = 10 * time.Second
	// maxGet bounds the bytes of one answer. The server queues all of an answer,
	// whether it is read or not.
	maxGet = maxPayload
	// checkUnreadAfter is after how many bytes of answers the gate checks what was
	// not read: clients that ask and do not read are faster than the watch.
	checkUnreadAfter = 1 << 20
)

// byTurns tells whether a request to the API makes the server walk through the
// stream, or answer with much of it.
func byTurns(call string, body []byte) bool {
	return strings.HasPrefix(call, "STREAM.MSG.GET.") || strings.HasPrefix(call, "STREAM.INFO.") && len(body) > 0
}

// queue has a request wait for its turn.
func (g *gate) queue(m *nats.Msg) {
	if g.waiting.Add(int64(m.Size())) <= gatePendingBytes {
		select {
		case g.turns <- m:
			return
		default:
		}
	}
	g.waiting.Add(-int64(m.Size()))
	g.fail(m, http.StatusTooManyRequests, tooMany)
	g.deny(m.Reply)
}

// fail answers a request that cannot be made, as who was asked would.
func (g *gate) fail(m *nats.Msg, code int, why string) {
	if !strings.HasPrefix(m.Subject, gateAPI+getCall) {
		g.refuse(m, code, why)
		return
	}
	g.answerStatus(m, strconv.Itoa(code), why)
}

// answerStatus answers a direct get as a stream does, and a pull as a consumer.
func (g *gate) answerStatus(m *nats.Msg, status, why string) {
	header := nats.Header{statusField: {status}}
	if why != "" {
		header.Set(descriptionField, why)
	}
	g.publishStatus(m.Reply, header)
}

// publishStatus answers with a status, and with what else the header has.
func (g *gate) publishStatus(reply string, header nats.Header) {
	if err := g.status.publish(reply, header); err != nil {
		g.broker.log.Debug("request of a partner not answered", "partner", g.partner, "error", err)
	}
}

// serveTurns makes one request after the other, until ctx ends, so that the server
// never holds more than one answer for the partner.
func (g *gate) serveTurns(ctx context.Context) error {
	inbox := g.nc.NewInbox()
	answers, err := g.nc.SubscribeSync(inbox + ".*")
	if err != nil {
		return err
	}
	g.broker.watched.Go(func() {
		given := 0 // bytes, since it was looked at what is not read
		for turn := uint64(0); ; turn++ {
			select {
			case <-ctx.Done():
				return
			case m := <-g.turns:
				g.waiting.Add(-int64(m.Size()))
				given += g.turn(ctx, m, inbox+"."+strconv.FormatUint(turn, 10), answers)
			}
			if given > checkUnreadAfter {
				given = 0
				if conns, err := g.broker.connectionsOf(g); err == nil {
					g.broker.closeUnread(g, conns)
				}
			}
		}
	})
	return nil
}

// turn makes one request and gives back what comes to the reply. It returns how
// many bytes that were.
func (g *gate) turn(ctx context.Context, m *nats.Msg, reply string, answers *nats.Subscription) (given int) {
	body, many, err := boundGet(m)
	if err != nil {
		g.fail(m, http.StatusRequestTimeout, "Bad Request") // the code is the server's
		return given
	}
	if err := g.nc.PublishRequest(stockAPI+strings.TrimPrefix(m.Subject, gateAPI), reply, body); err != nil {
		g.fail(m, http.StatusServiceUnavailable, "")
		return given
	}
	if !strings.HasPrefix(m.Subject, gateAPI+"STREAM.INFO.") {
		g.readsDirectly(m.Reply)
	}
	for {
		waiting, cancel := context.WithTimeout(ctx, turnTime)
		answer, err := answers.NextMsgWithContext(waiting)
		cancel()
		if errors.Is(err, nats.ErrNoResponders) {
			g.fail(m, http.StatusServiceUnavailable, "")
		}
		if err != nil {
			return given
		}
		if answer.Subject != reply {
			continue // of an earlier turn, which did not wait for it
		}
		if answer.Header.Get(statusField) != "" && len(answer.Data) == 0 {
			if g.flushGiven(ctx, given) {
				g.publishStatus(m.Reply, answer.Header)
			}
			return given + answer.Size()
		}
		answer.Subject, answer.Reply = m.Reply, ""
		if err := g.nc.PublishMsg(answer); err != nil {
			if errors.Is(err, nats.ErrMaxPayload) && g.flushGiven(ctx, given) {
				g.fail(m, http.StatusRequestEntityTooLarge, answerTooLarge)
			}
			return given
		}
		given += answer.Size()
		if !many {
			return given
		}
	}
}

// flushGiven tells whether the server has the bytes that were given of an answer. A
// status goes over a connection of its own, and must come after what it ends.
func (g *gate) flushGiven(ctx context.Context, given int) bool {
	return given == 0 || flush(ctx, g.nc) == nil
}

// boundGet returns the body of a direct get with a bound on its answer, and
// whether that may be several messages.
func boundGet(m *nats.Msg) (body []byte, many bool, err error) {
	var request server.JSApiMsgGetRequest
	if !strings.HasSuffix(m.Subject, getCall+stream) { // the subject says what is asked for
		return m.Data, false, nil
	}
	if err := json.Unmarshal(m.Data, &request); err != nil {
		return nil, false, err
	}
	if request.Batch == 0 && len(request.MultiLastFor) == 0 {
		return m.Data, false, nil
	}
	if request.MaxBytes <= 0 || request.MaxBytes > maxGet {
		request.MaxBytes = maxGet
	}
	body, err = json.Marshal(request)
	return body, true, err
}
