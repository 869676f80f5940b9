package admin_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// explained asks why a row was sent or not.
func (w *world) explained(id string, row int64) reply {
	w.t.Helper()
	return w.ok(200, "GET", "/v1/webhooks/"+id+"/shares/acme/orders/rows/"+strconv.FormatInt(row, 10)+"/explain", "")
}

// values are the cells of an explanation by name.
func (r reply) values() map[string]any {
	r.t.Helper()
	got := map[string]any{}
	for _, c := range r.at("cells").([]any) {
		c := c.(map[string]any)
		got[c["as"].(string)] = c["value"]
	}
	return got
}

func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	w.relays()
	id := w.registered()
	w.settle()
	rows := w.sheet.Rows
	open, draft := rows[0], rows[1]

	sent := w.explained(id, open)
	if got := sent.text1("verdict"); got != "sent: the partner has the row as it is now" {
		t.Errorf("got verdict %q", got)
	}
	if diff := cmp.Diff(map[string]any{"no": "SO-1", "state": "Open"}, sent.values()); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if sent.text1("filter", "result") != "shows" || sent.text1("last", "type") != "sheetbridge.row.created" || sent.text1("state") != "live" {
		t.Errorf("got %s", sent.text)
	}

	hidden := w.explained(id, draft)
	if got := hidden.text1("verdict"); got != "not sent: the share's filter is false for this row" || hidden.text1("filter", "result") != "hides" {
		t.Errorf("got %s", hidden.text)
	}
	if diff := cmp.Diff(map[string]any{"no": nil, "state": nil}, hidden.values()); diff != "" {
		t.Errorf("cells of a hidden row (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"SO-2", "Draft\"", "planted-margin"} {
		if strings.Contains(hidden.text, secret) {
			t.Errorf("%q is in the explanation of a hidden row: %s", secret, hidden.text)
		}
	}
	if gone := w.explained(id, 4711); gone.text1("verdict") != "not sent: the row is not in the sheet" {
		t.Errorf("got %s", gone.text)
	}
	w.refused(404, "", "no row's id", "GET", "/v1/webhooks/"+id+"/shares/acme/orders/rows/x/explain", "")
	w.refused(404, "", "no share", "GET", "/v1/webhooks/"+id+"/shares/acme/other/rows/1/explain", "")
	if r := w.send(reader, "GET", "/v1/webhooks/"+id+"/shares/acme/orders/rows/"+strconv.FormatInt(open, 10)+"/explain", ""); r.status != 200 {
		t.Errorf("got %d for a token that may read", r.status)
	}
}

// TestExplainFailingFilter tells a filter that is false from one that fails.
func TestExplainFailingFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	w.owner()
	w.partner("acme")
	w.relays()
	id := w.ok(201, "POST", "/v1/webhooks", w.request(`{"partner":"acme","sheet":"orders","columns":[{"title":"No","mask":"redact"},{"title":"Due Date"}],"where":"due_date > '2026-01-01' // soon"}`)).text1("id")
	w.settle()
	rows := w.sheet.Rows
	fails := w.explained(id, rows[1])
	if fails.text1("filter", "result") != "fails" || !strings.Contains(fails.text1("steps", 0), "an empty cell is null") {
		t.Errorf("got %s, want a filter that fails and what to do", fails.text)
	}
	if got := w.explained(id, rows[0]).values(); got["no"] != "redacted" {
		t.Errorf("got %v, want what the partner sees", got)
	}
}

// TestExplainBehind tells of a row that changed after it was sent, while nobody
// is there to send it.
func TestExplainBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	w.owner()
	w.partner("acme")
	id := w.registered()
	row := w.sheet.Rows[0]
	x := w.explained(id, row)
	if got := x.text1("verdict"); got != "not sent yet: the share shows the row, and the partner does not have it" {
		t.Errorf("got verdict %q", got)
	}
	if x.at("backlog") != 1.0 || !strings.Contains(x.text1("steps", 0), "the share is loading") {
		t.Errorf("got %s, want the hint that waits", x.text)
	}
}

// TestExplainUnread says what to do where Smartsheet does not show the sheet.
func TestExplainUnread(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	w.owner()
	w.partner("acme")
	id := w.registered()
	row := w.sheet.Rows[0]
	for name, tt := range map[string]struct {
		fault smartsheettest.Fault
		want  []string // in the reason and the first step
	}{
		"unshared":   {smartsheettest.Fault{Status: 404, ErrorCode: 1006}, []string{"Smartsheet answered: Not Found", "share the sheet with the owner again (jane@a.example"}},
		"no network": {smartsheettest.Fault{HangUp: true}, []string{"reading the columns", "see that this machine reaches"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &tt.fault })
			x := w.explained(id, row)
			got := []string{x.text1("source", "reason"), x.text1("steps", 0)}
			for i, want := range tt.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("got %q, want %q in it", got[i], want)
				}
			}
			if name == "no network" && strings.Contains(got[0], "Smartsheet answered") {
				t.Errorf("got %q, but nobody answered", got[0])
			}
		})
	}
}

