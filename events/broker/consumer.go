package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Bounds of a reader's consumer that no limit changes: what the server keeps of
// it in memory, whatever it is asked for.
const (
	maxBackOff  = 32
	maxFilters  = 64
	maxText     = 4 << 10 // of description and metadata together, bytes
	maxGroups   = 16
	maxDuration = 366 * 24 * time.Hour
	// No subject of the stream is as long as these, nor has as many tokens.
	maxFilter       = 512 // bytes
	maxFilterTokens = 16
	// minAckWait bounds how often the server walks through what was delivered and
	// not acknowledged, with nobody connected too.
	minAckWait = time.Second
	// defaultHeartbeat is what flow control needs.
	defaultHeartbeat = 30 * time.Second
	// maxCopyIdle is how long a copy's consumer stays that nobody reads.
	maxCopyIdle = 5 * time.Minute
)

// checkConsumer returns why a reader's consumer must not be made under the limits.
func checkConsumer(c *server.ConsumerConfig, l Limits) error {
	switch {
	case exceeds(c.MaxWaiting, l.Waiting):
		return fmt.Errorf("max_waiting is %d, at most %d pulls may wait", c.MaxWaiting, l.Waiting)
	case len(c.BackOff) > maxBackOff:
		return fmt.Errorf("backoff has %d steps, want at most %d", len(c.BackOff), maxBackOff)
	case len(c.FilterSubjects) > maxFilters:
		return fmt.Errorf("filter_subjects has %d subjects, want at most %d", len(c.FilterSubjects), maxFilters)
	case len(c.PriorityGroups) > maxGroups:
		return fmt.Errorf("priority_groups has %d groups, want at most %d", len(c.PriorityGroups), maxGroups)
	case textOf(c) > maxText:
		return fmt.Errorf("description, metadata and names have more than %d bytes", maxText)
	case c.InactiveThreshold > maxDuration:
		return fmt.Errorf("inactive_threshold is longer than a year")
	case c.DeliverGroup != "" && c.AckPolicy == server.AckNone:
		return errors.New("a consumer with deliver_group must be one that is acknowledged: nothing else tells that its messages are read")
	case c.AckWait > 0 && c.AckWait < minAckWait:
		return fmt.Errorf("ack_wait is %s, want at least %s", c.AckWait, minAckWait)
	}
	for _, step := range c.BackOff {
		if step < minAckWait {
			return fmt.Errorf("backoff has a step of %s, want at least %s", step, minAckWait)
		}
	}
	for _, filter := range append([]string{c.FilterSubject}, c.FilterSubjects...) {
		if len(filter) > maxFilter || strings.Count(filter, ".") >= maxFilterTokens {
			return fmt.Errorf("a filter has %d bytes and %d tokens, want at most %d and %d", len(filter), strings.Count(filter, ".")+1, maxFilter, maxFilterTokens)
		}
	}
	return checkDelivery(c.DeliverSubject)
}

// checkCopying returns why a consumer must not be made that the server does not
// count among those of the stream, since it feeds a copy: those are for servers of
// the partner's own, and go when nobody has read them for so long.
func checkCopying(c *server.ConsumerConfig, byLeaf bool, idle time.Duration) error {
	switch {
	case !c.Direct && !c.Sourcing:
		return nil
	case !byLeaf:
		return errors.New("direct and sourcing are for servers that copy the stream over a leaf node connection")
	case c.Durable != "":
		return errors.New("a consumer for a copy must not be durable")
	}
	if c.InactiveThreshold <= 0 || c.InactiveThreshold > idle {
		c.InactiveThreshold = idle
	}
	return nil
}

// boundPending bounds what the consumer delivers before it hears of its reader,
// and tells whether it changed anything for that.
func boundPending(c *server.ConsumerConfig, l Limits) (changed bool) {
	switch {
	case c.AckPolicy != server.AckNone:
		if l.AckPending >= 0 && (c.MaxAckPending < 0 || c.MaxAckPending > l.AckPending) {
			c.MaxAckPending = l.AckPending // older clients ask for 65,536 unasked
			return true
		}
	case c.DeliverSubject != "" && c.DeliverGroup == "" && !c.FlowControl:
		// It would deliver all of the stream at once, read or not. Clients answer the
		// server's flow control by themselves.
		c.FlowControl = true
		if c.Heartbeat == 0 {
			c.Heartbeat = defaultHeartbeat
		}
		return true
	}
	return false
}

// textOf is how many bytes of text the consumer has beside its filters.
func textOf(c *server.ConsumerConfig) int {
	n := len(c.Description) + len(c.DeliverGroup) + len(c.DeliverSubject) + len(c.SampleFrequency)
	for key, value := range c.Metadata {
		n += len(key) + len(value)
	}
	for _, group := range c.PriorityGroups {
		n += len(group)
	}
	return n
}

// checkDelivery returns why a push consumer must not deliver there: elsewhere
// than to clients' inboxes, and to copies, nobody in the partner's account
// would get it.
func checkDelivery(subject string) error {
	if subject == "" {
		return nil
	}
	for _, prefix := range []string{"_INBOX.", "$JS.M.", "$JS.S."} {
		if strings.HasPrefix(subject, prefix) {
			return nil
		}
	}
	return fmt.Errorf("deliver_subject must begin with _INBOX")
}
