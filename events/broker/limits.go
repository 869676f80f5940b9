package broker

// Limits bound what a partner can take. 0 is the default, -1 no limit.
type Limits struct {
	Connections   int   `json:"connections,omitempty"`   // open at once; default 16
	Subscriptions int   `json:"subscriptions,omitempty"` // of one connection; default 256
	LeafNodes     int   `json:"leafNodes,omitempty"`     // of the partner's own servers, connected at once; default 4
	Payload       int64 `json:"payload,omitempty"`       // bytes of a request a partner sends; default 512 KiB. What it receives is up to 8 MiB
	Storage       int64 `json:"storage,omitempty"`       // bytes of its stream on disk, set aside for it; nothing is stored once they are used up; default 1 GiB
	Consumers     int   `json:"consumers,omitempty"`     // of its stream; default 64
	Waiting       int   `json:"waiting,omitempty"`       // pulls that wait at one consumer; default 512
	AckPending    int   `json:"ackPending,omitempty"`    // messages of one consumer that were delivered and not acknowledged; default 5,000
	Requests      int   `json:"requests,omitempty"`      // to JetStream's API in a second, over all connections; default 100
	Unread        int64 `json:"unread,omitempty"`        // bytes sent to its connections together that they have not read; default 16 MiB
}

const (
	defaultConnections   = 16
	defaultSubscriptions = 256
	defaultLeafNodes     = 4
	defaultPayload       = 512 << 10
	defaultStorage       = 1 << 30
	defaultConsumers     = 64
	defaultWaiting       = 512 // what the server gives a consumer that asks for nothing
	defaultAckPending    = 5000
	defaultRequests      = 100
	defaultUnread        = 16 << 20
)

// Effective returns the limits with the defaults filled in; -1 is no limit.
func (l Limits) Effective() Limits {
	return Limits{
		Connections:   orDefault(l.Connections, defaultConnections),
		Subscriptions: orDefault(l.Subscriptions, defaultSubscriptions),
		LeafNodes:     orDefault(l.LeafNodes, defaultLeafNodes),
		Payload:       orDefault(l.Payload, defaultPayload),
		Storage:       orDefault(l.Storage, defaultStorage),
		Consumers:     orDefault(l.Consumers, defaultConsumers),
		Waiting:       orDefault(l.Waiting, defaultWaiting),
		AckPending:    orDefault(l.AckPending, defaultAckPending),
		Requests:      orDefault(l.Requests, defaultRequests),
		Unread:        orDefault(l.Unread, defaultUnread),
	}
}

// orDefault reads a limit: 0 is the default, anything below is no limit.
func orDefault[N int | int64](limit, def N) N {
	switch {
	case limit == 0:
		return def
	case limit < 0:
		return -1 // jwt.NoLimit
	}
	return limit
}

// exceeds tells whether a number is above an effective limit.
func exceeds[N int | int64](n, limit N) bool { return limit >= 0 && n > limit }
