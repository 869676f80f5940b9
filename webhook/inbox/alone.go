package inbox

import (
	"context"
	"fmt"
)

// Alone tells whether no other process is at work on hints, as the queue knows. One
// that was handed a hint longer ago, and is taken for dead since, does not count:
// see [Hint.Again].
func (in *Inbox) Alone(ctx context.Context) (bool, error) {
	if in.options.SingleReplica {
		return true, nil
	}
	before := in.heldMessages()
	consumer, err := in.stream.Consumer(ctx, consumerName)
	if err != nil {
		return false, fmt.Errorf("asking who works on hints: %w", err)
	}
	held := 0 // here, all the time
	for m := range in.heldMessages() {
		if before[m] {
			held++
		}
	}
	return consumer.CachedInfo().NumAckPending <= held, nil
}

// heldMessages are the messages that this process holds.
func (in *Inbox) heldMessages() map[*message]bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	held := map[*message]bool{}
	for d := range in.dispatchers {
		d.mu.Lock()
		for _, m := range d.held {
			held[m] = true
		}
		d.mu.Unlock()
	}
	return held
}
