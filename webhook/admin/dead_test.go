package admin_test

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

func TestDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	id := w.registered()
	if r := w.ok(200, "GET", "/v1/dead", ""); r.text != "{\"items\":[]}\n" {
		t.Errorf("got %s, want no dead hints", r.text)
	}
	h := &inbox.Hint{Registration: id, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{7: {}}, Attempt: 12, ReceivedAt: time.Now()}
	must(t, w.inbox.GiveUp(t.Context(), h, "smartsheet: 400"))
	must(t, w.inbox.GiveUp(t.Context(), h, "smartsheet: 500"))
	got := w.ok(200, "GET", "/v1/dead", "")
	if got.text1("items", 0, "reason") != "smartsheet: 500" || got.text1("items", 1, "webhook") != id || got.text1("items", 0, "rows", 0) != "7" || got.at("items", 0, "attempts") != 12.0 {
		t.Errorf("got %s, want both hints", got.text)
	}
	if r := w.ok(200, "GET", "/v1/dead?limit=1", ""); len(r.at("items").([]any)) != 1 {
		t.Errorf("got %s, want one of them", r.text)
	}
	w.refused(422, "query.limit", "", "GET", "/v1/dead?limit=0", "")
	before, err := w.inbox.Backlog(t.Context())
	must(t, err)
	w.ok(202, "POST", "/v1/dead/"+got.text1("items", 0, "id")+"/retry", "")
	if after, err := w.inbox.Backlog(t.Context()); err != nil || after[id] != before[id]+1 {
		t.Errorf("got %d hints after %d, %v, want one more", after[id], before[id], err)
	}
	w.refused(404, "", "GET /v1/dead", "POST", "/v1/dead/"+got.text1("items", 0, "id")+"/retry", "")
	w.refused(404, "", "GET /v1/dead", "POST", "/v1/dead/x/retry", "")
}
