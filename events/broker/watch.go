package broker

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// watchEvery is how often the answers that partners wait for are counted, and
	// connectionsEvery how often the connections are looked at. With very many of
	// them it is less often: a pause is watchShare times as long as a look, and
	// watchMost at most.
	watchEvery       = 20 * time.Millisecond
	connectionsEvery = 60 * time.Millisecond
	watchShare       = 10
	watchMost        = time.Second
	// maxAnswers bounds the requests of one partner that wait for an answer: the
	// server keeps their replies, of up to maxControlLine bytes. A pull counts for
	// pullThreshold after its last message, where its reply is used for others too:
	// some clients pull one message after the other so.
	maxAnswers = 20_000
	// busy is how many messages a connection sends between two looks for it to be
	// taken for one that asks for so many answers.
	busy = 100
	// maxWatched bounds the connections of one account that are looked at.
	maxWatched = 1 << 16
)

// watch closes the connections of partners who have more kept for them than their
// limits allow, until ctx ends.
func (b *Broker) watch(ctx context.Context) {
	seen := map[uint64]int64{} // messages that a connection had sent
	var looked time.Time
	for {
		begin := time.Now()
		all := begin.Sub(looked) >= connectionsEvery
		now := map[uint64]int64{}
		for _, g := range b.openedGates() {
			if answers := b.answersOf(g); all || answers > maxAnswers {
				b.watchPartner(g, answers, seen, now)
			}
		}
		if all {
			seen, looked = now, begin
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(watchMost, max(watchEvery, watchShare*time.Since(begin)))):
		}
	}
}

// answersOf is how many requests of a partner wait for an answer.
func (b *Broker) answersOf(g *gate) int {
	storage, err := b.srv.LookupAccount(g.storage)
	if err != nil {
		return 0
	}
	return storage.NumPendingAllResponses()
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

// watchPartner looks at the connections of one partner, who waits for so many
// answers. Seen and now are how many messages each had sent at the last look at
// all of them and has sent now.
func (b *Broker) watchPartner(g *gate, answers int, seen, now map[uint64]int64) {
	conns, err := b.connectionsOf(g)
	if err != nil {
		return // the server stops
	}
	for _, c := range conns {
		now[c.Cid] = c.InMsgs
	}
	b.closeUnread(g, conns)
	if answers <= maxAnswers {
		return
	}
	// The server forgets a reply at once when nobody is left who would get it. So
	// where closing who asks did not help, all of the partner's connections go.
	all := answers > 2*maxAnswers
	for _, c := range conns {
		if all || c.InMsgs-seen[c.Cid] >= busy {
			b.disconnect(g.partner, OffenceAnswers, clientOf(c))
		}
	}
}

// connectionsOf are the open connections of a partner's users.
func (b *Broker) connectionsOf(g *gate) ([]*server.ConnInfo, error) {
	account, err := b.srv.LookupAccount(g.account)
	if err != nil || account.NumLocalConnections() == 0 {
		return nil, err
	}
	list, err := b.srv.Connz(&server.ConnzOptions{Account: g.account, Username: true, Limit: maxWatched})
	if err != nil {
		return nil, err
	}
	return list.Conns, nil
}

// closeUnread closes the connections of a partner that leave more unread together
// than its limit allows.
func (b *Broker) closeUnread(g *gate, conns []*server.ConnInfo) {
	g.mu.Lock()
	unread := g.limits.Unread
	g.mu.Unlock()
	for _, c := range unreadBeyond(conns, unread) {
		b.disconnect(g.partner, OffenceUnread, clientOf(c))
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
