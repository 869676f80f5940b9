package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

const (
	// pageCells is about how many cells one page of a sheet may have: a few
	// megabytes of JSON.
	pageCells = 50_000
	minPage   = 100 // rows
	maxPage   = 5_000
	maxPages  = 10_000
	// defaultMaxPage is for cells that are longer than most: a page beyond it is
	// read in halves.
	defaultMaxPage = 32 << 20 // bytes
	// maxSingle is how many rows that a bulk read did not bring are asked for one
	// by one.
	maxSingle = 20
	// columnsAtOnce is how many columns one request for named rows asks for: more
	// would leave no room in the URL for the rows.
	columnsAtOnce = 200
	// unequalReadings is how often rows are read again whose columns came in
	// several answers with different versions of the sheet.
	unequalReadings = 4
)

// errMoving says that a sheet changed between two answers that belong together,
// every time.
var errMoving = errors.New("the sheet changes faster than it can be read")

// errNoColumns says that Smartsheet listed no column of a sheet, which each has.
var errNoColumns = errors.New("no column of the sheet is listed by Smartsheet")

// goneColumnsError says that columns which a share names were deleted.
type goneColumnsError struct{ ids []int64 }

func (e *goneColumnsError) Error() string {
	return fmt.Sprintf("%d of the columns are no longer in the sheet", len(e.ids))
}

// reader reads one sheet for one pass. It knows no partner. What it asks for is
// what the shares and their filters name, and nothing else.
type reader struct {
	client   *smartsheet.Client
	sheetID  int64
	began    moment  // before anything was read
	columns  []int64 // ascending; empty: any one
	maxBytes int64   // of an answer with rows
	deny     smartsheet.Classifications

	requests, read atomic.Int64
	version        atomic.Int64 // highest of the sheet so far
}

// reading is what a pass read, and why it could not go on.
type reading struct {
	err      error
	rows     int
	requests int
	version  int64 // highest of the sheet; 0: nothing was read

	outcomes outcomes            // of what was read
	written  map[int64]time.Time // rows that writes had changed, with when they were modified last or found gone
}

// page is some rows as they were read together.
type page struct {
	version int64
	at      time.Time
	began   moment // when the pass began to read
	sheet   string // its name
	columns []smartsheet.Column
	before  int // rows of the pages before it
	rows    []smartsheet.Row
	gone    []int64 // rows that are no longer in the sheet
	total   int     // rows of the whole sheet; 0: it has none, or the page is no part of reading it all
	named   bool    // the rows were asked for by their ids
}

func (rd *reader) result(all outcomes, err error) reading {
	if err != nil {
		err = fmt.Errorf("reading sheet %d: %w", rd.sheetID, err)
	}
	return reading{err: err, outcomes: all, rows: int(rd.read.Load()), requests: int(rd.requests.Load()), version: rd.version.Load()}
}

// sheetVersion asks for the version of the sheet.
func (rd *reader) sheetVersion(ctx context.Context) (int64, error) {
	v, err := rd.client.SheetVersion(ctx, rd.sheetID)
	if err == nil {
		rd.sawVersion(v)
	}
	return v, err
}

func (rd *reader) sawVersion(v int64) {
	for {
		was := rd.version.Load()
		if was >= v || rd.version.CompareAndSwap(was, v) {
			return
		}
	}
}

// ask sends one query. Where Smartsheet refuses it because a column is gone, the
// error is a *goneColumnsError.
func (rd *reader) ask(ctx context.Context, q smartsheet.SheetQuery) (*smartsheet.Sheet, error) {
	client := *rd.client
	client.MaxBody = cmp.Or(rd.maxBytes, defaultMaxPage)
	sheet, err := client.Sheet(ctx, rd.sheetID, q)
	if class := smartsheet.Classify(err); (class == smartsheet.Invalid || class == smartsheet.NotFound) && !errors.Is(err, smartsheet.ErrTooLarge) {
		existing, columnsErr := rd.client.Columns(ctx, rd.sheetID)
		if columnsErr != nil {
			return nil, columnsErr
		}
		if gone := absent(q.ColumnIDs, typesOf(existing)); len(gone) > 0 {
			return nil, &goneColumnsError{gone}
		}
	}
	if err != nil {
		return nil, err
	}
	if rd.deny.Has(sheet.Classification) {
		return nil, &classifiedError{sheet.Classification}
	}
	rd.read.Add(int64(len(sheet.Rows)))
	rd.sawVersion(sheet.Version)
	return sheet, nil
}

