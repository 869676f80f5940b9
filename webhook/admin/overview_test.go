package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// The overview has a line for each share, and says what a person must see to.
func TestOverview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	if got := w.ok(200, "GET", "/v1/overview", ""); got.at("counts", "shares") != 0.0 || len(got.at("items").([]any)) != 0 || got.at("access", "readOnly") != false {
		t.Errorf("got %s, want an empty one", got.text)
	}
	w.owner()
	w.partner("acme")
	w.registered()
	w.settle()
	got := w.ok(200, "GET", "/v1/overview", "")
	line := got.at("items", 0).(map[string]any)
	if line["state"] != "live" || line["columns"] != 2.0 || line["columnsOf"] != 4.0 || line["where"] != "state != 'Draft'" || line["attention"] != nil {
		t.Errorf("got %s, want a live share of 2 of 4 columns", got.text)
	}
	if f := line["filter"].(map[string]any); f["rows"] != 2.0 || f["shown"] != 1.0 || f["failed"] != 0.0 {
		t.Errorf("got filter %v, want 1 of 2 rows shown", f)
	}
	if counts := got.at("counts").(map[string]any); counts["live"] != 1.0 || counts["filterWarnings"] != 0.0 || counts["dead"] != 0.0 {
		t.Errorf("got counts %v", counts)
	}
	if r := w.send(reader, "GET", "/v1/overview", ""); r.status != 200 || r.at("access", "readOnly") != true || r.at("access", "name") != "bob" {
		t.Errorf("got %d %s, want it for a read-only token, and said so", r.status, r.text)
	}
}

// A live share whose filter passes none of the rows, or fails on some, says so
// everywhere.
func TestOverviewCountsFilterWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, where, want string }{
		{"none passes", "state == 'Nowhere'", "the filter passes none of the 2 rows"},
		{"fails on some", "due > '2026' || state == 'Open'", "the filter cannot be evaluated on 1 of 2 rows, which are hidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, setup{})
			w.relays()
			w.owner()
			w.partner("acme")
			body := fmt.Sprintf(`{"partner":"acme","sheet":"orders","columns":[{"title":"No"},{"title":"Status","as":"state"},{"title":"Due Date","as":"due"}],"where":%q}`, tt.where)
			id := w.ok(201, "POST", "/v1/webhooks", w.request(body)).text1("id")
			w.settle()
			if got := w.ok(200, "GET", "/v1/webhooks/"+id, ""); got.text1("shares", 0, "state") != "live" || got.text1("shares", 0, "reason") != tt.want {
				t.Errorf("status: got %s, want live and %q", got.text, tt.want)
			}
			over := w.ok(200, "GET", "/v1/overview", "")
			if over.text1("items", 0, "attention") != tt.want || over.at("counts", "filterWarnings") != 1.0 || over.text1("items", 0, "action", "method") != "PUT" {
				t.Errorf("overview: got %s, want %q", over.text, tt.want)
			}
			if doctor := w.ok(200, "GET", "/v1/doctor", ""); !strings.Contains(doctor.text, "live, but "+tt.want) {
				t.Errorf("doctor: got %s, want %q", doctor.text, tt.want)
			}
			for _, m := range w.messages(t, "acme") {
				if strings.Contains(m, "the filter") {
					t.Errorf("the partner is told of hidden rows: %s", m)
				}
			}
		})
	}
}

// A filter that cannot be evaluated on any row is refused without consent, with the
// member that consents.
func TestFilterThatFailsOnEveryRowIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	body := `{"partner":"acme","sheet":"orders","columns":[{"title":"No"}],"where":"no > 3"}`
	w.refused(409, "body.shares[0].where", "cannot be evaluated on any row", "POST", "/v1/webhooks", w.request(body))
	r := w.send(writer, "POST", "/v1/webhooks", w.request(body))
	if r.at("action", "add", "filterMayFail") != true {
		t.Errorf("got %s, want an action that consents", r.text)
	}
	w.refused(422, "body.shares[0].where", "not true or false", "POST", "/v1/webhooks", w.request(strings.Replace(body, "no > 3", "no", 1)))
	id := w.ok(201, "POST", "/v1/webhooks", w.request(strings.Replace(body, `"where"`, `"filterMayFail":true,"where"`, 1))).text1("id")
	path := "/v1/webhooks/" + id + "/shares/acme/orders"
	w.refused(409, "body.where", "cannot be evaluated on any row", "PUT", path, `{"columns":[{"title":"No"}],"where":"no > 4"}`)
	w.ok(200, "PUT", path, `{"columns":[{"title":"No"}],"where":"no != 'SO-1'"}`)
}