// TestExplainWithoutBudget is refused for the moment, and does not blame the network.
func TestExplainWithoutBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true, rate: 12})
	w.owner()
	w.partner("acme")
	id := w.registered()
	path := "/v1/webhooks/" + id + "/shares/acme/orders/rows/" + strconv.FormatInt(w.sheet.Rows[0], 10) + "/explain"
	r := w.send(writer, "GET", path, "")
	for range 12 {
		if r.status != http.StatusOK {
			break
		}
		r = w.send(writer, "GET", path, "")
	}
	r.refused(http.StatusServiceUnavailable, "", "SHEETBRIDGE_API_RATE")
}

// TestExplainWrite asks whether writes would be allowed: what the partner would be told,
// who would write, and what to do. Nothing is written.
func TestExplainWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	w.owner()
	w.partner("acme")
	w.relays()
	id := w.ok(201, "POST", "/v1/webhooks", w.request(strings.TrimSuffix(share, "}")+`,"write":{"update":["state"],"create":{"columns":["no","state"],"key":"no"},"check":"state != 'Lost'"}}`)).text1("id")
	w.settle()
	open, draft := strconv.FormatInt(w.sheet.Rows[0], 10), strconv.FormatInt(w.sheet.Rows[1], 10)
	path := "/v1/webhooks/" + id + "/shares/acme/orders/explain-write"
	before, _ := w.sim.Snapshot(w.sheet.ID)
	for name, test := range map[string]struct{ body, result, code, verdict, current, step string }{
		"allowed":       {`{"op":"update","row":"` + open + `","set":{"state":"Done"}}`, "done", "", "in the name of owner ops", "", ""},
		"as expected":   {`{"op":"update","row":"` + open + `","expect":{"state":"Open"},"set":{"state":"Done"}}`, "done", "", "", "", ""},
		"so already":    {`{"op":"update","row":"` + open + `","set":{"state":"Open"}}`, "already", "", "nothing would be written", "", ""},
		"conflict":      {`{"op":"update","row":"` + open + `","expect":{"state":"Lost"},"set":{"state":"Done"}}`, "refused", "conflict", "state: the row is not as expected", "Open", ""},
		"not writable":  {`{"op":"update","row":"` + open + `","set":{"no":"SO-9"}}`, "refused", "not-writable", "", "", "change the share"},
		"check":         {`{"op":"update","row":"` + open + `","set":{"state":"Lost"}}`, "refused", "check-failed", "", "", "change the share"},
		"hidden":        {`{"op":"update","row":"` + draft + `","set":{"state":"Done"}}`, "refused", "not-visible", "", "", "why the share does not show"},
		"added":         {`{"op":"create","set":{"no":"SO-9","state":"Open"}}`, "done", "", "", "", ""},
		"a key":         {`{"op":"create","set":{"no":"SO-2","state":"Open"}}`, "refused", "duplicate-key", "", "", ""},
		"no deletions":  {`{"op":"delete","row":"` + open + `"}`, "refused", "not-writable", "", "", "change the share"},
		"a large value": {`{"op":"update","row":"` + open + `","set":{"state":12345678901234567890}}`, "refused", "invalid-value", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.ok(200, "POST", path, test.body)
			if got.text1("result") != test.result || !strings.Contains(got.text1("verdict"), test.verdict) || got.text1("writer") != "ops" {
				t.Errorf("got %s", got.text)
			}
			if test.code != "" && got.text1("code") != test.code || test.current != "" && got.text1("current", "state") != test.current {
				t.Errorf("got %s", got.text)
			}
			if steps := got.at("steps").([]any); (len(steps) > 0) != (test.step != "") || test.step != "" && !strings.Contains(steps[0].(string), test.step) {
				t.Errorf("got steps %v, want %q", steps, test.step)
			}
		})
	}
	w.refused(422, "body.row", "needs it", "POST", path, `{"op":"update","set":{"state":"Done"}}`)
	w.refused(422, "body.set", "at least one", "POST", path, `{"op":"update","row":"`+open+`","set":{}}`)
	w.refused(404, "", "no share", "POST", "/v1/webhooks/"+id+"/shares/acme/other/explain-write", `{"op":"create","set":{"no":"SO-9"}}`)
	if r := w.send(reader, "POST", path, `{"op":"create","set":{"no":"SO-9"}}`); r.status != 403 {
		t.Errorf("got %d for a token that may only read, want 403: it would be shown cells", r.status)
	}
	if after, _ := w.sim.Snapshot(w.sheet.ID); after.Version != before.Version {
		t.Errorf("the sheet moved from version %d to %d", before.Version, after.Version)
	}
	w.sim.RevokeToken(w.token)
	if got := w.ok(200, "POST", path, `{"op":"update","row":"`+open+`","set":{"state":"Done"}}`); got.text1("code") != "owner-refused" || got.text1("action", "path") != "/v1/doctor" {
		t.Errorf("without the writer: got %s", got.text)
	}
}