// absent are the ids that are none of the columns.
func absent[C any](ids []int64, columns map[int64]C) []int64 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		_, there := columns[id]
		return there
	})
}

// named are the columns to ask for: at least one, since none would mean all.
func (rd *reader) named(ctx context.Context) ([]int64, error) {
	if len(rd.columns) > 0 {
		return rd.columns, nil
	}
	existing, err := rd.client.Columns(ctx, rd.sheetID)
	if err != nil {
		return nil, err
	}
	if len(existing) == 0 {
		return nil, errNoColumns
	}
	return smartsheet.Existing(nil, existing), nil
}

// pages reads the whole sheet, the next page while the caller works on one.
func (rd *reader) pages(ctx context.Context) iter.Seq2[*page, error] {
	return ahead(ctx, rd.inPages)
}

func (rd *reader) inPages(ctx context.Context) iter.Seq2[*page, error] {
	return func(yield func(*page, error) bool) {
		columns, err := rd.named(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		size, rows := min(max(pageCells/len(columns), minPage), maxPage), 0
		for number := 1; number <= maxPages; number++ {
			at := time.Now()
			sheet, err := rd.ask(ctx, smartsheet.SheetQuery{ColumnIDs: columns, Page: number, PageSize: size})
			if size > 1 && errors.Is(err, smartsheet.ErrTooLarge) { // goes on where it was, with rows twice if need be
				read := (number - 1) * size
				size /= 2
				number = read / size
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			pg := rd.pageOf(sheet, at, sheet.Rows)
			pg.before, rows = rows, rows+len(pg.rows)
			if !yield(pg, nil) || len(sheet.Rows) == 0 || number*size >= sheet.TotalRowCount {
				return
			}
		}
		yield(nil, fmt.Errorf("the sheet has more than %d pages", maxPages))
	}
}

func (rd *reader) pageOf(sheet *smartsheet.Sheet, at time.Time, rows []smartsheet.Row) *page {
	return &page{version: sheet.Version, at: at, began: rd.began, sheet: sheet.Name, columns: sheet.Columns, rows: unique(rows), total: sheet.TotalRowCount}
}

// unique are the rows without those that come a second time.
func unique(rows []smartsheet.Row) []smartsheet.Row {
	seen := make(map[int64]bool, len(rows))
	return slices.DeleteFunc(rows, func(row smartsheet.Row) bool {
		again := seen[row.ID]
		seen[row.ID] = true
		return again
	})
}

// wholeSheet is what all pages together show of the sheet.
type wholeSheet struct {
	ids     map[int64]bool // of all rows that came
	columns []smartsheet.Column
	first   *page // without its rows
	moved   bool  // a page had another version than the first
	total   int   // rows that the last page says there are
}

// add takes over a page.
func (w *wholeSheet) add(pg *page) {
	if w.first == nil {
		first := *pg
		first.rows, first.gone = nil, nil
		w.first = &first
	}
	w.moved = w.moved || pg.version != w.first.version
	w.columns, w.total = pg.columns, pg.total
	for _, row := range pg.rows {
		w.ids[row.ID] = true
	}
}

// calm is the first page where the sheet had one version all the time and all
// its rows came, nil where it moved: rows may have passed from one page to
// another.
func (w *wholeSheet) calm() *page {
	if w.moved || len(w.ids) != w.total {
		return nil
	}
	return w.first
}

// completeTo is the version that all of the sheet has been read at or after.
func (w *wholeSheet) completeTo() events.CompleteTo {
	return events.CompleteTo{Version: w.first.version, Time: w.first.at.UTC().Truncate(time.Millisecond)}
}
