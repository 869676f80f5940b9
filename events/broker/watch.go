package broker

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// watchEvery is how often the connections of partners are looked at. With very
	// many of them it is less often: watchShare bounds the time that it takes.
	watchEvery = 50 * time.Millisecond
	watchShare = 50
	// maxAnswers bounds the requests of one partner that wait for an answer: the
	// server keeps their replies, of up to maxControlLine bytes.
	maxAnswers = 5000
	// busy is how many messages a connection sends between two looks for it to be
	// taken for the one that asks for so many answers.
	busy = 100
	// maxWatched bounds the connections of one account that are looked at.
	maxWatched = 1 << 16
)

// watch closes the connections of partners who have more kept for them than their
// limits allow, until ctx ends.
func (b *Broker) watch(ctx context.Context) {
	seen := map[uint64]int64{} // messages that a connection had sent
	for {
		begin := time.Now()
		now := map[uint64]int64{}
		for _, g := range b.openedGates() {
			b.watchPartner(g, seen, now)
		}
		seen = now
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(watchEvery, watchShare*time.Since(begin))):
		}
	}
}

func (b *Broker) openedGates() []*gate {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*gate, 0, len(b.gates))
	for _, g := range b.gates {
		list = append(list, g)
	}
	return list
}

// watchPartner looks at the connections of one partner. Seen and now are how many
// messages each had sent at the last look and has sent at this one.
func (b *Broker) watchPartner(g *gate, seen, now map[uint64]int64) {
	account, err := b.srv.LookupAccount(g.account)
	if err != nil || account.NumLocalConnections() == 0 {
		return
	}
	storage, err := b.srv.LookupAccount(g.storage)
	if err != nil {
		return
	}
	list, err := b.srv.Connz(&server.ConnzOptions{Account: g.account, Username: true, Limit: maxWatched})
	if err != nil {
		return // the server stops
	}
	for _, c := range list.Conns {
		now[c.Cid] = c.InMsgs
	}
	g.mu.Lock()
	unread := g.limits.Unread
	g.mu.Unlock()
	for _, c := range unreadBeyond(list.Conns, unread) {
		b.disconnect(g.partner, OffenceUnread, clientOf(c))
	}
	if storage.NumPendingAllResponses() <= maxAnswers || len(list.Conns) == 0 {
		return
	}
	most := slices.MaxFunc(list.Conns, func(x, y *server.ConnInfo) int {
		return cmp.Compare(x.InMsgs-seen[x.Cid], y.InMsgs-seen[y.Cid])
	})
	if most.InMsgs-seen[most.Cid] >= busy {
		b.disconnect(g.partner, OffenceAnswers, clientOf(most))
	}
}

// unreadBeyond returns the connections without which no more than so many bytes
// wait to be read: as few as will do.
func unreadBeyond(conns []*server.ConnInfo, limit int64) (slow []*server.ConnInfo) {
	if limit < 0 {
		return nil
	}
	total := int64(0)
	for _, c := range conns {
		total += int64(c.Pending)
	}
	if total <= limit {
		return nil
	}
	conns = slices.SortedFunc(slices.Values(conns), func(x, y *server.ConnInfo) int { return cmp.Compare(y.Pending, x.Pending) })
	for _, c := range conns {
		if total <= limit {
			break
		}
		total -= int64(c.Pending)
		slow = append(slow, c)
	}
	return slow
}

func clientOf(c *server.ConnInfo) client {
	return client{id: c.Cid, user: c.AuthorizedUser, host: c.IP}
}
