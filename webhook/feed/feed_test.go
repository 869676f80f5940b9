package feed_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/feed"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// A follower that takes nothing is waited for by nobody: everything is published, and
// another follower is told of it. It is cut when it takes something again, being too
// far behind by then.
func TestSlowFollowerIsCut(t *testing.T) {
	b := webhooktest.NewBridge(t, smartsheettest.New(t), webhooktest.Options{NoRelay: true})
	b.AddPartner("acme")
	eventstest.Await(t, "the partner is known", func() bool { return b.Registry.Partner("acme") != nil })
	st, err := b.Partners.Stream(t.Context(), b.Registry.Partner("acme"))
	webhooktest.Must(t, err)
	share := &events.Share{
		Partner: "acme", Sheet: "orders", SheetID: 7, Region: "us", Revision: 1,
		Fields: []events.Field{{Name: "no", ColumnID: 1, Type: "TEXT_NUMBER"}}, Kinds: []events.Kind{events.KindRow},
	}
	writer := st.NewWriter(share, 0)
	webhooktest.Must(t, writer.Begin(t.Context(), time.Now(), events.SchemaData{Revision: 1, Schema: share.Schema()}, events.StatusData{State: events.StateLive}))

	f := &feed.Feed{Registry: b.Registry, Streams: b.Partners}
	fromTheBeginning := strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 10)
	begun, release, cut := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		cut <- f.Follow(t.Context(), feed.Filter{}, fromTheBeginning, func(feed.Item) error {
			select {
			case begun <- struct{}{}:
			default:
			}
			<-release
			return nil
		})
	}()
	var rows atomic.Int64
	go func() {
		_ = f.Follow(t.Context(), feed.Filter{Kinds: []string{"row"}}, fromTheBeginning, func(item feed.Item) error {
			if item.Event != nil {
				rows.Add(1)
			}
			return nil
		})
	}()
	<-begun
	const atOnce = 3_500
	for n := int64(1); n <= 3; n++ {
		for row := (n-1)*atOnce + 1; row <= n*atOnce; row++ {
			e, err := share.ObjectEvent(events.KindRow, row, "created", time.Now(), events.ObjectData{After: events.Object{{Name: "no", JSON: json.RawMessage("1")}}})
			webhooktest.Must(t, err)
			webhooktest.Must(t, writer.Add(e))
		}
		_, err := writer.Flush(t.Context(), time.Now(), events.StatusData{State: events.StateLive})
		webhooktest.Must(t, err)
		eventstest.Await(t, "the other follower is told", func() bool { return rows.Load() == n*atOnce })
	}
	close(release)
	if err := <-cut; !errors.Is(err, feed.ErrSlow) {
		t.Errorf("got %v for the slow follower, want %v", err, feed.ErrSlow)
	}
}
