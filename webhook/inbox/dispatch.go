package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	passes          = 64 // at a time in a process
	passesPerToken  = 4
	webhooks        = 32
	webhooksOfToken = 4
	// Passes for single shares are limited by partner too, so that one whose
	// server is slow does not hold up the others of its token.
	sharePasses           = 64
	sharePassesPerToken   = 16
	sharePassesPerPartner = 2

	retryPause      = time.Second
	tooEarlyPause   = 100 * time.Millisecond
	gatherTime      = 100 * time.Millisecond
	schedulesAtOnce = 16
)

// dispatcher holds the hints that this process took, and hands them out.
type dispatcher struct {
	in        *Inbox
	workers   Workers
	schedules chan struct{} // holds a place for each schedule that is being stored
	running   sync.WaitGroup

	mu                             sync.Mutex
	closed                         bool
	held                           map[uint64]*message // by sequence in the stream
	gathering                      bool                // messages; workers are started soon
	received                       received
	finished                       []*message    // to be removed from the queue
	wake                           chan struct{} // holds one while there are such
	compacting                     bool
	compactAt                      int // messages held
	items                          map[key]*item
	pass, whole, webhook, sharePas *pool
}

// message is one of the stream that is not acknowledged.
type message struct {
	sequence uint64
	reply    string // of its last delivery
	tasks    int    // that are not done
}

// item is the work for one key.
type item struct {
	key        key
	hint       *Hint      // merged, waits to be taken; nil: none
	from       []*message // what the hint was in
	queued     bool       // in a pool
	busy       bool       // a worker has what was taken before
	backingOff bool       // it failed a moment ago

	pool *pool
	lane *lane
}

func newDispatcher(in *Inbox, w Workers) *dispatcher {
	return &dispatcher{
		in: in, workers: w, schedules: make(chan struct{}, schedulesAtOnce), wake: make(chan struct{}, 1),
		held: map[uint64]*message{}, items: map[key]*item{}, compactAt: maxMessages,
		pass:     newPool(passes, passesPerToken, passesPerToken),
		whole:    newPool(passes, passesPerToken, passesPerToken),
		webhook:  newPool(webhooks, webhooksOfToken, webhooksOfToken),
		sharePas: newPool(sharePasses, sharePassesPerPartner, sharePassesPerToken),
	}
}

// deliver takes a message.
func (d *dispatcher) deliver(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	held, again := d.hold(meta, m.Reply())
	if again {
		return nil
	}
	registration, isNote := registrationOf(m.Subject())
	if !isNote {
		hints, err := ParseBundle(m.Data())
		if err != nil { // ours alone write here
			d.drop(held)
			return m.TermWithReason("not a bundle")
		}
		d.add(held, hints)
		d.dispatchSoon(ctx, meta.NumPending > 0)
		return nil
	}
	var a addition
	if err := json.Unmarshal(m.Data(), &a); err != nil {
		d.drop(held)
		return m.TermWithReason("not a note")
	}
	a.Schedule.repair(registration)
	d.running.Go(func() {
		d.schedules <- struct{}{}
		defer func() { <-d.schedules }()
		d.applyDue(ctx, held, a, meta.Timestamp)
	})
	return nil
}

// registrationOf returns whose schedule comes under a subject; not ok: none, but
// a bundle.
func registrationOf(subject string) (registration string, ok bool) {
	return strings.TrimPrefix(subject, "inbox."), subject != bundleSubject
}

// hold records that a message is here. It returns whether it was already: then it
// was only delivered once more.
func (d *dispatcher) hold(meta *jetstream.MsgMetadata, reply string) (m *message, again bool) {
	sequence := meta.Sequence.Stream
	d.mu.Lock()
	defer d.mu.Unlock()
	d.received.add(meta)
	if m := d.held[sequence]; m != nil {
		m.reply = reply
		return m, true
	}
	m = &message{sequence: sequence, reply: reply, tasks: 1} // until its hints are added
	d.held[sequence] = m
	return m, false
}

func (d *dispatcher) drop(m *message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.held, m.sequence)
}

// applyDue stores what a schedule has left when it went off, and hands out what was
// due. The order keeps both when the process is killed between.
func (d *dispatcher) applyDue(ctx context.Context, m *message, a addition, stored time.Time) {
	for ctx.Err() == nil {
		now := d.in.clock.now()
		if now.Before(stored) {
			now = stored
		}
		hints, rest := a.due(now)
		replaced, err := d.in.replace(ctx, rest, a.Again)
		switch {
		case err == nil && replaced:
			d.add(m, hints)
			d.dispatchSoon(ctx, false)
			return
		case err == nil: // the next note is about to go off
			pause(ctx, near/4)
		default:
			d.workers.Log.Warn("inbox: cannot store a schedule: trying again", "registration", a.Registration, "err", err)
			pause(ctx, retryPause)
		}
	}
}

