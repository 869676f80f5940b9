package relay

import (
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// wholeSheet is what a reading of all pages has told of the sheet.
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
