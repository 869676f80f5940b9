package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// readyTime is how long NATS may take to answer a probe. A server that is gone
// without a word is found within it, before the connection notices.
const readyTime = 2 * time.Second

// phase is how far the service has come in its life.
type phase struct{ value atomic.Int32 }

const (
	phaseStarting int32 = iota
	phaseWorking
	phaseStopping
)

// lastRequests has callers close their connections after the answer, once the
// service stops: a request that comes over one just while it is closed for being
// idle would have no answer.
func (p *phase) lastRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.value.Load() == phaseStopping {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// ready tells which parts cannot do their work, nil if all can: callbacks would
// be stored and worked on. It asks NATS each time and remembers nothing.
func (s *service) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	var wrong []string
	switch s.phase.value.Load() {
	case phaseStopping:
		return errors.New("stopping")
	case phaseStarting:
		wrong = append(wrong, "relay: starting")
	}
	select {
	case <-s.registry.Loaded():
	default:
		wrong = append(wrong, "registry: not loaded yet")
	}
	if err := s.natsAnswers(ctx); err != nil {
		wrong = append(wrong, "NATS: "+err.Error())
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "; "))
}

func (s *service) natsAnswers(ctx context.Context) error {
	if !s.nc.IsConnected() {
		return fmt.Errorf("the connection is %s", strings.ToLower(s.nc.Status().String()))
	}
	if s.broker != nil {
		if err := s.storeThere(); err != nil {
			return err
		}
		if err := s.broker.Health(ctx); err != nil {
			return err
		}
	}
	err := s.inbox.Answers(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the queue does not answer within %v", readyTime)
	}
	return err
}
