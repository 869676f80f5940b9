package admin_test

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// TestClassification: a sheet with a label that is denied is not shared, and one that
// gets it later is withheld with what was published of it, until the label goes.
func TestClassification(t *testing.T) {
	t.Parallel()
	deny := smartsheet.Classifications{"confidential", "Top Secret"}
	w := newWorld(t, setup{api: func(a *admin.API) { a.Registrar.Deny = deny }})
	w.api.Relay.Deny = deny
	w.relays()
	w.owner()
	js := w.reads(w.partner("acme"))
	w.sim.Classify(w.sheet.ID, "Confidential")
	w.refused(422, "body.sheetId", "classified as Confidential", "POST", "/v1/webhooks", w.request(share))
	w.refused(422, "body.sheetId", "classified as Confidential", "POST", "/v1/webhooks?dryRun=true", w.request(share))
	w.sim.Classify(w.sheet.ID, "Public")
	id := w.registered()
	w.settle()
	if got := about(w.stream(js), w.sheet.Rows[0]); got["row.created"] != 1 {
		t.Fatalf("got %v, want it shared under another label", got)
	}
	w.sim.Classify(w.sheet.ID, "TOP SECRET")
	reconcile := "/v1/webhooks/" + id + "/reconcile"
	w.ok(202, "POST", reconcile, "")
	w.settle()
	if got := about(w.stream(js), w.sheet.Rows[0]); len(got) > 0 {
		t.Errorf("got %v of a sheet that is denied now, want nothing", got)
	}
	shown := w.ok(200, "GET", "/v1/webhooks/"+id, "")
	if shown.text1("shares", 0, "state") != "suspended" || shown.text1("shares", 0, "reason") == "" {
		t.Errorf("got %s, want it suspended", shown.text)
	}
	w.sim.Classify(w.sheet.ID, "")
	w.ok(202, "POST", reconcile, "")
	w.settle()
	if got := about(w.stream(js), w.sheet.Rows[0]); got["row.created"] != 1 {
		t.Errorf("got %v once the label is gone, want it back", got)
	}
	if got := w.ok(200, "GET", "/v1/webhooks/"+id, "").text1("shares", 0, "state"); got != "live" {
		t.Errorf("got %s, want live", got)
	}
}

// TestOwnersTokenRunsOut: what an admin knows of a token's end is kept and shown.
func TestOwnersTokenRunsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	at := time.Now().Add(5 * 24 * time.Hour).UTC().Format(time.RFC3339)
	made := w.ok(201, "POST", "/v1/owners", `{"name":"ops","token":"`+w.token+`","region":"us","expiresAt":"`+at+`"}`)
	if got := made.text1("expiresAt"); got != at {
		t.Errorf("got %s, want %s", got, at)
	}
	w.refused(422, "body.expiresAt", "in the past", "POST", "/v1/owners", `{"name":"two","token":"`+w.token+`","region":"us","expiresAt":"2001-01-01T00:00:00Z"}`)
	if got := w.ok(200, "PUT", "/v1/owners/ops/token", `{"token":"`+w.token+`"}`).at("expiresAt"); got != nil {
		t.Errorf("got %v after another token, want that it is not known", got)
	}
}
