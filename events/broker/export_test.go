package broker

import (
	"errors"
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
	ids, err := b.statusConns()
	for _, id := range ids {
		err = errors.Join(err, b.srv.DisconnectClientByID(id))
	}
	return len(ids), err
}

// ServedStatuses is how many connections that say statuses the server has.
func (b *Broker) ServedStatuses() (int, error) {
	ids, err := b.statusConns()
	return len(ids), err
}

func (b *Broker) statusConns() (ids []uint64, err error) {
	for _, g := range b.openedGates() {
		list, err := b.srv.Connz(&server.ConnzOptions{Account: g.storage})
		if err != nil {
			return nil, err
		}
		for _, c := range list.Conns {
			if c.Name == g.status.name {
				ids = append(ids, c.Cid)
			}
		}
	}
	return ids, nil
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

// CloseGates closes the connections of the gates, but for those that say statuses.
func (b *Broker) CloseGates() {
	for _, g := range b.openedGates() {
		g.nc.Close()
	}
}
