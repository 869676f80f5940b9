package relay

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Shares of the embedded server that compare a whole sheet work a few at a time. Who
// waits for a server elsewhere, or for few rows, waits beside more others.
func TestSharesAtOnce(t *testing.T) {
	here, elsewhere := &registry.Partner{}, &registry.Partner{External: &registry.External{}}
	processors := min(sharesAtOnce, max(2, runtime.GOMAXPROCS(0)))
	for name, tt := range map[string]struct {
		hint     inbox.Hint
		partners *partner.Partners
		partner  *registry.Partner
		want     int
	}{
		"whole sheet, embedded":          {inbox.Hint{Whole: true}, &partner.Partners{Broker: &broker.Broker{}}, here, processors},
		"whole sheet, partner elsewhere": {inbox.Hint{Whole: true}, &partner.Partners{Broker: &broker.Broker{}}, elsewhere, sharesAtOnce},
		"whole sheet, external server":   {inbox.Hint{Whole: true}, &partner.Partners{}, here, sharesAtOnce},
		"some rows, embedded":            {inbox.Hint{}, &partner.Partners{Broker: &broker.Broker{}}, here, sharesAtOnce},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &Relay{Partners: tt.partners}
				var shares []*shareSync
				for range 3 * sharesAtOnce {
					shares = append(shares, &shareSync{relay: r, plan: &plan{hint: &tt.hint}, partner: tt.partner})
				}
				var begun atomic.Int32
				proceed, ended := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(ended)
					eachDoes(t.Context(), shares, pagePatience, func(context.Context, *shareSync) error {
						begun.Add(1)
						<-proceed
						return nil
					})
				}()
				synctest.Wait()
				if got := int(begun.Load()); got != tt.want {
					t.Errorf("got %d shares at once, want %d", got, tt.want)
				}
				close(proceed)
				<-ended
				if got := int(begun.Load()); got != len(shares) {
					t.Errorf("got %d shares in all, want %d", got, len(shares))
				}
			})
		})
	}
}
