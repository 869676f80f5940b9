package smartsheet

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
)

const (
	// MaxRowIDs is how many rows one query may name: more make a URL that
	// Smartsheet's front refuses.
	MaxRowIDs = 200

	defaultPageSize = 1000
	// maxURLIDs is about how many ids, of rows and columns together, stay
	// below 8 KiB of URL.
	maxURLIDs = 400

	cellDetail = "objectValue,columnType,writerInfo"
	cellLevel  = "2" // 0 and 1 show multi-contact and multi-picklist as text
)

// SheetQuery says what to read of a sheet. Its zero value is the first page of
// all rows and columns.
type SheetQuery struct {
	RowIDs    []int64 // these rows only, at most MaxRowIDs; those that do not exist are absent. Empty: all
	ColumnIDs []int64 // these columns only. Empty: all
	Page      int     // from 1; 0: the first
	PageSize  int     // rows; 0: 1000, and never fewer than RowIDs
}

// RowsPerQuery is how many rows one query may name when it names as many
// columns as given: both share the URL.
func RowsPerQuery(columns int) int {
	return max(1, min(MaxRowIDs, maxURLIDs-columns))
}

// Sheet reads one page of a sheet, in one request.
func (c *Client) Sheet(ctx context.Context, sheetID int64, q SheetQuery) (*Sheet, error) {
	r := request{route: "/sheets/{id}", ids: []int64{sheetID}}
	query, err := q.values()
	if err != nil {
		return nil, fmt.Errorf("smartsheet: GET %s: %w", r.route, err)
	}
	r.query = query
	return get(ctx, c, r, func(s *Sheet) bool { return s.ID == sheetID })
}

func (q SheetQuery) values() (url.Values, error) {
	if len(q.RowIDs) > MaxRowIDs {
		return nil, fmt.Errorf("%w: %d row ids, want at most %d", errInvalid, len(q.RowIDs), MaxRowIDs)
	}
	if q.Page < 0 || q.PageSize < 0 {
		return nil, fmt.Errorf("%w: page %d of %d rows", errInvalid, q.Page, q.PageSize)
	}
	size := q.PageSize
	if size == 0 && len(q.RowIDs) == 0 {
		size = defaultPageSize
	}
	v := cellQuery()
	v.Set("page", strconv.Itoa(max(q.Page, 1)))
	v.Set("pageSize", strconv.Itoa(max(size, len(q.RowIDs))))
	if len(q.RowIDs) > 0 {
		v.Set("rowIds", joinIDs(q.RowIDs))
	}
	if len(q.ColumnIDs) > 0 {
		v.Set("columnIds", joinIDs(q.ColumnIDs))
	}
	return v, nil
}

func cellQuery() url.Values {
	return url.Values{"level": {cellLevel}, "include": {cellDetail}}
}

func joinIDs(ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	return b.String()
}

// SheetVersion asks for the version of a sheet. It rises with every change of
// cells, rows, comments and attachments, not with every recalculation.
func (c *Client) SheetVersion(ctx context.Context, sheetID int64) (int64, error) {
	type answer struct {
		Version *int64 `json:"version"`
	}
	r := request{route: "/sheets/{id}/version", ids: []int64{sheetID}}
	a, err := get(ctx, c, r, func(a *answer) bool { return a.Version != nil })
	if err != nil {
		return 0, err
	}
	return *a.Version, nil
}

// Row reads one row with its cells: of some columns, or with none named of all. A
// row that is gone gives an error of class [NotFound].
func (c *Client) Row(ctx context.Context, sheetID, rowID int64, columnIDs ...int64) (*Row, error) {
	r := request{route: "/sheets/{id}/rows/{id}", ids: []int64{sheetID, rowID}, query: cellQuery()}
	if len(columnIDs) > 0 {
		r.query.Set("columnIds", joinIDs(columnIDs))
	}
	return get(ctx, c, r, func(row *Row) bool { return row.ID == rowID })
}

// Columns reads all columns of a sheet.
func (c *Client) Columns(ctx context.Context, sheetID int64) ([]Column, error) {
	r := request{route: "/sheets/{id}/columns", ids: []int64{sheetID}, query: url.Values{"level": {cellLevel}}}
	var columns []Column
	for column, err := range pages[Column](ctx, c, r) {
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	return columns, nil
}

// SheetInfo is a sheet in the list of all sheets that a user sees.
type SheetInfo struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	AccessLevel string `json:"accessLevel,omitempty"` // OWNER, ADMIN, EDITOR_SHARE, EDITOR, COMMENTER or VIEWER
	Version     int64  `json:"version,omitempty"`
	CreatedAt   Time   `json:"createdAt,omitzero"`
	ModifiedAt  Time   `json:"modifiedAt,omitzero"`
}

// Sheets lists the sheets that the user sees, page by page. An error ends it.
func (c *Client) Sheets(ctx context.Context) iter.Seq2[SheetInfo, error] {
	r := request{route: "/sheets", query: url.Values{"include": {"sheetVersion"}}}
	return pages[SheetInfo](ctx, c, r)
}