// A dry run says what a filter does to each row.
func TestDryRunTriesTheFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	body := `{"partner":"acme","sheet":"orders","columns":[{"title":"No"},{"title":"Due Date","as":"due"}],"where":"due > '2027'"}`
	got := w.ok(200, "POST", "/v1/webhooks?dryRun=true", w.request(body))
	f := got.at("shares", 0, "filter").(map[string]any)
	if f["rows"] != 2.0 || f["total"] != 2.0 || f["complete"] != true || f["shown"] != 0.0 || f["hidden"] != 1.0 || f["failed"] != 1.0 {
		t.Errorf("got %v, want one hidden and one failed of two", f)
	}
	if e := got.text1("shares", 0, "filter", "failedRows", 0, "error"); !strings.Contains(e, "no such overload") {
		t.Errorf("got error %q, want why it fails", e)
	}
	if got.text1("shares", 0, "filter", "hiddenRows", 0, "fields", "no") != "SO-1" {
		t.Errorf("got %s, want the hidden row", got.text)
	}
	got = w.ok(200, "POST", "/v1/webhooks?dryRun=true", w.request(share))
	if got.text1("shares", 0, "events", 0, "type") != "sheetbridge.row.created" || got.text1("shares", 0, "events", 0, "data", "after", "no") != "SO-1" {
		t.Errorf("got %s, want the very event", got.text)
	}
}

// The columns of a sheet are told before anything of it is shared; cells are not
// for a read-only token.
func TestSheetColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	path := fmt.Sprintf("/v1/owners/ops/sheets/%d/columns", w.sheet.ID)
	got := w.ok(200, "GET", path, "")
	if got.text1("items", 2, "as") != "due_date" || got.text1("items", 2, "type") != "DATE" || got.text1("items", 0, "samples", 1) != "SO-2" || got.at("rows") != 2.0 {
		t.Errorf("got %s, want types and samples", got.text)
	}
	r := w.send(reader, "GET", path, "")
	if r.status != 200 || strings.Contains(r.text, "SO-1") || strings.Contains(r.text, "planted") || len(r.at("items", 0, "samples").([]any)) != 0 {
		t.Errorf("got %d %s, want no cells for a read-only token", r.status, r.text)
	}
	w.refused(404, "", "no sheet's id", "GET", "/v1/owners/ops/sheets/x/columns", "")
	w.refused(404, "", "Smartsheet answered", "GET", "/v1/owners/ops/sheets/12345/columns", "")
}

// messages are those that a partner's stream has.
func (w *world) messages(t testing.TB, partner string) (all []string) {
	t.Helper()
	st, err := w.api.Partners.Stream(t.Context(), w.registry.Partner(partner))
	must(t, err)
	must(t, st.All(t.Context(), func(_ uint64, _ string, data []byte) error {
		all = append(all, string(data))
		return nil
	}))
	return all
}

// follower reads server-sent events.
type follower struct {
	t     testing.TB
	lines *bufio.Scanner
	end   context.CancelFunc
}

