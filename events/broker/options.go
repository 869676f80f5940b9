package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Options says how the server runs. Dir and Master are required.
type Options struct {
	Dir    string         // of this server alone; made with mode 0700
	Master seal.MasterKey // seals the operator's keys, encrypts the store
	// OldMaster is the key before Master, if that was changed: what is still under
	// it is sealed and encrypted under Master before anything else.
	OldMaster seal.MasterKey

	Listen    string      // host:port for partners; "" is 127.0.0.1:4222, port 0 a free one
	PublicURL string      // what partners are told; "" derives it from Listen
	TLS       *tls.Config // of all listeners, see LoadTLS; nil is plain text
	// AllowPlaintext lets the server listen beyond loopback without TLS.
	AllowPlaintext bool

	WebSocketListen string // host:port for browsers; "" is none
	// LeafListen is host:port for partners' own servers; "" is none. Where there
	// is one, the server's JetStream is also reached as domain Domain.
	LeafListen string

	// MaxStore bounds the store on disk, in bytes. The storage limits of all
	// accounts together must fit in it. 0 is no bound: partners' limits are
	// quotas then, and may add up to more than the disk has.
	MaxStore int64

	Log *slog.Logger // of the server and its connections; nil discards
}

const (
	defaultListen = "127.0.0.1:4222"
	// maxPayload is the largest message. An event has a row before and after,
	// of at most 4,000 characters in each of 400 cells.
	maxPayload = 8 << 20
	// maxPending is how many bytes a connection may leave unread before it is
	// closed: the largest message and half of another.
	maxPending = maxPayload * 3 / 2
	// maxBuffered bounds what waits to be stored in one stream, in bytes; more is refused
	// and tried again. It is room for three of the largest batches of events.
	maxBuffered = 24 << 20
	// maxControlLine bounds the line that begins a message: its subjects. The line
	// with a connection's credentials is the longest one.
	maxControlLine = 2 << 10
	// maxSubTokens bounds a subscription's subject: the server keeps a node of its
	// index for each token.
	maxSubTokens = 16
	// noMaxStore is more than any disk has: at 0 the server would take three
	// quarters of what is free at the moment.
	noMaxStore = 1 << 50
	// maxMemory bounds what buckets in memory hold.
	maxMemory = 256 << 20
)

// Domain is the name of the JetStream domain that partners' own servers see
// through a leaf node connection.
const Domain = "sheetbridge"

func (o Options) check() error {
	switch {
	case o.Dir == "":
		return errors.New("no directory")
	case o.Master.IsZero():
		return errors.New("no master key")
	case o.MaxStore < 0:
		return fmt.Errorf("store limit %d is negative", o.MaxStore)
	}
	return nil
}
