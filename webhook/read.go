package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	// wholeReadings is how often a pass reads a whole sheet that changes under it.
	wholeReadings = 3
	// maxSingle is how many rows that a bulk read did not bring are asked for one
	// by one. Beyond that the whole sheet is compared.
	maxSingle = 20
	// fullEvery is how often a sheet is read even though its version has not
	// moved: recalculated formulas move none.
	fullEvery = 24 * time.Hour
)

// reading is some rows as they were read together.
type reading struct {
	version int64
	at      time.Time
	types   map[int64]smartsheet.ColumnType
	rows    []smartsheet.Row
	gone    []int64 // rows that are no longer in the sheet
}

// read reads what the hint and the shares ask for and publishes what differs.
func (p *pass) read(ctx context.Context) error {
	if !p.hint.Whole && !p.loading() {
		if err := p.readRows(ctx); err != nil {
			return err
		}
		return p.readChildren(ctx, false)
	}
	if unmoved, err := p.unmoved(ctx); err != nil || unmoved {
		return err
	}
	complete, err := p.readWhole(ctx)
	if err != nil {
		return err
	}
	if err := p.readChildren(ctx, true); err != nil {
		return err
	}
	p.each(func(r *run) error {
		if r.early { // it shows what is newer than what was read
			return nil
		}
		return r.complete(ctx, complete, p.began)
	})
	return nil
}

// unmoved asks for the sheet's version where that may be enough, and renews the
// shares' status if nothing has moved.
func (p *pass) unmoved(ctx context.Context) (bool, error) {
	if p.hint.Full || p.loading() {
		return false, nil
	}
	runs := slices.DeleteFunc(slices.Clone(p.runs), func(r *run) bool { return !r.active() })
	for _, r := range runs {
		s := r.state.Status
		following := s.State == events.StateLive || s.Reason == trouble(p.reg)
		if !following || s.ReadAt == nil || time.Since(*s.ReadAt) > fullEvery {
			return false, nil
		}
	}
	version, err := p.client.SheetVersion(ctx, p.reg.SheetID)
	if err != nil {
		return false, p.failed(err)
	}
	p.version = version
	for _, r := range runs {
		if r.state.Status.CompleteTo.Version != version {
			return false, nil
		}
	}
	p.each(func(r *run) error {
		return r.complete(ctx, events.CompleteTo{Version: version, Time: p.began}, *r.state.Status.ReadAt)
	})
	return true, nil
}

// failed keeps what Smartsheet answered, which decides what becomes of the hint.
func (p *pass) failed(err error) error {
	if !errors.Is(err, ErrBudget) {
		p.readErr = err
	}
	return fmt.Errorf("reading sheet %d: %w", p.reg.SheetID, err)
}

