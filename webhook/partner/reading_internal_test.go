package partner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestMergeReaders: what is found is added to what is remembered, and neither is
// mistaken for the other.
func TestMergeReaders(t *testing.T) {
	at := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	before := at.Add(-time.Hour)
	partner := &registry.Partner{Name: "acme", CreatedAt: at.Add(-24 * time.Hour), Credentials: []registry.Credential{
		{Name: "erp", PublicKey: "UERP"}, {Name: "bi", PublicKey: "UBI"}, {Name: "edge", PublicKey: "UEDGE", Leaf: true},
	}}
	erp := registry.Reader{Credentials: "erp", Consumer: "orders", Delivered: 40, DeliveredAt: before, SeenAt: before}
	durable := stream.Consumer{Name: "orders", Durable: true, Delivered: 41, DeliveredAt: at, Pending: 9}
	pending := func(n uint64) *uint64 { return &n }
	for name, tt := range map[string]struct {
		known     []registry.Reader
		consumers []stream.Consumer
		users     broker.Readers
		want      []Reader
	}{
		"nothing": {},
		"a durable consumer of before the start keeps its credentials": {
			known: []registry.Reader{erp}, consumers: []stream.Consumer{durable},
			want: []Reader{{Reader: registry.Reader{Credentials: "erp", Consumer: "orders", Delivered: 41, DeliveredAt: at, SeenAt: at}, Present: true, Pending: pending(9)}},
		},
		"who only asks for it does not take it": {
			known: []registry.Reader{erp}, consumers: []stream.Consumer{durable}, users: broker.Readers{Makers: map[string]broker.Maker{"orders": {User: "UBI"}}},
			want: []Reader{{Reader: registry.Reader{Credentials: "erp", Consumer: "orders", Delivered: 41, DeliveredAt: at, SeenAt: at}, Present: true, Pending: pending(9)}},
		},
		"who makes it does": {
			known: []registry.Reader{erp}, consumers: []stream.Consumer{durable}, users: broker.Readers{Makers: map[string]broker.Maker{"orders": {User: "UBI", Certain: true}}},
			want: []Reader{{Reader: registry.Reader{Credentials: "bi", Consumer: "orders", Delivered: 41, DeliveredAt: at, SeenAt: at}, Present: true, Pending: pending(9)}},
		},
		"one that is made again and was given nothing keeps what was": {
			known: []registry.Reader{erp}, consumers: []stream.Consumer{{Name: "orders", Durable: true, Pending: 50}},
			want: []Reader{{Reader: erp, Present: true, Pending: pending(50)}},
		},
		"one that waits is seen now": {
			consumers: []stream.Consumer{{Name: "x", Asking: true}}, users: broker.Readers{Makers: map[string]broker.Maker{"x": {User: "UBI", Certain: true}}},
			want: []Reader{{Reader: registry.Reader{Credentials: "bi", SeenAt: at}, Present: true, Pending: pending(0)}},
		},
		"consumers that are not durable are one reader, as far as the farthest": {
			consumers: []stream.Consumer{{Name: "x", Delivered: 50, DeliveredAt: at}, {Name: "y", Delivered: 7, DeliveredAt: before, Pending: 43}},
			users:     broker.Readers{Makers: map[string]broker.Maker{"x": {User: "UBI", Certain: true}, "y": {User: "UBI", Certain: true}}},
			want:      []Reader{{Reader: registry.Reader{Credentials: "bi", Delivered: 50, DeliveredAt: at, SeenAt: at}, Present: true, Pending: pending(43)}},
		},
		"a stream that was made again has other sequences": {
			known: []registry.Reader{{Credentials: "erp", Consumer: "orders", Delivered: 900, DeliveredAt: before, SeenAt: before}},
			want:  []Reader{{Reader: registry.Reader{Credentials: "erp", Consumer: "orders", SeenAt: before}}},
		},
		"another partner that had the name is forgotten": {
			known: []registry.Reader{{Credentials: "erp", Consumer: "orders", Delivered: 1, DeliveredAt: at.Add(-48 * time.Hour), SeenAt: at.Add(-48 * time.Hour)}},
		},
		"a server of the partner's own copies": {
			users: broker.Readers{Copies: true},
			want:  []Reader{{Reader: registry.Reader{Credentials: "edge", SeenAt: at}, Present: true}},
		},
		"a user whose credentials are gone is nobody": {
			users: broker.Readers{Seen: map[string]time.Time{"UGONE": at}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := sighting{at: at, partner: partner, usage: &stream.Usage{LastSequence: 50, Consumers: tt.consumers}, users: tt.users}
			if diff := cmp.Diff(tt.want, l.merge(tt.known), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("readers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLongGoneReadersAreForgotten: what is remembered is bounded.
func TestLongGoneReadersAreForgotten(t *testing.T) {
	at := time.Now().UTC()
	var known []registry.Reader
	for i := range 2 * maxReaders {
		known = append(known, registry.Reader{Consumer: string(rune('a'+i%26)) + time.Duration(i).String(), SeenAt: at.Add(-time.Duration(i) * time.Second)})
	}
	known = append(known, registry.Reader{Consumer: "old", SeenAt: at.Add(-readerKept)})
	l := sighting{at: at, partner: &registry.Partner{}, usage: &stream.Usage{}}
	if got := l.merge(known); len(got) != maxReaders || got[0].Consumer != known[0].Consumer {
		t.Errorf("got %d readers, the first %q, want the latest %d", len(got), got[0].Consumer, maxReaders)
	}
}
