package events

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// A filter tells a row that it hides from one on which it fails.
func TestPassesTellsHiddenFromFailed(t *testing.T) {
	sheet := smartsheet.Sheet{ID: 7, Name: "Orders", Columns: []smartsheet.Column{
		{ID: 1, Title: "Qty", Type: smartsheet.TextNumber}, {ID: 2, Title: "Done", Type: smartsheet.Checkbox},
	}}
	row := func(qty string) *smartsheet.Row {
		return &smartsheet.Row{ID: 9, Cells: []smartsheet.Cell{{ColumnID: 1, Value: json.RawMessage(qty)}, {ColumnID: 2, Value: json.RawMessage("true")}}}
	}
	for _, tt := range []struct {
		where, qty string
		shown      bool
		fails      string // in the error; empty: none
	}{
		{"qty > 3", "5", true, ""},
		{"qty > 3", "2", false, ""},
		{"qty > 3", `"many"`, false, "no such overload"},
		{"done", "1", true, ""},
		{"done ? qty : false", "1", false, "not true or false"},
		{"", "1", true, ""},
	} {
		share, err := Request{Partner: "acme", Columns: []RequestColumn{{Title: "Qty"}, {Title: "Done"}}, Where: tt.where}.Resolve(sheet)
		if err != nil {
			t.Fatalf("%s: %v", tt.where, err)
		}
		view, err := NewView(share, nil)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := view.Passes(row(tt.qty), smartsheet.TypesOf(sheet.Columns))
		var failed *FilterError
		if shown != tt.shown || errors.As(err, &failed) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%q on %s: got %v, %v; want %v and an error with %q", tt.where, tt.qty, shown, err, tt.shown, tt.fails)
		}
	}
}

// A filter that is nothing but a field of another type than checkbox is refused.
func TestFilterThatIsNoBooleanIsRefused(t *testing.T) {
	sheet := smartsheet.Sheet{ID: 7, Name: "Orders", Columns: []smartsheet.Column{
		{ID: 1, Title: "Status", Type: smartsheet.Picklist}, {ID: 2, Title: "Done", Type: smartsheet.Checkbox},
	}}
	for where, ok := range map[string]bool{"status": false, "'Open'": false, "done": true, "status == 'Open'": true} {
		_, err := Request{Partner: "acme", Columns: []RequestColumn{{Title: "Status"}, {Title: "Done"}}, Where: where}.Resolve(sheet)
		var refused *RequestError
		if ok != (err == nil) || err != nil && (!errors.As(err, &refused) || refused.Field != "where") {
			t.Errorf("%s: got %v", where, err)
		}
	}
}
