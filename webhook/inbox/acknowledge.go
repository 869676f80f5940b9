package inbox

import "github.com/nats-io/nats.go"

// Answers to a message.
const (
	ackDone     = "+ACK"
	ackProgress = "+WPI"
	ackAgain    = "-NAK"
)

// answer sends answers to messages. One that is lost does no harm: the message
// comes again.
func answer(nc *nats.Conn, what string, messages ...*message) error {
	if !nc.IsConnected() {
		return nats.ErrDisconnected
	}
	for _, m := range messages {
		if err := nc.Publish(m.reply, []byte(what)); err != nil {
			return err
		}
	}
	return nil
}

// done counts a task of each message as done, and removes those from the queue
// of which all are. d.mu is held.
func (d *dispatcher) done(from []*message) {
	for _, m := range from {
		if m.tasks--; m.tasks == 0 {
			d.acknowledge(m)
		}
	}
}

// acknowledge removes a message from the queue. Where that cannot be sent now,
// extend sends it. d.mu is held.
func (d *dispatcher) acknowledge(m *message) {
	if answer(d.in.js.Conn(), ackDone, m) == nil {
		delete(d.held, m.sequence)
	}
}

// extend tells the server that the messages are being worked on.
func (d *dispatcher) extend() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var busy []*message
	for _, m := range d.held {
		if m.tasks > 0 {
			busy = append(busy, m)
		} else {
			d.acknowledge(m)
		}
	}
	return answer(d.in.js.Conn(), ackProgress, busy...)
}

// forget drops what waits for a registration.
func (d *dispatcher) forget(registration string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, it := range d.items {
		if k.registration == registration && it.hint != nil {
			from := it.from
			it.hint, it.from = nil, nil
			d.done(from)
			d.tidy(it)
		}
	}
}
