package write_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// wrote are the events of rows in a partner's stream that tell of its own writes,
// with the ids of those.
func (w *writing) wrote(name string) (ids []string) {
	w.T.Helper()
	for _, m := range w.Stream(name) {
		var e struct {
			Data struct {
				Origin events.Origin `json:"origin"`
				Write  string        `json:"write"`
			} `json:"data"`
		}
		webhooktest.Must(w.T, json.Unmarshal(m.Raw, &e))
		if e.Data.Origin == events.OriginWrite {
			ids = append(ids, e.Data.Write)
		}
	}
	return ids
}

// TestWriteChangesTheSheet has a partner set a status: the sheet has it, the partner
// is answered and gets the row's own event, and others see a change like any other.
func TestWriteChangesTheSheet(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil), events.Request{Partner: "bolt", Columns: webhooktest.Columns("Status", "Margin")})
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Done"}`, row)
	if got.Result != events.ResultDone || got.Row == nil || *got.Row != row || got.Version == 0 || got.Raced || got.Code != "" {
		t.Errorf("got %+v, want it done", got)
	}
	if cells := w.row(0); cells["Status"] != "Done" || cells["Margin"] != "canary-margin-1" {
		t.Errorf("got %v in the sheet", cells)
	}
	w.Settle()
	if got := w.wrote("acme"); !slices.Equal(got, []string{"w-1"}) {
		t.Errorf("got events of writes %v, want one", got)
	}
	if got := w.wrote("bolt"); len(got) > 0 {
		t.Errorf("bolt is told of acme's writes: %v", got)
	}
	w.Check("acme")
	w.Check("bolt")
	for _, name := range []string{"acme", "bolt"} {
		for _, m := range w.Stream(name) {
			if strings.Contains(string(m.Raw), "sheetbridge:") {
				t.Errorf("%s is told of a change agent of the bridge's: %s", name, m.Raw)
			}
		}
	}
	if got := webhooktest.Objects(w.Stream("bolt"), w.SeenTo["bolt"]); len(got) != 1 {
		t.Errorf("bolt got %v, want one change", got)
	}
	w.WantNoWords("acme", "canary-margin")
}

// TestWriteIsJudged asks for what a share does not allow, and for what it does.
func TestWriteIsJudged(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil), events.Request{Partner: "bolt", Sheet: "read", Columns: webhooktest.Columns("Status")})
	first, draft := webhooktest.FormatID(w.Sheet.Rows[0]), webhooktest.FormatID(w.Sheet.Rows[1])
	before, _ := w.Sim.Snapshot(w.Sheet.ID)
	judge := write.NewJudge(w.Registry, w.Access)
	for name, test := range map[string]struct {
		request string
		code    events.Code
		field   string
	}{
		"conflict":       {`"op":"update","row":"` + first + `","expect":{"status":"Done"},"set":{"qty":4}`, events.CodeConflict, "status"},
		"hidden":         {`"op":"update","row":"` + draft + `","expect":{"status":"Draft"},"set":{"qty":4}`, events.CodeNotVisible, ""},
		"nowhere":        {`"op":"update","row":"77","expect":{"status":"Open"},"set":{"qty":4}`, events.CodeNotVisible, ""},
		"not writable":   {`"op":"update","row":"` + first + `","expect":{"status":"Open"},"set":{"no":"SO-9"}`, events.CodeNotWritable, "no"},
		"not shared":     {`"op":"update","row":"` + first + `","expect":{"status":"Open"},"set":{"margin":"1"}`, events.CodeNotShared, "margin"},
		"check":          {`"op":"update","row":"` + first + `","expect":{"status":"Open"},"set":{"qty":100}`, events.CodeCheckFailed, ""},
		"leaves":         {`"op":"update","row":"` + first + `","expect":{"status":"Open"},"set":{"status":"Draft"}`, events.CodeLeavesView, ""},
		"value":          {`"op":"update","row":"` + first + `","expect":{"status":"Open"},"set":{"qty":true}`, events.CodeInvalidValue, "qty"},
		"invalid":        {`"op":"update","row":"` + first + `","set":{"qty":4}`, events.CodeInvalid, "expect"},
		"key taken":      {`"op":"create","set":{"no":"SO-2","status":"Open"}`, events.CodeDuplicateKey, "no"},
		"no key":         {`"op":"create","set":{"status":"Open"}`, events.CodeInvalid, "no"},
		"out of view":    {`"op":"create","set":{"no":"SO-9","status":"Draft"}`, events.CodeLeavesView, ""},
		"too late":       {`"op":"update","row":"` + first + `","expect":{"status":"Open"},"set":{"qty":4},"until":"2020-01-01T00:00:00Z"`, events.CodeTooLate, ""},
		"delete another": {`"op":"delete","row":"` + first + `","expect":{"status":"Done"}`, events.CodeConflict, "status"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.ask("acme", "orders", "%s", test.request)
			if got.Result != events.ResultRefused || got.Code != test.code || got.Field != test.field || got.Detail == "" {
				t.Errorf("got %+v, want %s %s", got, test.code, test.field)
			}
			if asked, refusal := events.ParseWrite([]byte(`{"id":"asked",`+test.request+`}`), time.Now()); refusal == nil && test.code != events.CodeTooLate {
				told, writer, err := judge.Check(t.Context(), w.Registry.Share("acme", "orders"), asked, budget.Callback)
				if err != nil || told.Code != got.Code || told.Field != got.Field || told.Detail != got.Detail || told.Current.Get("status") == nil != (got.Current == nil) || writer.Name != "ops" {
					t.Errorf("who asks beforehand gets %+v of writer %v and error %v, want what the engine answers: %+v", told, writer, err, got)
				}
			}
			if (got.Current != nil) != (test.code == events.CodeConflict) || got.Current != nil && string(got.Current.Get("status")) != `"Open"` {
				t.Errorf("got the row %v", got.Current)
			}
		})
	}
	for sheet, code := range map[string]events.Code{"nothing": events.CodeNotShared} {
		if got := w.ask("acme", sheet, `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4}`, first); got.Code != code {
			t.Errorf("%s: got %+v, want %s", sheet, got, code)
		}
	}
	if got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4},"dryRun":true`, first); got.Result != events.ResultDone || !got.DryRun {
		t.Errorf("dry run: got %+v", got)
	}
	if after, _ := w.Sim.Snapshot(w.Sheet.ID); after.Version != before.Version {
		t.Errorf("the sheet moved from version %d to %d, want nothing changed", before.Version, after.Version)
	}
	if got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":3.0}`, first); got.Result != events.ResultAlready {
		t.Errorf("what is so already: got %+v", got)
	}
	w.WantNoWords("acme", "canary-margin")
	w.Settle()
	w.Check("acme", "bolt")
}