// add has the hints of a message worked on.
func (d *dispatcher) add(m *message, hints []*Hint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range hints {
		for _, t := range h.tasks() {
			m.tasks++
			d.addTask(t, m)
		}
	}
	d.done([]*message{m})
}

// dispatchSoon starts the workers that may start. Where more messages are on
// their way it waits for them, for a moment, so that what waited together is
// worked on together.
func (d *dispatcher) dispatchSoon(ctx context.Context, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tooMany() {
		d.compacting = true
		d.running.Go(func() { d.compact(ctx) })
	}
	switch {
	case !more:
		d.dispatch(ctx)
	case !d.gathering:
		d.gathering = true
		time.AfterFunc(gatherTime, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.gathering = false
			d.dispatch(ctx)
		})
	}
}

// addTask merges a task with what waits for its key. d.mu is held.
func (d *dispatcher) addTask(t task, from ...*message) {
	it := d.items[t.key]
	if it == nil {
		it = &item{key: t.key}
		d.items[t.key] = it
	}
	if it.hint == nil {
		it.hint = t.hint
	} else {
		it.hint.Merge(t.hint)
	}
	it.from = append(it.from, from...)
	d.enqueue(it)
}

// enqueue has an item wait for its turn where it can be worked on. d.mu is held.
func (d *dispatcher) enqueue(it *item) {
	if it.hint == nil || it.queued || it.busy || it.backingOff {
		return
	}
	it.queued = true
	token := d.tokenOf(it.key.registration)
	switch {
	case it.key.webhook:
		d.webhook.push(it, token, token)
	case it.key.share != "":
		d.sharePas.push(it, token, token+"\n"+partnerOf(it.key.share))
	case it.key.whole:
		d.whole.push(it, token, token)
	default:
		d.pass.push(it, token, token)
	}
}

func (d *dispatcher) tokenOf(registration string) string {
	if d.workers.Token == nil {
		return ""
	}
	return d.workers.Token(registration)
}

// dispatch starts the workers that may start. d.mu is held.
func (d *dispatcher) dispatch(ctx context.Context) {
	for _, p := range []*pool{d.pass, d.whole, d.sharePas, d.webhook} {
		for !d.closed {
			it := p.next()
			if it == nil {
				break
			}
			it.queued = false
			if it.hint == nil { // it was forgotten
				p.release(it)
				d.tidy(it)
				continue
			}
			h, from := it.hint, it.from
			it.hint, it.from, it.busy = nil, nil, true
			d.running.Go(func() { d.work(ctx, it, h, from) })
		}
	}
}

// work has one worker work on a hint.
func (d *dispatcher) work(ctx context.Context, it *item, h *Hint, from []*message) {
	handle := d.workers.Pass
	if it.key.webhook {
		handle = d.workers.Webhook
	}
	err := handle(ctx, h.clone())
	var early *TooEarlyError
	if err != nil && !errors.As(err, &early) && ctx.Err() == nil {
		d.workers.Log.Warn("inbox: a hint failed and is handed out again", "registration", h.Registration, "err", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	it.busy = false
	it.pool.release(it)
	switch {
	case err == nil:
		d.done(from)
	case early != nil:
		d.backOff(ctx, it, early.Rest, from, tooEarlyPause)
	default:
		d.backOff(ctx, it, h, from, retryPause)
	}
	d.enqueue(it)
	d.tidy(it)
	d.dispatch(ctx)
}

// backOff has a hint wait before it is handed out again. d.mu is held.
func (d *dispatcher) backOff(ctx context.Context, it *item, h *Hint, from []*message, wait time.Duration) {
	if it.hint != nil {
		h.Merge(it.hint)
	}
	it.hint, it.from, it.backingOff = h, append(from, it.from...), true
	time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		it.backingOff = false
		d.enqueue(it)
		d.tidy(it)
		d.dispatch(ctx)
	})
}

// tidy forgets an item with nothing to do. d.mu is held.
func (d *dispatcher) tidy(it *item) {
	if it.hint == nil && !it.busy && !it.queued && !it.backingOff {
		delete(d.items, it.key)
	}
}

// close waits for the workers and hands back what is held: another replica takes
// it at once.
func (d *dispatcher) close(ctx context.Context) {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.running.Wait()
	d.removeSome(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.held {
		_ = answer(d.in.js.Conn(), ackAgain, m) // else it is handed out later
	}
}
