package stream

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Stand lets the time pass since the lock was last known to be held.
func (w *Writer) Stand(d time.Duration) { w.confirmedAt = w.confirmedAt.Add(-d) }

// Conn is the connection of the stream.
func (s *Stream) Conn() *nats.Conn { return s.nc }

// MAC is the MAC of a message under a key.
var MAC = mac
