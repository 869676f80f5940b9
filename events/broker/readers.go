package broker

import (
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// maxMakers bounds the consumers of one partner whose makers are remembered.
const maxMakers = 4096

// Readers are who of a partner's users reads, as the server and the partner's gate
// see it. Users are named by their public keys.
type Readers struct {
	Makers map[string]Maker     // of consumers that are there, by the consumer's name, since the start
	Seen   map[string]time.Time // when a user last read without a consumer: with direct gets, or a subscription, which it may have still
	Copies bool                 // a server of the partner's own is connected, which may copy the stream
}

// Maker is the user that made a consumer.
type Maker struct {
	User    string
	Certain bool // else the user has only asked for it
}

// Readers returns who reads of the partner that has the account.
func (b *Broker) Readers(a Account) Readers {
	r := Readers{Makers: map[string]Maker{}, Seen: map[string]time.Time{}}
	b.mu.Lock()
	g := b.gates[a.StorageKey]
	b.mu.Unlock()
	if g == nil {
		return r
	}
	g.mu.Lock()
	r.Makers, r.Seen = maps.Clone(g.makers), maps.Clone(g.seen)
	g.mu.Unlock()
	account, err := b.srv.LookupAccount(a.PublicKey)
	if err != nil {
		return r
	}
	if r.Copies = account.NumLeafNodes() > 0; account.NumLocalConnections() == 0 {
		return r
	}
	list, err := b.srv.Connz(&server.ConnzOptions{Account: a.PublicKey, Username: true, Subscriptions: true, Limit: maxWatched})
	if err != nil { // the server stops
		return r
	}
	for _, c := range list.Conns {
		for _, subject := range c.Subs {
			if strings.HasPrefix(subject, "smartsheet.") {
				r.Seen[c.AuthorizedUser] = time.Now()
			}
		}
	}
	return r
}

// readsDirectly notes that a user was given messages without a consumer.
func (g *gate) readsDirectly(reply string) {
	user := g.userOf(reply)
	if user == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.seen) >= maxMakers {
		clear(g.seen)
	}
	g.seen[user] = time.Now()
}

// recordMaker remembers who makes a consumer, or asks for one that was made before the
// gate started.
func (g *gate) recordMaker(call, reply string) {
	name, certain := consumerOf(call)
	if name == "" {
		return
	}
	user := g.userOf(reply)
	if user == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.makers[name]; known && !certain {
		return
	}
	if len(g.makers) >= maxMakers {
		clear(g.makers)
	}
	g.makers[name] = Maker{user, certain}
}

// consumerOf is the consumer that a call of JetStream's API makes, or only asks for.
func consumerOf(call string) (name string, makes bool) {
	for prefix, makes := range map[string]bool{
		"CONSUMER.CREATE." + stream + ".": true, "CONSUMER.DURABLE.CREATE." + stream + ".": true, "CONSUMER.INFO." + stream + ".": false,
	} {
		if rest, ok := strings.CutPrefix(call, prefix); ok {
			name, _, _ := strings.Cut(rest, ".") // a filter may follow
			return name, makes
		}
	}
	return "", false
}
