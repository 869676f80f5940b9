package main

import (
	"context"
	"net"
	"net/http"
	"time"
)

// How long each step of a stop may take: less than five seconds all together, but
// for the last.
const (
	// lastTime is how long a service that stops still takes requests: each is the
	// last of its connection, so that none is on its way when that is closed.
	lastTime     = 300 * time.Millisecond
	callbackTime = 2500 * time.Millisecond // for callbacks in flight
	adminTime    = time.Second             // for admins' requests in flight
	traceTime    = time.Second             // for the last traces to be sent
	stopTimeout  = 20 * time.Second        // for NATS to write what it has, whatever that takes
)

// shutdown first says that the service is not ready and has callers leave their
// connections, then answers the callbacks that came in, and at last lets go of
// the work: what is not done then comes to another replica, or again after the
// start.
func (s *service) shutdown(ctx context.Context, stopWorking func()) {
	s.phase.value.Store(phaseStopping)
	select {
	case <-time.After(lastTime):
	case <-ctx.Done():
	}
	s.stopListener(ctx, s.public, callbackTime)
	s.stopListener(ctx, s.admin, adminTime)
	stopWorking()
}

// stopListener takes no more requests and lets those in flight come to their
// end. One that dawdles is cut off, without an answer.
func (s *service) stopListener(ctx context.Context, server *http.Server, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off", "err", err)
		_ = server.Close() // it has nothing more to say
	}
}

// close lets go of NATS, last of all.
func (s *service) close(ctx context.Context) error {
	for _, socket := range []net.Listener{s.publicSocket, s.adminSock} {
		if socket != nil {
			_ = socket.Close() // closed already by its server, if that ran
		}
	}
	if s.partners != nil {
		s.partners.Close()
	}
	if s.stopTracing != nil {
		s.flushTraces(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if s.broker != nil {
		return s.broker.Close(ctx)
	}
	if s.nc != nil {
		s.nc.Close()
	}
	return nil
}

// flushTraces sends the last traces. Those that cannot be sent are lost.
func (s *service) flushTraces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, traceTime)
	defer cancel()
	if err := s.stopTracing(ctx); err != nil {
		s.log.Warn("the last traces could not be sent", "err", err)
	}
}
