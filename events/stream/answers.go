package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// answers are where the server sends its answers to a few requests, or several to
// one. nats.go would make room for 65,536 of them, half a megabyte each time.
type answers struct {
	inbox string
	sub   *nats.Subscription
	ch    chan *nats.Msg
}

// answers makes room for so many answers. Those that come beyond are dropped.
func (s *Stream) answers(n int) (*answers, error) {
	a := &answers{inbox: s.nc.NewInbox(), ch: make(chan *nats.Msg, n)}
	var err error
	if a.sub, err = s.nc.ChanSubscribe(a.inbox, a.ch); err != nil {
		return nil, fmt.Errorf("subscribing to answers: %w", err)
	}
	return a, nil
}

// next waits for the next answer. Each has a time-out of its own: a slow
// connection may take long for many.
func (a *answers) next(ctx context.Context, within time.Duration) (*nats.Msg, error) {
	select {
	case m := <-a.ch: // one of many that came together needs no timer
		return m, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	select {
	case m := <-a.ch:
		return m, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *answers) close() { _ = a.sub.Unsubscribe() } // a closed connection has no subscriptions either
