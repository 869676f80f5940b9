package events

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// TestResolveAgain: a share that is asked for again as it is, stays as it is, though
// columns of it were deleted at Smartsheet, and others renamed, in the meantime.
func TestResolveAgain(t *testing.T) {
	sheet := allTypes(t)
	request := Request{
		Partner: "acme", Sheet: "orders",
		Columns: []RequestColumn{{ColumnID: "7", As: "state"}, {ColumnID: "2", As: "price"}, {ColumnID: "4", As: "due"}},
		Where:   `state != 'Draft' && cells["Task"] != null && cells["Price"] != 0`,
		Write:   &WriteTerms{Update: []string{"state", "price"}},
	}
	was, err := request.Resolve(sheet)
	if err != nil {
		t.Fatal(err)
	}
	was.Gone = []int64{2} // shared, and named by the filter
	sheet.Columns = slices.DeleteFunc(slices.Clone(sheet.Columns), func(c smartsheet.Column) bool { return c.ID == 2 })
	for i := range sheet.Columns {
		if sheet.Columns[i].ID == 1 {
			sheet.Columns[i].Title = "Job" // was Task
		}
	}
	var refused *RequestError
	if _, err := request.Resolve(sheet); !errors.As(err, &refused) || refused.Field != "columns[1].columnId" {
		t.Errorf("got %v for a new share, want a refusal of columns[1].columnId", err)
	}

	request.Was = &was
	got, err := request.Resolve(sheet)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, got); diff != "" {
		t.Errorf("asked for again, the share is another (-was +now)\n%s", diff)
	}

	t.Run("with another filter", func(t *testing.T) {
		request := request
		request.Where = `cells["Task"] == 'x'`
		got, err := request.Resolve(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if got.Cells["Task"].ColumnID != 1 || !slices.Equal(got.Gone, []int64{2}) {
			t.Errorf("got cells %v and gone %v, want column 1 for Task, and 2 gone", got.Cells, got.Gone)
		}
	})
	t.Run("another column has the title", func(t *testing.T) {
		request, sheet := request, sheet
		sheet.Columns = append(slices.Clone(sheet.Columns), smartsheet.Column{ID: 99, Title: "Task", Type: smartsheet.TextNumber})
		if got, err := request.Resolve(sheet); err != nil || got.Cells["Task"].ColumnID != 1 {
			t.Errorf("got cells %v, error %v, want column 1 for the same filter", got.Cells, err)
		}
		request.Where = `cells["Task"] == 'x'`
		if got, err := request.Resolve(sheet); err != nil || got.Cells["Task"].ColumnID != 99 {
			t.Errorf("got cells %v, error %v, want column 99 for another filter", got.Cells, err)
		}
	})
	t.Run("another column has the title of the deleted one", func(t *testing.T) {
		request, sheet := request, sheet
		sheet.Columns = append(slices.Clone(sheet.Columns), smartsheet.Column{ID: 99, Title: "Price", Type: smartsheet.TextNumber})
		if got, err := request.Resolve(sheet); err != nil || got.Cells["Price"].ColumnID != 99 {
			t.Errorf("got cells %v, error %v, want column 99 for the filter, so that it shows rows again", got.Cells, err)
		}
	})
	t.Run("another filter with the title of the deleted column", func(t *testing.T) {
		request := request
		request.Where = `cells["Price"] == 0`
		if _, err := request.Resolve(sheet); !errors.As(err, &refused) || refused.Field != "where" {
			t.Errorf("got %v, want a refusal of where", err)
		}
	})
	t.Run("without the deleted column", func(t *testing.T) {
		request := request
		request.Columns, request.Where, request.Write = request.Columns[:1], "", nil
		if got, err := request.Resolve(sheet); err != nil || got.Gone != nil {
			t.Errorf("got gone %v, error %v, want none", got.Gone, err)
		}
	})
	t.Run("the deleted column is there again", func(t *testing.T) {
		if got, err := request.Resolve(allTypes(t)); err != nil || got.Gone != nil {
			t.Errorf("got gone %v, error %v, want none", got.Gone, err)
		}
	})
}
