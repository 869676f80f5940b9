package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// TestOverdue says of each sheet once that its status did not come, and again after
// another status that is not followed by one.
func TestOverdue(t *testing.T) {
	n := &notices{due: map[string]time.Time{}}
	status := func(sheet, before string) {
		t.Helper()
		e, err := terminal.ParseEvent([]byte(`{"type":"sheetbridge.status.changed","subject":"` + sheet + `/status","data":{"state":"live","nextBefore":` + before + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		n.took(e)
	}
	at := func(text string) time.Time {
		t.Helper()
		now, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	want := func(now string, sheets ...string) {
		t.Helper()
		if diff := cmp.Diff(sheets, n.overdue(at(now))); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", now, diff)
		}
	}
	status("orders", `"2026-11-20T10:20:00Z"`)
	status("plan", `"2026-11-20T10:20:00Z"`)
	status("ended", `null`)
	want("2026-11-20T10:19:59Z")
	status("plan", `"2026-11-20T10:30:00Z"`)
	want("2026-11-20T10:20:01Z", "orders")
	want("2026-11-20T10:20:02Z")
	status("orders", `"2026-11-20T10:29:00Z"`)
	want("2026-11-20T10:31:00Z", "orders", "plan")
}

func TestNotices(t *testing.T) {
	var b bytes.Buffer
	n := &notices{out: &b}
	n.connection(errors.New("EOF\x1b[2J"))
	n.connection(nil)
	for _, want := range []string{`lost (EOF\x1b[2J): waiting for it`, "connected again"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
}

func TestCheckSubject(t *testing.T) {
	for filter, ok := range map[string]bool{
		"": true, ">": true, "orders.>": true, "orders.row.*": true, "orders.row.7": true, "*.status": true, "orders.write.>": true,
		"smartsheet.acme.orders.row.*": true, "smartsheet.acme.>": true,
		"orders": false, "*": false, "orders.rows.*": false, "orders..row": false, "orders.>.row": false, "orders.r*": false,
		"orders row": false, "orders.": false, "smartsheet.acme.orders": false,
	} {
		if err := checkSubject(filter); (err == nil) != ok {
			t.Errorf("%q: got %v, want it right: %v", filter, err, ok)
		}
	}
}

func TestRowID(t *testing.T) {
	for text, want := range map[string]string{
		"7129509179746180": "7129509179746180", "https://app.smartsheet.com/sheets/EXAMPLE?rowId=7129509179746180": "7129509179746180",
		"": "", "x": "-", "-7": "-", "https://app.smartsheet.com/b/home?lx=a": "-", "https://app.smartsheet.com/sheets/E?rowId=a": "-",
	} {
		got, err := rowID(text)
		if err != nil {
			got = "-"
		}
		if got != want {
			t.Errorf("%q: got %q, error %v, want %q", text, got, err, want)
		}
	}
}

func TestEquals(t *testing.T) {
	for value, want := range map[string]string{
		"Open": `f == "Open"`, `a"b\`: `f == "a\"b\\"`, "3": `f == "3" || f == 3`, "true": `f == "true" || f == true`, "": `f == ""`, "' || true": `f == "' || true"`,
	} {
		if got := equals("f", value); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

// TestPick names things by any beginning of an id that one of them alone has.
func TestPick(t *testing.T) {
	list := []item{{"id": "0a-1", "sheetId": "77"}, {"id": "0b-2", "sheetId": "78"}, {"id": "0b-3", "sheetId": "0a"}}
	for arg, want := range map[string]string{"0a-1": "0a-1", "0a-": "0a-1", "78": "0b-2", "0b-3": "0b-3", "0b": "", "0": "", "x": "", "": "", "0a": "0b-3", "7": ""} {
		got, err := webhooks.pick(list, arg)
		if got.text("id") != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %v, error %v, want %q", arg, got, err, want)
		}
	}
	if _, err := owners.pick([]item{{"name": "ops"}}, "op"); err == nil {
		t.Error("got no error for the beginning of a name")
	}
}
