package inbox

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestReceived: what did not come here for certain is not counted as received.
func TestReceived(t *testing.T) {
	t.Parallel()
	type delivery struct{ consumer, stream, times uint64 }
	for name, c := range map[string]struct {
		list []delivery
		want uint64
	}{
		"all":                 {[]delivery{{1, 5, 1}, {2, 6, 1}, {3, 9, 1}}, 9},
		"one went elsewhere":  {[]delivery{{1, 5, 1}, {2, 6, 1}, {4, 9, 1}, {5, 10, 1}}, 6},
		"others came before":  {[]delivery{{7, 5, 1}, {8, 6, 1}}, 0},
		"one comes again":     {[]delivery{{1, 5, 1}, {2, 6, 1}, {3, 5, 2}, {4, 7, 1}}, 7},
		"the consumer is new": {[]delivery{{1, 5, 1}, {3, 9, 1}, {1, 5, 1}, {2, 7, 1}}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			var r received
			for _, d := range c.list {
				r.add(&jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Consumer: d.consumer, Stream: d.stream}, NumDelivered: d.times})
			}
			if r.stream != c.want {
				t.Errorf("got all up to %d, want %d", r.stream, c.want)
			}
		})
	}
}

// TestDoneUpTo: nothing that is still to be done is purged.
func TestDoneUpTo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		single bool
		held   map[uint64]int // tasks by sequence
		want   uint64
	}{
		"all done":            {true, map[uint64]int{3: 0, 4: 0}, 9},
		"one is worked on":    {true, map[uint64]int{3: 0, 5: 2, 7: 1}, 4},
		"one not counted yet": {true, map[uint64]int{3: 0, 12: 1}, 9},
		"other replicas":      {false, map[uint64]int{3: 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDispatcher(&Inbox{options: Options{SingleReplica: c.single}}, Workers{})
			d.received.stream = 9
			for sequence, tasks := range c.held {
				d.held[sequence] = &message{sequence: sequence, tasks: tasks}
			}
			if got := d.doneUpTo(); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
