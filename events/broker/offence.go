package broker

import "time"

// Offence is something by which a partner's connection took, or tried to take,
// more than its limits allow.
type Offence string

// Offences.
const (
	OffenceRequests Offence = "requests" // to JetStream's API: the connection was closed
	OffenceUnread   Offence = "unread"   // what was sent to the connection and not read: it was closed
	OffenceAnswers  Offence = "answers"  // writes that wait for an answer: the connection was closed
	OffencePulls    Offence = "pulls"    // more than the gate hands on: the connection was closed
	OffenceConsumer Offence = "consumer" // beyond the limits: it was refused
)

// Offender is one partner's credentials that offended, and how.
type Offender struct {
	Partner string
	Offence Offence
	User    string    // public key of the credentials' user
	Host    string    // from where, the last time
	Count   uint64    // how often, since the start
	Last    time.Time // when, the last time
}

// client is a connection of a partner's.
type client struct {
	id         uint64 // of the connection at the server
	user, host string // its user's public key, and from where it comes
	leaf       bool   // it is a server of the partner's own
}

// maxOffenders bounds how many offenders are remembered, the latest ones.
const maxOffenders = 1000

type offenderKey struct {
	partner string
	offence Offence
	user    string
}

// offends counts an offence and says so in the log.
func (b *Broker) offends(partner string, o Offence, c client) {
	b.mu.Lock()
	key := offenderKey{partner, o, c.user}
	known := b.offenders[key]
	if known == nil {
		known = &Offender{Partner: partner, Offence: o, User: c.user}
		b.forgetOldest()
		b.offenders[key] = known
	}
	known.Count++
	known.Host, known.Last = c.host, time.Now()
	b.mu.Unlock()
	b.limited.line(b.log.Warn, "partner exceeds its limits", "partner", partner, "limit", string(o), "user", c.user, "host", c.host)
}

// forgetOldest makes room for another offender.
func (b *Broker) forgetOldest() {
	if len(b.offenders) < maxOffenders {
		return
	}
	var oldest offenderKey
	var at time.Time
	for key, o := range b.offenders {
		if at.IsZero() || o.Last.Before(at) {
			oldest, at = key, o.Last
		}
	}
	delete(b.offenders, oldest)
}

// disconnect counts an offence and closes the connection.
func (b *Broker) disconnect(partner string, o Offence, c client) {
	b.offends(partner, o, c)
	if err := b.srv.DisconnectClientByID(c.id); err != nil {
		b.log.Debug("connection of a partner is gone already", "partner", partner, "error", err)
	}
}

// Offenders returns who exceeded a partner's limits since the start, the latest
// ones of many.
func (b *Broker) Offenders() []Offender {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Offender, 0, len(b.offenders))
	for _, o := range b.offenders {
		list = append(list, *o)
	}
	return list
}
