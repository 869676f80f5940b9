package admin_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContractOfPartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	w.partner("globex")
	if got := w.channels("acme"); len(got) != 0 {
		t.Errorf("got channels %v before anything is shared, want none", got)
	}
	w.registered()
	want := []string{"smartsheet.acme.orders.row.{rowId}", "smartsheet.acme.orders.schema", "smartsheet.acme.orders.status"}
	if diff := cmp.Diff(want, w.channels("acme")); diff != "" {
		t.Errorf("channels (-want +got):\n%s", diff)
	}
	if got := w.channels("globex"); len(got) != 0 {
		t.Errorf("got channels %v of another partner, want none", got)
	}
	r := w.send(reader, "GET", "/v1/partners/acme/contract", "")
	fields := r.at("components", "schemas", "orders.row", "properties").(map[string]any)
	if diff := cmp.Diff([]string{"no", "state"}, slices.Sorted(maps.Keys(fields))); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if host := r.text1("servers", "nats", "host"); host != strings.TrimPrefix(w.broker.URL(), "nats://") {
		t.Errorf("got server %s, want the broker's", host)
	}
	for _, hidden := range []string{"Margin", "Draft", "Due", "planted"} {
		if strings.Contains(r.text, hidden) {
			t.Errorf("document tells of %s", hidden)
		}
	}
	w.refused(404, "", "there is no partner", "GET", "/v1/partners/nobody/contract", "")
}

// channels are the addresses in a partner's contract.
func (w *world) channels(partner string) []string {
	w.t.Helper()
	r := w.ok(200, "GET", "/v1/partners/"+partner+"/contract", "")
	if v := r.text1("asyncapi"); v != "3.0.0" {
		w.t.Errorf("got AsyncAPI %s, want 3.0.0", v)
	}
	var addresses []string
	for _, c := range r.at("channels").(map[string]any) {
		addresses = append(addresses, c.(map[string]any)["address"].(string))
	}
	slices.Sort(addresses)
	return addresses
}
