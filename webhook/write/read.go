package write

import (
	"context"
	"errors"
	"slices"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

const (
	// pageCells is about how many cells one page of a whole sheet may have.
	pageCells        = 50_000
	minPage, maxPage = 100, 5_000
	maxPages         = 10_000
	columnsAtOnce    = 200
)

// reading is a sheet as it was read a moment ago: the rows that writes are about, or
// all of them.
type reading struct {
	version int64 // when the reading began
	now     events.SheetNow
	canEdit bool
	rows    map[int64]*smartsheet.Row
	columns []int64 // that were asked for
}

// readFor reads what some proposals of one kind are to be judged by: for updates their rows,
// else the whole sheet, since a key may be in any row and any row may be under one
// that is to be deleted.
func readFor(ctx context.Context, client *smartsheet.Client, bulk []proposal) (*reading, error) {
	var columns, rows []int64
	for _, p := range bulk {
		columns = append(columns, p.rules.ColumnIDs()...)
		rows = append(rows, p.request.RowID)
	}
	slices.Sort(columns)
	columns = slices.Compact(columns)
	r, err := readSome(ctx, client, bulk[0], columns, rows)
	if class := smartsheet.Classify(err); class != smartsheet.Invalid && class != smartsheet.NotFound || errors.Is(err, smartsheet.ErrTooLarge) {
		return r, err
	}
	// A column may be gone.
	existing, columnsErr := client.Columns(ctx, bulk[0].share.SheetID)
	if columnsErr != nil {
		return nil, columnsErr
	}
	left := smartsheet.Existing(columns, existing)
	if slices.Equal(left, columns) {
		return nil, err
	}
	return readSome(ctx, client, bulk[0], left, rows)
}

func readSome(ctx context.Context, client *smartsheet.Client, first proposal, columns, rows []int64) (*reading, error) {
	if first.request.Op == events.OpUpdate {
		return readRows(ctx, client, first.share.SheetID, columns, rows)
	}
	return readWhole(ctx, client, first.share.SheetID, columns)
}

// add takes over an answer.
func (r *reading) add(sheet *smartsheet.Sheet) {
	if r.rows == nil {
		r.version, r.rows = sheet.Version, map[int64]*smartsheet.Row{}
		switch sheet.AccessLevel {
		case "OWNER", "ADMIN":
			r.now.Admin, r.canEdit = true, true
		case "EDITOR", "EDITOR_SHARE":
			r.canEdit = true
		}
	}
	for _, c := range sheet.Columns {
		if !slices.ContainsFunc(r.now.Columns, func(have smartsheet.Column) bool { return have.ID == c.ID }) {
			r.now.Columns = append(r.now.Columns, c)
		}
	}
	for i := range sheet.Rows {
		row := &sheet.Rows[i]
		if have := r.rows[row.ID]; have != nil { // more columns of it
			have.Cells = append(have.Cells, row.Cells...)
			continue
		}
		r.rows[row.ID] = row
	}
}

// readRows reads rows by their ids. What does not come is not there.
func readRows(ctx context.Context, client *smartsheet.Client, sheetID int64, columns, rows []int64) (*reading, error) {
	r := &reading{columns: columns}
	for chunk := range slices.Chunk(rows, smartsheet.RowsPerQuery(min(len(columns), columnsAtOnce))) {
		for some := range slices.Chunk(columns, columnsAtOnce) {
			sheet, err := client.Sheet(ctx, sheetID, smartsheet.SheetQuery{RowIDs: chunk, ColumnIDs: some, PageSize: len(chunk)})
			if err != nil {
				return nil, err
			}
			r.add(sheet)
		}
	}
	return r, nil
}

var (
	errManyPages = errors.New("the sheet has too many pages")
	errMoving    = errors.New("the sheet changes faster than it can be read")
)

// readWhole reads all rows.
func readWhole(ctx context.Context, client *smartsheet.Client, sheetID int64, columns []int64) (*reading, error) {
	r := &reading{columns: columns}
	size := min(max(pageCells/len(columns), minPage), maxPage)
	for page := 1; page <= maxPages; page++ {
		sheet, err := client.Sheet(ctx, sheetID, smartsheet.SheetQuery{ColumnIDs: columns, Page: page, PageSize: size})
		if err != nil {
			return nil, err
		}
		r.add(sheet)
		if sheet.Version != r.version { // a row may have moved from a page to one that was read
			return nil, errMoving
		}
		if len(sheet.Rows) == 0 || page*size >= sheet.TotalRowCount {
			return r, nil
		}
	}
	return nil, errManyPages
}

// hasChildren tells whether rows stand under a row of a sheet that was read whole.
func (r *reading) hasChildren(id int64) bool {
	for _, row := range r.rows {
		if row.ParentID == id {
			return true
		}
	}
	return false
}