// TestWriteCreatesAndDeletes adds a row by its key and takes it away again.
func TestWriteCreatesAndDeletes(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	made := w.ask("acme", "orders", `"op":"create","set":{"no":"=SO-9","status":"Open","qty":4}`)
	if made.Result != events.ResultDone || made.Row == nil {
		t.Fatalf("got %+v, want it done", made)
	}
	snap, _ := w.Sim.Snapshot(w.Sheet.ID)
	cells := cellsOf(snap, snap.Rows[len(snap.Rows)-1].ID)
	if *made.Row != webhooktest.FormatID(snap.Rows[len(snap.Rows)-1].ID) || cells["No"] != "=SO-9" || cells["Qty"] != json.Number("4") {
		t.Errorf("got %v as row %s", cells, *made.Row)
	}
	if again := w.ask("acme", "orders", `"op":"create","set":{"no":"=SO-9","status":"Done"}`); again.Code != events.CodeDuplicateKey || again.Row != nil {
		t.Errorf("the same key: got %+v", again)
	}
	w.Settle()
	w.WantChanges("created", `row.created write null->{"no":"=SO-9","status":"Open","qty":4}`)
	if gone := w.ask("acme", "orders", `"op":"delete","row":%q,"expect":{"status":"Open"}`, *made.Row); gone.Result != events.ResultDone {
		t.Errorf("deleting: got %+v", gone)
	}
	w.Settle()
	w.WantChanges("deleted", `row.deleted write {"no":"=SO-9","status":"Open","qty":4}->null deleted`)
	if again := w.ask("acme", "orders", `"op":"delete","row":%q,"expect":{"status":"Open"}`, *made.Row); again.Code != events.CodeNotVisible {
		t.Errorf("deleting again: got %+v", again)
	}
}

