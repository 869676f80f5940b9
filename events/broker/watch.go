package broker

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// watchEvery is how often it is looked at what partners have kept for them. With
	// many partners it is less often: each adds watchMore to the pause.
	watchEvery = 10 * time.Millisecond
	watchMore  = 50 * time.Microsecond
	// watchBytes is after how many bytes that were sent to a partner its connections
	// are looked at: no more than that can be unread in addition.
	watchBytes = 1 << 20
	// busy is how many messages a connection sends between two looks for it to be
	// taken for one that asks for too much.
	busy = 100
	// maxWatched bounds the connections of one account that are looked at.
	maxWatched = 1 << 16
)

// maxAnswers bounds the writes of one partner that wait for an answer: the server
// keeps their replies, of up to maxControlLine bytes, for answerThreshold where they
// are not answered.
const maxAnswers = 4 << 10

// watched is what was found at a partner's the last time.
type watched struct {
	sent    int64            // bytes to its connections, when those were looked at
	pulls   int              // that the gate did not take
	refused int64            // requests and acknowledgements that it did not take
	inMsgs  map[uint64]int64 // messages that a connection had sent, nil where those of the last look were not counted
}

// watch closes the connections of partners who have more kept for them than their
// limits allow, until ctx ends.
func (b *Broker) watch(ctx context.Context) {
	seen := map[*gate]*watched{}
	for {
		gates := b.openedGates()
		sent := b.sentTo(gates)
		for g := range seen {
			if !slices.Contains(gates, g) {
				delete(seen, g)
			}
		}
		for _, g := range gates {
			if seen[g] == nil {
				seen[g] = &watched{}
			}
			b.watchPartner(g, sent[g.account]+sent[g.storage], seen[g])
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchEvery + time.Duration(len(gates))*watchMore):
		}
	}
}

// sentTo returns how many bytes were sent to partners since the start, by public
// key of an account: for events that is the account of the stream.
func (b *Broker) sentTo(gates []*gate) map[string]int64 {
	var accounts []string
	for _, g := range gates {
		accounts = append(accounts, g.account, g.storage)
	}
	sent := map[string]int64{}
	if len(accounts) == 0 {
		return sent
	}
	stats, err := b.srv.AccountStatz(&server.AccountStatzOptions{Accounts: accounts})
	if err != nil {
		return sent
	}
	for _, account := range stats.Accounts {
		sent[account.Account] = account.Sent.Bytes
	}
	return sent
}

// answersOf is how many writes of a partner wait for an answer.
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

// watchPartner looks at one partner, to whom so many bytes were sent since the
// start.
func (b *Broker) watchPartner(g *gate, sent int64, last *watched) {
	answers, pulls, refused := b.answersOf(g), droppedOf(g.pulls), g.unknown.Load()+int64(droppedOf(g.requests)+droppedOf(g.acks))
	before, morePulls, moreRefused := last.inMsgs, pulls > last.pulls, refused > last.refused
	last.inMsgs, last.pulls, last.refused = nil, pulls, refused
	asks := answers > maxAnswers/2 || morePulls || moreRefused
	if !asks && sent-last.sent < watchBytes {
		return
	}
	conns, err := b.connectionsOf(g)
	if err != nil {
		return // the server stops
	}
	last.sent = sent
	b.closeUnread(g, conns)
	if !asks {
		return
	}
	last.inMsgs = map[uint64]int64{}
	for _, c := range conns {
		last.inMsgs[c.Cid] = c.InMsgs
	}
	if before == nil {
		return // who asks the next look tells
	}
	if morePulls {
		b.closeBusy(g, OffencePulls, conns, before, busy)
	}
	if moreRefused {
		b.closeBusy(g, OffenceRequests, conns, before, busy)
	}
	if answers > maxAnswers {
		// The server forgets a reply at once when nobody is left who would get it. So
		// where closing who asks did not help, all of the partner's connections go.
		least := int64(busy)
		if answers > 2*maxAnswers {
			least = 0
		}
		b.closeBusy(g, OffenceAnswers, conns, before, least)
	}
}

// droppedOf is how many messages came to a subscription in vain.
func droppedOf(sub *nats.Subscription) int {
	dropped, _ := sub.Dropped() // without a subscription there are none
	return dropped
}

// closeBusy closes the connections that sent so many messages since before.
func (b *Broker) closeBusy(g *gate, o Offence, conns []*server.ConnInfo, before map[uint64]int64, least int64) {
	for _, c := range conns {
		if c.InMsgs-before[c.Cid] >= least {
			b.disconnect(g.partner, o, clientOf(c))
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
