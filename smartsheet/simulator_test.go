package smartsheet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// office is a simulated Smartsheet with a sheet of three rows, its owner and an
// editor who is no admin.
type office struct {
	srv           *smartsheettest.Server
	jane, ed      *smartsheettest.User
	owner, editor *smartsheet.Client
	sheet         *smartsheettest.Sheet
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{srv: smartsheettest.New(t)}
	o.jane = o.srv.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	o.ed = o.srv.AddUser(smartsheettest.User{Email: "ed@a.example", Name: "Ed"})
	var err error
	o.sheet, err = o.srv.AddSheet(smartsheettest.SheetSpec{Name: "Orders", Owner: o.jane, Columns: []smartsheettest.Column{
		{Title: "No"}, {Title: "Status", Type: "PICKLIST", Options: []string{"Open", "Done"}, Validation: true}, {Title: "Due", Type: "DATE"},
		{Title: "Team", Type: "MULTI_CONTACT_LIST"}, {Title: "Tags", Type: "MULTI_PICKLIST", Options: []string{"A", "B"}},
		{Title: "Secret", Locked: true}, {Title: "Sum", Formula: "=COUNT(No:No)"}, {Title: "Changed", Type: "DATETIME", SystemType: "MODIFIED_DATE"},
	}, Rows: []smartsheettest.Row{{Cells: smartsheettest.Cells{"No": "1"}}, {Cells: smartsheettest.Cells{"No": "2"}}, {Cells: smartsheettest.Cells{"No": "3"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.srv.As(o.jane).Share(o.sheet.ID, o.ed, smartsheettest.AccessEditor); err != nil {
		t.Fatal(err)
	}
	client := func(u *smartsheettest.User) *smartsheet.Client {
		token := o.srv.AddToken(u)
		return &smartsheet.Client{BaseURL: o.srv.URL(), Token: func(context.Context) (string, error) { return token, nil }}
	}
	o.owner, o.editor = client(o.jane), client(o.ed)
	return o
}

func (o *office) cell(title string, value any) smartsheet.CellWrite {
	return smartsheet.CellWrite{ColumnID: o.sheet.Columns[title], Value: value}
}

func (o *office) object(title string, value any) smartsheet.CellWrite {
	return smartsheet.CellWrite{ColumnID: o.sheet.Columns[title], ObjectValue: value}
}

// show is what a row has in a column, as JSON.
func (o *office) show(row *smartsheet.Row, title string) string {
	for _, c := range row.Cells {
		if c.ColumnID == o.sheet.Columns[title] {
			if c.ObjectValue == nil {
				return "none"
			}
			return string(c.ObjectValue)
		}
	}
	return "none"
}

func TestClientWritesRows(t *testing.T) {
	o := newOffice(t)
	added, err := o.editor.AddRows(t.Context(), o.sheet.ID, []smartsheet.RowWrite{{ToBottom: true, Cells: []smartsheet.CellWrite{
		o.cell("No", "=1+1"), o.cell("Status", "Open"), o.cell("Due", "2026-11-30"),
		o.object("Team", smartsheet.MultiContactObject(smartsheet.ContactObject("jane@a.example", "Jane Doe"))), o.object("Tags", smartsheet.MultiPicklistObject("B", "A")),
	}}, {ToBottom: true, Cells: []smartsheet.CellWrite{o.cell("No", json.Number("12.50"))}}}, smartsheet.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first := added.Rows[0].Row
	got := []string{o.show(first, "No"), o.show(first, "Status"), o.show(first, "Due"), o.show(first, "Team"), o.show(first, "Tags"), o.show(added.Rows[1].Row, "No")}
	want := []string{`"=1+1"`, `"Open"`, `{"objectType":"DATE","value":"2026-11-30"}`,
		`{"objectType":"MULTI_CONTACT","values":[{"email":"jane@a.example","name":"Jane Doe","objectType":"CONTACT"}]}`,
		`{"objectType":"MULTI_PICKLIST","values":["B","A"]}`, `12.50`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if first.Cells[0].Formula != "" {
		t.Error("text that begins with = became a formula")
	}
	updated, err := o.editor.UpdateRows(t.Context(), o.sheet.ID, []smartsheet.RowWrite{
		{ID: first.ID, Cells: []smartsheet.CellWrite{o.cell("Status", "Done"), o.cell("Due", "")}}, {ID: o.sheet.Rows[0], ToBottom: false},
	}, smartsheet.WriteOptions{})
	if err != nil || o.show(updated.Rows[0].Row, "Status") != `"Done"` || o.show(updated.Rows[0].Row, "Due") != "none" || updated.Version != added.Version+1 {
		t.Errorf("got %v, %v, want the row changed in one version", updated, err)
	}
	deleted, err := o.editor.DeleteRows(t.Context(), o.sheet.ID, []int64{first.ID, 4711}, smartsheet.WriteOptions{})
	if err != nil || fmt.Sprint(deleted) != fmt.Sprint([]int64{first.ID}) {
		t.Errorf("got %v, %v, want the row that was there", deleted, err)
	}
	if _, err := o.editor.Row(t.Context(), o.sheet.ID, first.ID); smartsheet.Classify(err) != smartsheet.NotFound {
		t.Errorf("deleted row: got %v", err)
	}
}

// What a row may be refused for, each with the code by which a writer decides.
func TestClientWriteRefusals(t *testing.T) {
	o := newOffice(t)
	locked := true
	if err := o.srv.As(o.jane).UpdateRows(o.sheet.ID, smartsheettest.Row{ID: o.sheet.Rows[2], Locked: &locked}); err != nil {
		t.Fatal(err)
	}
	row := func(id int64, cells ...smartsheet.CellWrite) smartsheet.RowWrite {
		return smartsheet.RowWrite{ID: id, Cells: cells}
	}
	one, two, three := o.sheet.Rows[0], o.sheet.Rows[1], o.sheet.Rows[2]
	rows := []smartsheet.RowWrite{
		row(one, o.cell("Status", "Odd")), row(two, o.cell("No", "fine")), row(three, o.cell("No", "locked")), row(4711, o.cell("No", "gone")),
	}
	got, err := o.editor.UpdateRows(t.Context(), o.sheet.ID, rows, smartsheet.WriteOptions{PartialSuccess: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		code  int
		class smartsheet.Class
	}{{smartsheet.CodeValueRefused, smartsheet.Invalid}, {}, {smartsheet.CodeRowLocked, smartsheet.Forbidden}, {smartsheet.CodeNotFound, smartsheet.NotFound}} {
		if want.code == 0 {
			if got.Rows[i].Row == nil || o.show(got.Rows[i].Row, "No") != `"fine"` {
				t.Errorf("row %d: got %v, want it written", i, got.Rows[i])
			}
			continue
		}
		if e := got.Rows[i].Err; e == nil || e.Code != want.code || smartsheet.Classify(e) != want.class || e.RowID != rows[i].ID {
			t.Errorf("row %d: got %v, want %d", i, e, want.code)
		}
	}
	for title, want := range map[string]int{"Secret": smartsheet.CodeColumnLocked, "Sum": smartsheet.CodeReadOnlyCell, "Changed": smartsheet.CodeReadOnlyCell, "Due": smartsheet.CodeValueRefused} {
		_, err := o.editor.UpdateRows(t.Context(), o.sheet.ID, []smartsheet.RowWrite{row(two), row(one, o.cell(title, "x"))}, smartsheet.WriteOptions{})
		var refused *smartsheet.Error
		if !errors.As(err, &refused) || refused.Code != want || refused.Index == nil || *refused.Index != 1 || refused.RowID != one || smartsheet.OutcomeUnknown(err) {
			t.Errorf("%s: got %v, want %d about row 1", title, err, want)
		}
	}
	if _, err := o.editor.DeleteRows(t.Context(), o.sheet.ID, []int64{one, three}, smartsheet.WriteOptions{}); smartsheet.Classify(err) != smartsheet.Forbidden {
		t.Errorf("deleting a locked row: got %v", err)
	}
	if _, err := o.owner.UpdateRows(t.Context(), o.sheet.ID, []smartsheet.RowWrite{row(three, o.cell("Secret", "by an admin"))}, smartsheet.WriteOptions{}); err != nil {
		t.Errorf("an owner edits what is locked: got %v", err)
	}
}

// What a write must know of columns, for the user who asks.
func TestClientReadsWhatWritesNeed(t *testing.T) {
	o := newOffice(t)
	locked := true
	if err := o.srv.As(o.jane).UpdateRows(o.sheet.ID, smartsheettest.Row{ID: o.sheet.Rows[2], Locked: &locked}); err != nil {
		t.Fatal(err)
	}
	for _, as := range []struct {
		client *smartsheet.Client
		locked bool
	}{{o.owner, false}, {o.editor, true}} {
		listed, err := as.client.Columns(t.Context(), o.sheet.ID)
		if err != nil {
			t.Fatal(err)
		}
		sheet, err := as.client.Sheet(t.Context(), o.sheet.ID, smartsheet.SheetQuery{})
		if err != nil {
			t.Fatal(err)
		}
		third, first := sheet.Rows[2], sheet.Rows[0]
		if !third.Locked || third.LockedForUser != as.locked || first.Locked || first.LockedForUser {
			t.Errorf("got locked rows %+v and %+v, want the third, for the user %v", third, first, as.locked)
		}
		for _, columns := range [][]smartsheet.Column{listed, sheet.Columns} {
			status, secret, sum, changed := columns[1], columns[5], columns[6], columns[7]
			if fmt.Sprint(status.Options) != "[Open Done]" || !status.Validation || !status.Settable() {
				t.Errorf("status: got %+v", status)
			}
			if !secret.Locked || secret.LockedForUser != as.locked {
				t.Errorf("secret: got %+v, want locked for the user %v", secret, as.locked)
			}
			if sum.Formula != "=COUNT(No:No)" || sum.Settable() || changed.Settable() {
				t.Errorf("not settable: got %+v and %+v", sum, changed)
			}
		}
	}
}

// An answer that is lost after the effect, one before it, and one that says that
// nothing was done: the caller can tell which of them it cannot tell.
func TestClientLosesAnswers(t *testing.T) {
	o := newOffice(t)
	for name, tt := range map[string]struct {
		fault         smartsheettest.Fault
		done, unknown bool
		class         smartsheet.Class
	}{
		"lost after":  {smartsheettest.Fault{LoseAnswer: true}, true, true, smartsheet.Retry},
		"lost before": {smartsheettest.Fault{HangUp: true}, false, true, smartsheet.Retry},
		"half":        {smartsheettest.Fault{HalfBody: true}, true, true, smartsheet.Retry},
		"limited":     {smartsheettest.Fault{Status: 429, ErrorCode: 4003}, false, false, smartsheet.Wait},
		"busy":        {smartsheettest.Fault{Status: 500, ErrorCode: 4004}, false, false, smartsheet.Retry},
		"timeout":     {smartsheettest.Fault{Status: 500, ErrorCode: 4002}, false, true, smartsheet.Retry},
		"gateway":     {smartsheettest.Fault{Status: 502, HTML: true}, false, true, smartsheet.Retry},
	} {
		var asked atomic.Int32
		o.srv.SetFault(func(r *http.Request) *smartsheettest.Fault {
			if r.Method != http.MethodPut {
				return nil
			}
			asked.Add(1)
			return &tt.fault
		})
		before, _ := o.srv.Snapshot(o.sheet.ID)
		_, err := o.editor.UpdateRows(t.Context(), o.sheet.ID, []smartsheet.RowWrite{{ID: o.sheet.Rows[0], Cells: []smartsheet.CellWrite{o.cell("No", name)}}}, smartsheet.WriteOptions{})
		after, _ := o.srv.Snapshot(o.sheet.ID)
		done := after.Version == before.Version+1 && after.Rows[0].Cells[o.sheet.Columns["No"]] == name
		if smartsheet.Classify(err) != tt.class || smartsheet.OutcomeUnknown(err) != tt.unknown || done != tt.done || asked.Load() != 1 {
			t.Errorf("%s: got %v of class %v, unknown %v, done %v after %d requests", name, err, smartsheet.Classify(err), smartsheet.OutcomeUnknown(err), done, asked.Load())
		}
	}
}

// The change agent of a write stands in the events of its callback.
func TestChangeAgentComesBack(t *testing.T) {
	o := newOffice(t)
	got := make(chan string, 10)
	receiver := newCallbackServer(t, func(body []byte) { got <- string(body) })
	hook, err := o.owner.CreateWebhook(t.Context(), smartsheet.WebhookSpec{Name: "w", CallbackURL: receiver, ScopeObjectID: o.sheet.ID})
	if err != nil {
		t.Fatal(err)
	}
	on := true
	if hook, err = o.owner.UpdateWebhook(t.Context(), hook.ID, smartsheet.WebhookUpdate{Enabled: &on}); err != nil || !hook.Enabled {
		t.Fatalf("got %v, %v, want it enabled", hook, err)
	}
	const agent = "sheetbridge:acme:po-1,sheetbridge:acme:po-2"
	if _, err := o.editor.UpdateRows(t.Context(), o.sheet.ID, []smartsheet.RowWrite{{ID: o.sheet.Rows[0], Cells: []smartsheet.CellWrite{o.cell("No", "by agent")}}}, smartsheet.WriteOptions{ChangeAgent: agent}); err != nil {
		t.Fatal(err)
	}
	if err := o.srv.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var callback struct {
		Events []struct {
			ObjectType, EventType, ChangeAgent string
		}
	}
	if err := json.Unmarshal([]byte(<-got), &callback); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range callback.Events {
		names = append(names, e.ObjectType+"."+e.EventType)
		if e.ChangeAgent != agent {
			t.Errorf("%s.%s: got agent %q, want %q", e.ObjectType, e.EventType, e.ChangeAgent, agent)
		}
	}
	if strings.Join(names, " ") != "sheet.updated row.updated cell.updated" {
		t.Errorf("got events %v", names)
	}
}
