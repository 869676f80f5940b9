package smartsheettest

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// Wait returns when no callback is due, waiting for its debounce or a retry,
// or in flight, or with ctx's error. Callbacks that were held do not count.
func (s *Server) Wait(ctx context.Context) error {
	for {
		s.lock()
		busy, idle := s.workers > 0, s.idle
		s.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wake has the webhook's worker look at what there is to do; there is one only
// while there is something. The caller holds s.mu.
func (s *Server) wake(w *webhook) {
	switch {
	case s.closed:
	case w.working:
		w.poke()
	default:
		w.working = true
		s.workers++
		if s.workers == 1 {
			s.idle = make(chan struct{})
		}
		s.running.Go(func() { s.work(w) })
	}
}

// work delivers one callback of a webhook after the other.
func (s *Server) work(w *webhook) {
	for {
		s.mu.Lock()
		d, pause := s.take(w)
		if d == nil && pause <= 0 {
			w.working = false
			s.workers--
			if s.workers == 0 {
				close(s.idle)
			}
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if d != nil {
			s.deliver(w, d)
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-w.woken:
		case <-s.life.done:
		}
		timer.Stop()
	}
}

// take is the next thing to deliver, or how long until there may be one.
func (s *Server) take(w *webhook) (*delivery, time.Duration) {
	switch {
	case s.closed || w.deleted:
		return nil, 0
	case len(w.news) > 0:
		d := &delivery{kind: "status", epoch: w.epoch, status: w.news[0]}
		w.news = w.news[1:]
		return d, 0
	case len(w.pending) == 0:
		return nil, 0
	}
	if pause := time.Until(w.due); pause > 0 {
		return nil, pause
	}
	d := &delivery{kind: "events", epoch: w.epoch, events: w.pending}
	w.pending = nil
	return d, 0
}

// deliver sends a callback until it is acknowledged, void or given up.
func (s *Server) deliver(w *webhook, d *delivery) {
	if !s.stillVerified(w, d) {
		return
	}
	nonce, at := uuid.NewString(), s.now()
	for retry := 0; retry <= maxRetries; retry++ {
		if retry > 0 && !s.backOff(w, d, retry) {
			return
		}
		if s.FreshNonces {
			nonce = uuid.NewString()
		}
		status, sent := s.attempt(w, d, nonce, at, retry)
		if !sent {
			return
		}
		switch verdict(status) {
		case acknowledged:
			s.acknowledge(w)
			return
		case refused:
			s.giveUp(w, d)
			return
		}
	}
	s.giveUp(w, d)
}

// stillVerified repeats the verification before every hundredth callback.
func (s *Server) stillVerified(w *webhook, d *delivery) bool {
	s.mu.Lock()
	due, id, url := d.kind == "events" && w.sinceVerified >= verifyEvery, w.id, w.url
	s.mu.Unlock()
	if !due {
		return true
	}
	verified := s.verify(id, url)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.epoch != d.epoch || w.deleted:
		return false
	case !verified:
		s.disable(w, statusUnverified)
		return false
	}
	w.sinceVerified = 0
	return true
}

// attempt sends a callback once, unless a fault wants it otherwise. It reports
// the status of the answer, and whether the delivery was still wanted.
func (s *Server) attempt(w *webhook, d *delivery, nonce string, at time.Time, retry int) (status int, sent bool) {
	s.mu.Lock()
	if s.closed || w.deleted || d.kind == "events" && w.epoch != d.epoch {
		s.mu.Unlock()
		return 0, false
	}
	m, err := s.message(w, d, nonce, at)
	w.lastAttempt, w.lastRetries = s.now(), retry
	hook := s.callbackFault
	s.mu.Unlock()
	if err != nil {
		s.log().Error("callback not made", "webhook", w.id, "err", err)
		return 0, false
	}
	fault := Deliver
	if hook != nil {
		fault = hook(Callback{Time: at, WebhookID: m.webhook, Kind: m.kind, Retry: retry, URL: m.url, Header: m.header, Body: m.body})
	}
	switch fault {
	case Drop:
		return http.StatusOK, true
	case Hold:
		s.mu.Lock()
		s.held[w.id] = append(s.held[w.id], m)
		s.mu.Unlock()
		return http.StatusOK, true
	}
	status, _, _ = s.post(m, retry)
	if fault == Duplicate {
		s.post(m, retry)
	}
	s.sendHeld(w.id)
	if fault == LoseAnswer {
		status = 0
	}
	return status, true
}

// sendHeld sends what was held of a webhook, once.
func (s *Server) sendHeld(id int64) {
	s.mu.Lock()
	held := s.held[id]
	delete(s.held, id)
	s.mu.Unlock()
	for _, m := range held {
		s.post(m, 0)
	}
}

// ReleaseHeld sends all callbacks that faults held back and waits for their
// answers, whatever these are.
func (s *Server) ReleaseHeld() {
	s.lock()
	ids := make([]int64, 0, len(s.held))
	for id := range s.held {
		ids = append(ids, id)
	}
	s.mu.Unlock()
	for _, id := range ids {
		s.sendHeld(id)
	}
}

// Replay sends a callback of the log once more, byte for byte, as somebody who
// recorded it could. It returns the status of the answer, 0 if none came.
func (s *Server) Replay(cb Callback) int {
	status, _, _ := s.post(message{cb.WebhookID, cb.Kind, cb.URL, cb.Header, cb.Body}, cb.Retry)
	return status
}

// backOff waits before a retry; false means that the delivery is void.
func (s *Server) backOff(w *webhook, d *delivery, retry int) bool {
	pause := DefaultRetryBackoff
	if s.RetryBackoff != nil {
		pause = s.RetryBackoff
	}
	timer := time.NewTimer(pause(retry))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-s.life.done:
			return false
		case <-w.woken:
			s.mu.Lock()
			void := w.deleted || w.epoch != d.epoch
			s.mu.Unlock()
			if void {
				return false
			}
		}
	}
}

func (s *Server) acknowledge(w *webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.lastSuccess = s.now()
	w.sinceVerified++
}

// giveUp disables a webhook whose callback was refused or never acknowledged.
func (s *Server) giveUp(w *webhook, d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.epoch == d.epoch && w.enabled {
		s.disable(w, statusCallbackFailed)
	}
}

type answered int

const (
	acknowledged answered = iota
	retriable
	refused
)

// verdict is what an answer's status means for its callback.
func verdict(status int) answered {
	switch {
	case status == http.StatusOK:
		return acknowledged
	case status == 0, status >= 400 && status < 600 && status != http.StatusGone:
		return retriable
	}
	return refused
}