// TestWriteIDs sends one id more than once: the same request has the same answer, and
// is made once.
func TestWriteIDs(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	const request = `{"id":"po-1","op":"update","row":"%s","expect":{"status":"Open"},"set":{"status":"Done"}}`
	one := strings.ReplaceAll(request, "%s", row)
	w.send("acme", "erp", "orders", one)
	first := w.answer("acme", "po-1", 1)
	w.Edit(0, webhooktest.Cells{"Status": "Open"}) // a person takes it back
	w.send("acme", "shop", "orders", one)
	if second := w.answer("acme", "po-1", 2); first.Result != events.ResultDone || second.Result != first.Result || second.Version != first.Version || *second.Row != row {
		t.Errorf("got %+v and %+v, want the same answer", first, second)
	}
	w.send("acme", "erp", "orders", strings.ReplaceAll(one, "Done", "Open"))
	if third := w.answer("acme", "po-1", 3); third.Code != events.CodeIDReused {
		t.Errorf("another request: got %+v", third)
	}
	w.send("acme", "erp", "orders", one)
	if fourth := w.answer("acme", "po-1", 4); fourth.Result != events.ResultDone {
		t.Errorf("the first request again: got %+v", fourth)
	}
	if got := w.row(0)["Status"]; got != "Open" {
		t.Errorf("got %v in the sheet: it was written twice", got)
	}
}

// TestIDsOutliveResend publishes a share again from the beginning: what was published of
// it is gone, its answers too, and who asks again gets the same answer.
func TestIDsOutliveResend(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	const request = `{"id":"po-1","op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":%q}}`
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	w.send("acme", "erp", "orders", fmt.Sprintf(request, row, "Done"))
	before := w.answer("acme", "po-1", 1)
	w.Settle()
	webhooktest.Must(t, w.Registrar.Resend(t.Context(), w.Reg.ID, "acme", "orders"))
	w.Settle()
	if got := w.answers("acme"); len(got) > 0 {
		t.Errorf("got answers %v of before the share was sent again", got)
	}
	w.Edit(0, webhooktest.Cells{"Status": "Open"}) // a person takes it back
	w.send("acme", "erp", "orders", fmt.Sprintf(request, row, "Done"))
	if after := w.answer("acme", "po-1", 1); before.Result != events.ResultDone || after.Result != before.Result || after.Version != before.Version || *after.Row != row {
		t.Errorf("asked again: got %+v, want %+v", after, before)
	}
	w.send("acme", "erp", "orders", fmt.Sprintf(request, row, "Waiting"))
	if other := w.answer("acme", "po-1", 2); other.Code != events.CodeIDReused {
		t.Errorf("its id for another request: got %+v", other)
	}
	if got := w.row(0)["Status"]; got != "Open" {
		t.Errorf("got %v in the sheet: it was written twice", got)
	}
}

// TestIDOfWriteInProgress uses the id of a write that waits for another request, and for
// what is none: the write has its own answer.
func TestIDOfWriteInProgress(t *testing.T) {
	for name, second := range map[string]string{
		"another request": `{"id":"po-1","op":"update","row":"%s","expect":{"status":"Open"},"set":{"status":"Waiting"}}`,
		"no request":      `{"id":"po-1","op":"update","row":"%s","set":{"status":"Waiting"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
			row := webhooktest.FormatID(w.Sheet.Rows[0])
			w.together(nil, strings.ReplaceAll(`{"id":"po-1","op":"update","row":"%s","expect":{"status":"Open"},"set":{"status":"Done"}}`, "%s", row), strings.ReplaceAll(second, "%s", row))
			if got := w.answers("acme")["po-1"]; len(got) != 2 || got[0].Result != events.ResultDone || got[1].Code != events.CodeIDReused {
				t.Errorf("got %+v, want it done, and then that its id is used", got)
			}
			if got := w.row(0)["Status"]; got != "Done" {
				t.Errorf("got %v in the sheet", got)
			}
		})
	}
}

// TestWritesAreInTheAuditLog records who asked for what and what became of it, with no
// value of a cell.
func TestWritesAreInTheAuditLog(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Done","qty":17}`, row)
	w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":18}`, row)
	w.Await("both being done with", func() bool { return w.engine.Waiting() == 0 })
	entries, err := w.engine.Audit.List(t.Context(), 0, 100)
	webhooktest.Must(t, err)
	var got []string
	for _, e := range entries {
		if e.What == "write" {
			got = append(got, fmt.Sprintf("%s %s %s %s", e.Who, e.On, e.Outcome, e.Details))
		}
	}
	if want := []string{
		`partner acme, credentials erp acme/orders refused {"id":"w-2","op":"update","row":"` + row + `","fields":["qty"],"result":"refused","code":"conflict","writer":"ops"}`,
		`partner acme, credentials erp acme/orders done {"id":"w-1","op":"update","row":"` + row + `","fields":["status","qty"],"result":"done","writer":"ops"}`,
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
