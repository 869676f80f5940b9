package broker

import (
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// SetCopyIdle sets how long a copy's consumer stays that nobody reads.
func (b *Broker) SetCopyIdle(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.copyIdle = d
}

// Copying is how many consumers for copies the partner's stream has.
func (b *Broker) Copying(a Account) (n int) {
	account, err := b.srv.JszAccount(&server.JSzOptions{Account: a.StorageKey, Streams: true, Consumer: true, DirectConsumer: true})
	if err != nil {
		return 0
	}
	for _, s := range account.Streams {
		n += len(s.DirectConsumer)
	}
	return n
}

// LoseStatuses has the server close the connections that say statuses, and returns
// how many those were.
func (b *Broker) LoseStatuses() (n int, err error) {
	for _, g := range b.openedGates() {
		list, err := b.srv.Connz(&server.ConnzOptions{Account: g.storage})
		if err != nil {
			return n, err
		}
		for _, c := range list.Conns {
			if c.Name == g.status.name {
				n++
				if err := b.srv.DisconnectClientByID(c.Cid); err != nil {
					return n, err
				}
			}
		}
	}
	return n, nil
}

// Statuses is how many connections that say statuses are open.
func (b *Broker) Statuses() (n int) {
	for _, g := range b.openedGates() {
		g.status.mu.Lock()
		if g.status.conn != nil {
			n++
		}
		g.status.mu.Unlock()
	}
	return n
}
