package admin_test

import (
	"strings"
	"testing"
)

// TestTried: with dryRun partners and shares are shown as they would be, nothing is
// made or changed, and nothing is in the audit log but looks at rows.
func TestTried(t *testing.T) {
	t.Parallel()
	w := audited(t)
	w.owner()
	w.partner("acme")
	id := w.registered()
	entries := func() int { return len(w.ok(200, "GET", "/v1/audit?limit=1000", "").at("items").([]any)) }
	before := entries()

	got := w.ok(200, "POST", "/v1/partners?dryRun=true", `{"name":"globex","limits":{"storage":"2048MiB"}}`)
	if got.at("limits", "storage") != "2GiB" || got.at("credentials") != nil || w.registry.Partner("globex") != nil {
		t.Errorf("got %s, want what would be, and nothing made", got.text)
	}
	w.refused(422, "body.limits.storage", "", "POST", "/v1/partners?dryRun=true", `{"name":"globex","limits":{"storage":"2 sheds"}}`)
	w.refused(409, "", "acme", "POST", "/v1/partners?dryRun=true", `{"name":"acme"}`)
	got = w.ok(200, "PATCH", "/v1/partners/acme?dryRun=true", `{"history":7}`)
	if got.at("history").(float64) != 7 || w.registry.Partner("acme").History == 7 {
		t.Errorf("got %s, want what would be, and nothing changed", got.text)
	}

	path := "/v1/webhooks/" + id + "/shares/acme/orders"
	same := `{"columns":[{"title":"No"},{"title":"Status","as":"state"}],"where":"state != 'Draft'"}`
	if got = w.ok(200, "PUT", path+"?dryRun=true", same); got.at("same") != true {
		t.Errorf("got %s, want the same", got.text)
	}
	got = w.ok(200, "PUT", path+"?dryRun=true", `{"columns":[{"title":"No"}]}`)
	if got.at("same") != false || len(got.at("breaking").([]any)) != 1 || got.at("share", "columns", 0, "as") != "no" || got.at("share", "owner") != "ops" {
		t.Errorf("got %s, want a field less", got.text)
	}
	if s := w.registry.Share("acme", "orders"); s.Revision != 1 || len(s.Fields) != 2 {
		t.Errorf("got revision %d with %d fields, want nothing changed", s.Revision, len(s.Fields))
	}
	w.refused(422, "body.where", "nothing", "PUT", path+"?dryRun=true", strings.Replace(same, "state !=", "nothing !=", 1))
	if after := entries(); after != before {
		t.Errorf("got %d entries in the audit log, want the %d of before", after, before)
	}

	masked := `{"partner":"globex","sheet":"orders","columns":[{"title":"No","mask":"hash"}],"where":"int(no) > 1"}`
	w.refused(422, "body.shares[0].partner", "globex", "POST", "/v1/webhooks?dryRun=true", w.request(masked))
	got = w.ok(200, "POST", "/v1/webhooks?dryRun=true&newPartners=initech,globex", w.request(masked))
	if words, _ := got.at("shares", 0, "refused").(string); !strings.Contains(words, "cannot be evaluated on any row") {
		t.Errorf("got %s, want that it would be refused", got.text)
	}
	got = w.ok(200, "POST", "/v1/webhooks?dryRun=true&newPartners=globex", w.request(strings.Replace(masked, "int(no) > 1", "true", 1)))
	if got.at("shares", 0, "refused") != nil || len(got.at("shares", 0, "sample").([]any)) == 0 {
		t.Errorf("got %s, want rows and no refusal", got.text)
	}
	w.refused(422, "body.shares[0].partner", "globex", "POST", "/v1/webhooks?newPartners=globex", w.request(masked)) // only tried

	got = w.ok(201, "POST", "/v1/partners", `{"name":"globex","withoutCredentials":true}`)
	if list := w.ok(200, "GET", "/v1/partners/globex/credentials", "").at("items").([]any); got.at("credentials") != nil || len(list) != 0 {
		t.Errorf("got %s and credentials %v, want none", got.text, list)
	}
}
