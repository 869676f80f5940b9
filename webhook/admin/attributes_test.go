package admin_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The filter of a share may name its partner's attributes, as they are or, in a dry
// run, as they would be. A share follows them.
func TestAttributesOfPartners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	share := strings.Replace(share, "state != 'Draft'", "state == partner.stage", 1)
	creds := w.partner("acme")
	w.refused(422, "body.shares[0].where", "partner.stage: the partner has no attribute stage, and none at all", "POST", "/v1/webhooks", w.request(share))
	for body, field := range map[string]string{
		`{"Stage":"Open"}`:       `"Stage" is no attribute's name`,
		`{"stage":""}`:           "attributes.stage: want a text",
		`{"stage":"Open\nDone"}`: "on one line",
		`{"stage":7}`:            "attributes.stage",
		`{"stage":"` + strings.Repeat("é", 201) + `"}`: "1 to 200",
	} {
		w.refused(422, "", field, "PATCH", "/v1/partners/acme", `{"attributes":`+body+`}`)
	}
	planned := "&attributes=" + url.QueryEscape(`{"acme":{"stage":"Open"}}`)
	sample := func(query string) any {
		t.Helper()
		return w.ok(200, "POST", "/v1/webhooks?dryRun=true"+query, w.request(share)).at("shares", 0, "sample")
	}
	open := sample(planned)
	w.refused(422, "", "want a JSON object by partner", "POST", "/v1/webhooks?dryRun=true&attributes=acme", w.request(share))

	w.ok(200, "PATCH", "/v1/partners/acme", `{"attributes":{"stage":"Open","tier":"gold"}}`)
	if diff := cmp.Diff(open, sample("")); diff != "" || len(open.([]any)) == 0 {
		t.Errorf("planned and given (-planned +given):\n%s", diff)
	}
	id := w.ok(201, "POST", "/v1/webhooks", w.request(share)).text1("id")
	w.settle()
	path := "/v1/webhooks/" + id + "/shares/acme/orders"
	change := strings.Replace(strings.Replace(share, `"partner":"acme",`, "", 1), `"sheet":"orders",`, "", 1)
	if got := w.ok(200, "PUT", path+"?dryRun=true&attributes="+url.QueryEscape(`{"acme":{"stage":"Draft"}}`), change).at("same"); got != true {
		t.Errorf("got same %v of a share that only follows the attribute, want true", got)
	}
	w.refused(409, "body.attributes", "the filter of share acme/orders names partner.stage", "PATCH", "/v1/partners/acme", `{"attributes":{"tier":"gold"}}`)
	w.refused(409, "body.attributes", "keep the attribute", "PATCH", "/v1/partners/acme?dryRun=true", `{"attributes":{}}`)

	if got := w.ok(200, "PATCH", "/v1/partners/acme?dryRun=true", `{"attributes":{"stage":"Draft"}}`).at("attributes", "stage"); got != "Draft" {
		t.Errorf("dry run: got %v", got)
	}
	shown := func() any { return w.ok(200, "GET", "/v1/webhooks/"+id, "").at("shares", 0, "attributes") }
	if diff := cmp.Diff(map[string]any{"stage": "Open"}, shown()); diff != "" {
		t.Errorf("after a dry run (-want +got):\n%s", diff)
	}
	w.ok(200, "PATCH", "/v1/partners/acme", `{"attributes":{"stage":"Draft","tier":"gold"}}`)
	if diff := cmp.Diff(map[string]any{"stage": "Draft"}, shown()); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	w.settle()
	rows := w.ok(200, "POST", "/v1/webhooks?dryRun=true", w.request(strings.Replace(share, "orders", "drafts", 1))).at("shares", 0, "sample").([]any)
	if len(rows) == 0 || len(rows) == len(open.([]any)) && cmp.Equal(rows, open) {
		t.Fatalf("got %v, want other rows than before", rows)
	}
	w.event(creds, "smartsheet.acme.orders.row.>")
	w.ok(200, "PUT", path, strings.Replace(change, "state == partner.stage", "state != 'Draft'", 1))
	w.ok(200, "PATCH", "/v1/partners/acme", `{"attributes":{}}`)
}
