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
