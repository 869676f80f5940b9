package relay

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// wide is a sheet with many columns, and the reader of all of them.
func wide(t *testing.T, columns, rows int) (*smartsheettest.Server, *smartsheettest.User, *smartsheettest.Sheet, *reader) {
	t.Helper()
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	spec := smartsheettest.SheetSpec{Name: "Wide", Owner: jane}
	for i := range columns {
		spec.Columns = append(spec.Columns, smartsheettest.Column{Title: fmt.Sprint("C", i)})
	}
	for r := range rows {
		values := smartsheettest.Cells{}
		for i := range columns {
			values[fmt.Sprint("C", i)] = fmt.Sprintf("%d/%d", r, i)
		}
		spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: values})
	}
	sheet, err := sim.AddSheet(spec)
	if err != nil {
		t.Fatal(err)
	}
	token := sim.AddToken(jane)
	rd := &reader{sheetID: sheet.ID, client: &smartsheet.Client{
		BaseURL: sim.URL(), Token: func(context.Context) (string, error) { return token, nil },
	}}
	snap, _ := sim.Snapshot(sheet.ID)
	for _, c := range snap.Columns {
		rd.columns = append(rd.columns, c.ID)
	}
	slices.Sort(rd.columns)
	return sim, jane, sheet, rd
}

// named are the hints of rows of which nothing else is known.
func named(ids ...int64) map[int64]inbox.Row {
	rows := map[int64]inbox.Row{}
	for _, id := range ids {
		rows[id] = inbox.Row{}
	}
	return rows
}

// all reads the rows of a hint.
func all(t *testing.T, rd *reader, hinted map[int64]inbox.Row) (rows []smartsheet.Row, gone []int64) {
	t.Helper()
	for pg, err := range rd.rows(t.Context(), hinted) {
		if err != nil {
			t.Fatal(err)
		}
		rows, gone = append(rows, pg.rows...), append(gone, pg.gone...)
	}
	return rows, gone
}

// TestRowsOfAWideSheet: the cells of named rows come in a few answers, however many
// columns are shared.
func TestRowsOfAWideSheet(t *testing.T) {
	t.Parallel()
	const columns, many = 400, 60
	sim, _, sheet, rd := wide(t, columns, many)
	before := len(sim.Requests())
	rows, gone := all(t, rd, named(sheet.Rows...))
	if n := len(sim.Requests()) - before; n > 3 {
		t.Errorf("%d requests for %d rows of %d columns, want no more than 3", n, many, columns)
	}
	if len(rows) != many || len(gone) != 0 {
		t.Fatalf("got %d rows and %d that are gone, want %d and none", len(rows), len(gone), many)
	}
	for _, row := range rows {
		cells := map[int64]string{}
		for _, c := range row.Cells {
			cells[c.ColumnID] = string(c.Value)
		}
		r := slices.Index(sheet.Rows, row.ID)
		for i := range columns {
			if got, want := cells[sheet.Columns[fmt.Sprint("C", i)]], fmt.Sprintf("%q", fmt.Sprintf("%d/%d", r, i)); got != want {
				t.Fatalf("cell %d of row %d: got %s, want %s", i, r, got, want)
			}
		}
	}
}

// TestSheetThatMovesBetweenAnswers: answers of two versions do not make one row.
func TestSheetThatMovesBetweenAnswers(t *testing.T) {
	t.Parallel()
	for name, always := range map[string]bool{"once": false, "every time": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, jane, sheet, rd := wide(t, columnsAtOnce+1, 1)
			var asked atomic.Int32
			sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				if n := asked.Add(1); n == 2 || always && n%2 == 0 { // between the two answers
					if err := sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: smartsheettest.Cells{"C0": n, "C200": n}}); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
			for pg, err := range rd.rows(t.Context(), named(sheet.Rows...)) {
				if always {
					if err == nil {
						t.Errorf("got a row %+v of answers that do not belong together", pg.rows)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				values := map[string]bool{}
				for _, c := range pg.rows[0].Cells {
					if c.ColumnID == sheet.Columns["C0"] || c.ColumnID == sheet.Columns["C200"] {
						values[string(c.Value)] = true
					}
				}
				if len(values) != 1 {
					t.Errorf("got values %v of one edit, want one", values)
				}
			}
			if n := asked.Load(); always && n != 2*unequalReadings || !always && n != 4 {
				t.Errorf("got %d requests", n)
			}
		})
	}
}

