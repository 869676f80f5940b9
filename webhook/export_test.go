package webhook

import "time"

// SetTimeouts sets for how long a body may drip in, and for how long it waits
// for others. It must be called before Handler.
func (rc *Receiver) SetTimeouts(body, room time.Duration) {
	rc.bodyTimeout, rc.roomTimeout = body, room
}

// HoldLookups takes all the room there is for looking keys up. Handler must have
// been called.
func (rc *Receiver) HoldLookups() { _ = rc.lookups.TryAcquire(lookupsAtOnce) }