func (w *world) follow(token, query, cursor string) *follower {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/v1/events"+query, nil)
	must(w.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if cursor != "" {
		req.Header.Set("Last-Event-ID", cursor)
	}
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("got %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	w.t.Cleanup(func() { cancel(); _ = resp.Body.Close() })
	f := &follower{t: w.t, lines: bufio.NewScanner(resp.Body), end: func() { cancel(); _ = resp.Body.Close() }}
	f.lines.Buffer(nil, 1<<20)
	return f
}

type sent struct {
	t        testing.TB
	ID, Name string
	Text     string
	Data     map[string]any
}

// next waits for the next event.
func (f *follower) next() sent {
	f.t.Helper()
	s := sent{t: f.t}
	for f.lines.Scan() {
		field, value, _ := strings.Cut(f.lines.Text(), ": ")
		switch field {
		case "id":
			s.ID = value
		case "event":
			s.Name = value
		case "data":
			s.Text = value
			must(f.t, json.Unmarshal([]byte(value), &s.Data))
		}
		if f.lines.Text() == "" && s.Name != "" {
			return s
		}
	}
	f.t.Fatalf("the stream ended: %v", f.lines.Err())
	return s
}

func (s sent) text(path ...any) string {
	v, _ := reply{t: s.t, body: s.Data}.at(path...).(string)
	return v
}

// What is published is followed with what was before and after, and goes on where it
// was left, with nothing missing and nothing twice.
func TestFollowEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	w.partner("acme")
	w.partner("globex")
	w.registered()
	w.ok(200, "POST", "/v1/webhooks", w.request(`{"partner":"globex","sheet":"orders","columns":[{"title":"No"}]}`))
	w.settle()
	edit := func(status string) {
		must(t, w.sim.As(w.jane).UpdateRows(w.sheet.ID, smartsheettest.Row{ID: w.sheet.Rows[0], Cells: smartsheettest.Cells{"Status": status}}))
		w.settle()
	}
	f := w.follow(writer, "?partner=acme&kind=row", "")
	seen := map[string]bool{}
	until := func(f *follower, status string) sent {
		t.Helper()
		for {
			s := f.next()
			if s.Name != "published" || s.Data["partner"] != "acme" || s.Data["kind"] != "row" {
				t.Fatalf("got %+v, want a row of acme", s)
			}
			if seen[s.text("event", "id")] {
				t.Errorf("event %s came twice", s.text("event", "id"))
			}
			seen[s.text("event", "id")] = true
			if s.text("event", "data", "after", "state") == status {
				return s
			}
		}
	}
	edit("Shipped")
	s := until(f, "Shipped")
	if s.text("event", "data", "before", "state") != "Open" || s.Data["cells"] != true {
		t.Errorf("got %s, want before and after", s.Text)
	}
	f.end()
	edit("Lost")
	edit("Found")
	g := w.follow(writer, "?partner=acme&kind=row", s.ID)
	if got := until(g, "Lost"); got.text("event", "data", "before", "state") != "Shipped" {
		t.Errorf("got %s, want what came meanwhile first", got.Text)
	}
	until(g, "Found")
	late := w.follow(writer, "?partner=acme&kind=row&limit=2&since="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "")
	if first, then := late.next(), late.next(); first.Name != "missed" || first.Data["missed"].(float64) < 1 || then.text("event", "data", "after", "state") != "Found" {
		t.Errorf("got %s %s, then %s, want what is left out, then the last event", first.Name, first.Text, then.Text)
	}
	r := w.follow(reader, "?partner=acme&kind=row", s.ID)
	blind := r.next()
	if strings.Contains(blind.Text, "Shipped") || strings.Contains(blind.Text, "Lost") || strings.Contains(blind.Text, "SO-1") || blind.Data["cells"] != false {
		t.Errorf("got %s, want no cells for a read-only token", blind.Text)
	}
	if changed := fmt.Sprint(reply{t: t, body: blind.Data}.at("event", "data", "changed")); changed != "[state]" {
		t.Errorf("got changed %s, want the names of what changed", changed)
	}
	all := w.follow(writer, "?since="+w.ok(200, "GET", "/v1/overview", "").text1("at"), s.ID)
	all.next()
	if bad := w.send(writer, "GET", "/v1/events", "", "Last-Event-ID", "nonsense"); bad.status != 422 {
		t.Errorf("got %d %s, want 422 for a cursor that is none", bad.status, bad.text)
	}
}

// There is an end to how many may follow at once, and a server that shuts down waits
// for none of them.
func TestFollowersAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	var all []*follower
	for range 32 {
		all = append(all, w.follow(writer, "", ""))
	}
	if r := w.send(writer, "GET", "/v1/events", ""); r.status != 503 {
		t.Errorf("got %d, want 503 for one too many", r.status)
	}
	w.api.EndStreams()
	for _, f := range all {
		for f.lines.Scan() {
		}
	}
}