// TestRowsThatAreMissing: a row that a bulk read does not bring is gone if a
// callback said so, if Smartsheet says so of it, or if it is one of many that a
// second answer of the same version does not have either.
func TestRowsThatAreMissing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gone, told, single int
	}{
		"told by a callback":      {3, 3, 0},
		"not told":                {3, 0, 3},
		"as many as are asked":    {maxSingle, 0, maxSingle},
		"more than are asked":     {maxSingle + 1, 0, 0},
		"many, and a few of told": {maxSingle + 4, 4, maxSingle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, jane, sheet, rd := wide(t, 2, 30)
			away := sheet.Rows[:tt.gone]
			if err := sim.As(jane).DeleteRows(sheet.ID, away...); err != nil {
				t.Fatal(err)
			}
			hinted := named(sheet.Rows...)
			for _, id := range away[:tt.told] {
				hinted[id] = inbox.Row{Deleted: true}
			}
			before := len(sim.Requests())
			rows, gone := all(t, rd, hinted)
			slices.Sort(gone)
			if want := slices.Sorted(slices.Values(away)); len(rows) != 30-tt.gone || !slices.Equal(gone, want) {
				t.Errorf("got %d rows and %v that are gone, want %d and %v", len(rows), gone, 30-tt.gone, want)
			}
			single := 0
			for _, r := range sim.Requests()[before:] {
				if strings.Contains(r.Route, "/rows/") {
					single++
				}
			}
			if single != tt.single {
				t.Errorf("%d rows were asked for one by one, want %d", single, tt.single)
			}
		})
	}
}

// TestRowThatOnlyABulkReadMisses is not gone: a read of it answers.
func TestRowThatOnlyABulkReadMisses(t *testing.T) {
	t.Parallel()
	_, _, sheet, rd := wide(t, 1, 3)
	hidden := sheet.Rows[1]
	rd.client.HTTP = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		q := r.URL.Query()
		if ids := strings.Split(q.Get("rowIds"), ","); q.Has("rowIds") {
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == fmt.Sprint(hidden) })
			if len(ids) == 0 {
				ids = []string{"4711"}
			}
			q.Set("rowIds", strings.Join(ids, ","))
			r = r.Clone(r.Context())
			r.URL.RawQuery = q.Encode()
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
	rows, gone := all(t, rd, named(sheet.Rows...))
	if len(rows) != 2 || len(gone) != 0 {
		t.Errorf("got %d rows and %v that are gone, want the other two rows and none that is", len(rows), gone)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSheetWithoutColumns ends with an error: to ask for none would mean all.
func TestSheetWithoutColumns(t *testing.T) {
	t.Parallel()
	_, _, sheet, rd := wide(t, 1, 1)
	rd.columns = nil
	rd.client.HTTP = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		answer := `{"pageNumber":1,"pageSize":100,"totalPages":1,"totalCount":0,"data":[]}`
		if !strings.HasSuffix(r.URL.Path, "/columns") {
			t.Errorf("got %s, want the columns asked for alone", r.URL.Path)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
	})}
	for _, err := range rd.pages(t.Context()) {
		if err == nil {
			t.Error("got a page of a sheet that has no columns")
		}
	}
	for _, err := range rd.rows(t.Context(), named(sheet.Rows...)) {
		if err == nil {
			t.Error("got rows of a sheet that has no columns")
		}
	}
}

// TestConfirmWhileTheSheetMoves: rows that are gone are confirmed though the sheet
// changes each time that some of them are published.
func TestConfirmWhileTheSheetMoves(t *testing.T) {
	t.Parallel()
	const deleted = 600
	sim, jane, sheet, rd := wide(t, 2, deleted+1)
	for ids := range slices.Chunk(sheet.Rows[1:], 200) {
		if err := sim.As(jane).DeleteRows(sheet.ID, ids...); err != nil {
			t.Fatal(err)
		}
	}
	candidates := map[int64]bool{}
	for _, id := range sheet.Rows[1:] {
		candidates[id] = true
	}
	var gone []int64
	for pg, err := range rd.confirm(t.Context(), candidates, nil) {
		if err != nil {
			t.Fatalf("after %d rows: %v", len(gone), err)
		}
		gone = append(gone, pg.gone...)
		edit := smartsheettest.Row{ID: sheet.Rows[0], Cells: smartsheettest.Cells{"C0": fmt.Sprint(len(gone))}}
		if err := sim.As(jane).UpdateRows(sheet.ID, edit); err != nil {
			t.Fatal(err)
		}
	}
	if len(gone) != deleted {
		t.Errorf("%d of %d rows are gone", len(gone), deleted)
	}
}

// TestTooLargeIsLearnt: what one answer with rows showed to be too large is not asked
// for again.
func TestTooLargeIsLearnt(t *testing.T) {
	t.Parallel()
	sim, _, sheet, rd := wide(t, 2, 1000)
	rd.maxBytes = 16 << 10
	if rows, _ := all(t, rd, named(sheet.Rows...)); len(rows) != len(sheet.Rows) {
		t.Errorf("got %d rows of %d", len(rows), len(sheet.Rows))
	}
	refused := 0
	for _, r := range sim.Requests() {
		if strings.Count(r.Query, "%2C")+strings.Count(r.Query, ",") > 40 {
			refused++
		}
	}
	t.Logf("%d requests, %d of them for more than an answer holds", len(sim.Requests()), refused)
	if refused > 5 { // twice each halving at the most
		t.Errorf("%d requests asked for more than an answer holds", refused)
	}
}
