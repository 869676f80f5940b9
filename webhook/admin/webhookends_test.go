package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// A client that hangs up while a webhook is made leaves nothing behind.
func TestHangUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	ctx, cancel := context.WithCancelCause(t.Context())
	w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if r.Method == http.MethodPut {
			cancel(errStop)
		}
		return nil
	})
	req, err := http.NewRequestWithContext(ctx, "POST", w.url+"/v1/webhooks", strings.NewReader(w.request(share)))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+writer)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Fatal("got an answer, want none")
	}
	for {
		changed := w.registry.Changed()
		regs := w.registry.Registrations()
		if len(regs) == 0 || regs[0].Phase == registry.PhaseActive {
			break // removed, or Smartsheet was faster than we
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			t.Fatalf("got %+v, want it removed", regs[0].Phase)
		}
	}
}

// A webhook that Smartsheet does not let go of is deleted later: nobody sees it
// any more, and its owner cannot be removed before.
func TestDeleteLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	id := w.registered()
	w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if r.Method == http.MethodDelete {
			return &smartsheettest.Fault{Status: 403, HTML: true}
		}
		return nil
	})
	if got := w.ok(202, "DELETE", "/v1/webhooks/"+id, ""); got.text1("accepted") != "delete" {
		t.Errorf("got %s, want it accepted", got.text)
	}
	w.refused(404, "", "no webhook with the id", "DELETE", "/v1/webhooks/"+id, "")
	if r := w.ok(200, "GET", "/v1/webhooks", ""); r.text != "{\"items\":[]}\n" {
		t.Errorf("got %s, want no webhooks", r.text)
	}
	w.refused(409, "", "Smartsheet has the webhook still", "DELETE", "/v1/owners/ops", "")
	r, levels := w.examined()
	if levels["webhook Orders 2026"] != "warning" || !strings.Contains(r.text, "was deleted here") {
		t.Errorf("got %s, want the doctor to say that it is being deleted", r.text)
	}
	w.refused(409, "body.shares[0].sheet", "still being ended: try again", "POST", "/v1/webhooks", w.request(share))
	w.sim.SetFault(nil)
	w.relays() // it was told to try again
	eventstest.Await(t, "the registration and its share are gone", func() bool { return w.registry.Registration(id) == nil && w.registry.Share("acme", "orders") == nil })
	w.ok(204, "DELETE", "/v1/owners/ops", "")
}

// The shares of a partner that is deleted go with it, and their names are free
// for one that is made under its name.
func TestDeletePartnerWithShares(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	id := w.registered()
	w.ok(204, "DELETE", "/v1/partners/acme", "")
	if got := w.registry.AllShares(); len(got) != 0 {
		t.Errorf("got %d shares, want none", len(got))
	}
	w.partner("acme")
	got := w.ok(200, "POST", "/v1/webhooks", w.request(share))
	if got.text1("id") != id || len(got.at("shares").([]any)) != 1 {
		t.Errorf("got %s, want the share made again", got.text)
	}
}
