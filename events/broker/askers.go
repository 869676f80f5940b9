package broker

import (
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// lookupsEach bounds how often in a second the gate looks up who waits for an answer.
const lookupsEach = 50

// askersOf returns the connections of an account to which an answer to the reply
// goes. That is who asked, as far as anybody can tell: what the server says of itself
// about a request costs it memory for each.
func (b *Broker) askersOf(account, reply string) (list []client) {
	if isLeafInbox(reply) {
		return b.leafAskers(account, reply)
	}
	acc, err := b.srv.LookupAccount(account)
	if err != nil || acc.NumLocalConnections() == 0 {
		return nil
	}
	conns, err := b.srv.Connz(&server.ConnzOptions{Account: account, Username: true, Subscriptions: true, Limit: maxWatched})
	if err != nil { // the server stops
		return nil
	}
	for _, c := range conns.Conns {
		if receives(c.Subs, reply) {
			list = append(list, clientOf(c))
		}
	}
	return list
}

func (b *Broker) leafAskers(account, reply string) (list []client) {
	leafs, err := b.srv.Leafz(&server.LeafzOptions{Account: account, Subscriptions: true})
	if err != nil {
		return nil
	}
	for _, l := range leafs.Leafs {
		if !receives(l.Subs, reply) {
			continue
		}
		c := client{id: l.ID, host: l.IP, leaf: true}
		if conn := b.srv.GetLeafNode(l.ID); conn != nil {
			if claims, err := jwt.DecodeUserClaims(conn.GetOpts().JWT); err == nil {
				c.user = claims.Subject
			}
		}
		list = append(list, c)
	}
	return list
}

func receives(subscriptions []string, subject string) bool {
	return slices.ContainsFunc(subscriptions, func(s string) bool { return server.SubjectMatchesFilter(subject, s) })
}

// asker is the connection to which an answer goes; nothing is known of it where
// there is none, or where others of other users get it too.
func (g *gate) asker(reply string) client {
	list := g.broker.askersOf(g.account, reply)
	if len(list) == 0 || slices.ContainsFunc(list, func(c client) bool { return c.user != list[0].user }) {
		return client{}
	}
	return list[0]
}

// userOf is the user whom an answer reaches, empty where that is not known. A
// client's inboxes begin alike, so that not each has to be looked for.
func (g *gate) userOf(reply string) string {
	inbox := reply
	if rest, ok := strings.CutPrefix(reply, inboxes); ok {
		client, _, _ := strings.Cut(rest, ".")
		inbox = inboxes + client
	}
	g.mu.Lock()
	user, known := g.users[inbox]
	g.mu.Unlock()
	if known || !g.lookups.Allow() {
		return user
	}
	if user = g.asker(reply).user; user == "" {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.users) >= maxMakers {
		clear(g.users)
	}
	g.users[inbox] = user
	return user
}