// columns are the columns that any share or its filter needs: nothing else is
// read, so nothing else can leak.
func (p *pass) columns() []int64 {
	var ids []int64
	for _, r := range p.runs {
		if r.active() {
			ids = append(ids, r.share.ColumnIDs()...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// sheet reads one page. Where Smartsheet does not take a column id, a column
// was deleted: the page is read without it.
func (p *pass) sheet(ctx context.Context, q smartsheet.SheetQuery) (*smartsheet.Sheet, error) {
	client := *p.client
	client.MaxBody = cmp.Or(p.relay.MaxPage, defaultMaxPage)
	sheet, err := client.Sheet(ctx, p.reg.SheetID, q)
	if class := smartsheet.Classify(err); (class == smartsheet.Invalid || class == smartsheet.NotFound) && !errors.Is(err, smartsheet.ErrTooLarge) {
		existing, columnsErr := p.client.Columns(ctx, p.reg.SheetID)
		if columnsErr != nil {
			return nil, p.failed(columnsErr)
		}
		if left := smartsheet.Existing(q.ColumnIDs, existing); len(left) < len(q.ColumnIDs) {
			q.ColumnIDs = left
			sheet, err = client.Sheet(ctx, p.reg.SheetID, q)
		}
	}
	if err != nil {
		return nil, p.failed(err)
	}
	p.rows += len(sheet.Rows)
	p.version = max(p.version, sheet.Version)
	p.types = smartsheet.TypesOf(sheet.Columns)
	return sheet, p.follow(ctx, sheet)
}

// readRows reads the rows of the hint in bulk.
func (p *pass) readRows(ctx context.Context) error {
	columns := p.columns()
	size := smartsheet.RowsPerQuery(len(columns))
	for ids := slices.Sorted(maps.Keys(p.hint.Rows)); len(ids) > 0; {
		chunk := ids[:min(size, len(ids))]
		sheet, err := p.sheet(ctx, smartsheet.SheetQuery{RowIDs: chunk, ColumnIDs: columns, PageSize: len(chunk)})
		if p.fewer(err, len(chunk)) {
			size = len(chunk) / 2
			continue
		}
		if err != nil {
			return err
		}
		rd := reading{version: sheet.Version, at: time.Now(), types: p.types}
		found := make(map[int64]bool, len(chunk))
		for _, row := range sheet.Rows {
			if _, hinted := p.hint.Rows[row.ID]; hinted && !found[row.ID] {
				found[row.ID] = true
				rd.rows = append(rd.rows, row)
			}
		}
		if err := p.missing(ctx, &rd, chunk, found); err != nil {
			return err
		}
		p.each(func(r *run) error { return r.publishRows(ctx, rd) })
		ids = ids[len(chunk):]
	}
	return nil
}

// fewer tells whether an error means that so many rows at once are too large an
// answer, as with long cells, and that half of them may not be.
func (p *pass) fewer(err error, rows int) bool {
	if rows < 2 || !errors.Is(err, smartsheet.ErrTooLarge) {
		return false
	}
	p.readErr = nil
	return true
}

// missing finds out about the rows that a bulk read did not bring: one is gone
// only if a callback said so or Smartsheet says so of that very row.
func (p *pass) missing(ctx context.Context, rd *reading, asked []int64, found map[int64]bool) error {
	var unsure []int64
	for _, id := range asked {
		switch {
		case found[id]:
		case p.hint.Rows[id].Deleted:
			rd.gone = append(rd.gone, id)
		default:
			unsure = append(unsure, id)
		}
	}
	if len(unsure) > maxSingle {
		p.hint.Whole, p.hint.Full = true, true
		return errAgain
	}
	for _, id := range unsure {
		row, err := p.client.Row(ctx, p.reg.SheetID, id)
		switch {
		case err == nil:
			rd.rows = append(rd.rows, *row)
		case smartsheet.Classify(err) == smartsheet.NotFound:
			rd.gone = append(rd.gone, id)
		default:
			return p.failed(err)
		}
	}
	return nil
}

// readWhole reads all rows, page by page, and then deletes for each share what
// is no longer in the sheet. A reading counts as whole only if the sheet stood
// still; a sheet that never does gets its deletions at a calmer moment.
func (p *pass) readWhole(ctx context.Context) (events.CompleteTo, error) {
	for range wholeReadings {
		at := time.Now()
		ids, version, still, err := p.readPages(ctx)
		if err != nil {
			return events.CompleteTo{}, err
		}
		if still {
			p.each(func(r *run) error { return r.publishGone(ctx, ids, version, at) })
			return events.CompleteTo{Version: version, Time: at}, nil
		}
	}
	return events.CompleteTo{}, errLively
}

// readPages reads all pages and publishes each. Still says that the sheet had
// one version all the time and that its rows are all there.
func (p *pass) readPages(ctx context.Context) (ids map[int64]bool, version int64, still bool, err error) {
	columns := p.columns()
	size := min(max(pageCells/max(len(columns), 1), minPage), maxPage)
	ids, still = map[int64]bool{}, true
	for page := 1; page <= maxPages; page++ {
		sheet, err := p.sheet(ctx, smartsheet.SheetQuery{ColumnIDs: columns, Page: page, PageSize: size})
		if p.fewer(err, size) { // goes on where it was, with rows twice if need be
			read := (page - 1) * size
			size /= 2
			page = read / size
			continue
		}
		if err != nil {
			return nil, 0, false, err
		}
		if page == 1 {
			version = sheet.Version
		}
		rd := reading{version: sheet.Version, at: time.Now(), types: p.types}
		for _, row := range sheet.Rows {
			if !ids[row.ID] { // else it moved from the page before
				ids[row.ID] = true
				rd.rows = append(rd.rows, row)
			}
		}
		p.each(func(r *run) error { return r.publishRows(ctx, rd) })
		still = still && sheet.Version == version
		if len(sheet.Rows) == 0 || page*size >= sheet.TotalRowCount {
			return ids, version, still && len(ids) == sheet.TotalRowCount, nil
		}
	}
	return nil, 0, false, fmt.Errorf("reading sheet %d: more than %d pages", p.reg.SheetID, maxPages)
}
