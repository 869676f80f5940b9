package relay

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// rows reads the rows that a hint names. A row that a bulk read does not bring is
// gone only if a callback said so or Smartsheet says so of that very row.
func (rd *reader) rows(ctx context.Context, hinted map[int64]inbox.Row) iter.Seq2[*page, error] {
	return ahead(ctx, func(ctx context.Context) iter.Seq2[*page, error] {
		return together(rd.byID(ctx, slices.Sorted(maps.Keys(hinted)), hinted))
	})
}

// namedAtOnce is how many rows that were asked for by their ids are compared and
// published together, while the next ones are read: two times for a thousand rows, which
// are more than one batch takes. Each publishing of some hundreds of events costs as
// much as nearly a hundred of them.
const namedAtOnce = 600

// together makes one page of those that follow each other and are of one version, up
// to namedAtOnce rows. A page that leaves no room for another like it is given at once.
func together(pages iter.Seq2[*page, error]) iter.Seq2[*page, error] {
	return func(yield func(*page, error) bool) {
		var all *page
		for pg, err := range pages {
			if all != nil && (err != nil || pg.version != all.version || len(all.rows)+len(pg.rows) > namedAtOnce) {
				if !yield(all, nil) {
					return
				}
				all = nil
			}
			if err != nil {
				yield(nil, err)
				return
			}
			last := len(pg.rows)
			if all == nil {
				all = pg
			} else {
				all.rows, all.gone = append(all.rows, pg.rows...), append(all.gone, pg.gone...)
			}
			if len(all.rows)+last > namedAtOnce { // the next one has about as many
				if !yield(all, nil) {
					return
				}
				all = nil
			}
		}
		if all != nil {
			yield(all, nil)
		}
	}
}

// answersAtOnce is how many answers with named rows are waited for at the same time:
// Smartsheet takes a good part of a second for each. So many pages may be held besides
// the one that is worked on and the next.
const answersAtOnce = 2

// byID reads rows in bulk. Those that are gone are in the gone of the page: hinted says
// of some what a callback said of them.
func (rd *reader) byID(ctx context.Context, ids []int64, hinted map[int64]inbox.Row) iter.Seq2[*page, error] {
	return func(yield func(*page, error) bool) {
		if len(ids) == 0 {
			return
		}
		columns, err := rd.named(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		size := &chunkSize{rows: smartsheet.RowsPerQuery(min(len(columns), columnsAtOnce))}
		var chunks []func(context.Context) iter.Seq2[*page, error]
		for chunk := range slices.Chunk(ids, size.rows) {
			chunks = append(chunks, func(ctx context.Context) iter.Seq2[*page, error] {
				return rd.withoutDoubt(ctx, rd.inParts(ctx, chunk, columns, size), columns, size, hinted)
			})
		}
		inOrder(ctx, chunks, answersAtOnce)(yield)
	}
}

// withoutDoubt finds out of the pages' rows that did not come whether they are gone.
func (rd *reader) withoutDoubt(ctx context.Context, pages iter.Seq2[*page, error], columns []int64, size *chunkSize, hinted map[int64]inbox.Row) iter.Seq2[*page, error] {
	return func(yield func(*page, error) bool) {
		for pg, err := range pages {
			if err == nil {
				err = rd.findMissing(ctx, pg, columns, size, hinted)
			}
			if !yield(pg, err) || err != nil {
				return
			}
		}
	}
}

// chunkSize is how many rows are asked for at once: fewer from when an answer was too
// large.
type chunkSize struct {
	mu   sync.Mutex
	rows int
}

func (c *chunkSize) get() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows
}

func (c *chunkSize) atMost(rows int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows = min(c.rows, rows)
}

// inParts reads some rows, in several answers where one would be too large. Rows that
// do not come are in the gone of the page, which is not yet the evidence that they are.
func (rd *reader) inParts(ctx context.Context, ids, columns []int64, size *chunkSize) iter.Seq2[*page, error] {
	return func(yield func(*page, error) bool) {
		for len(ids) > 0 {
			part := ids[:min(size.get(), len(ids))]
			pg, err := rd.chunk(ctx, part, columns)
			if len(part) > 1 && errors.Is(err, smartsheet.ErrTooLarge) {
				size.atMost(len(part) / 2)
				continue
			}
			if !yield(pg, err) || err != nil {
				return
			}
			ids = ids[len(part):]
		}
	}
}

// chunk reads some rows. Where there are more columns than one URL names beside
// the rows, they come in several answers, which count only if all are of one
// version of the sheet.
func (rd *reader) chunk(ctx context.Context, ids, columns []int64) (*page, error) {
	for range unequalReadings {
		at := time.Now()
		var parts []*smartsheet.Sheet
		for some := range slices.Chunk(columns, columnsAtOnce) {
			part, err := rd.ask(ctx, smartsheet.SheetQuery{RowIDs: ids, ColumnIDs: some, PageSize: len(ids)})
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if slices.ContainsFunc(parts, func(s *smartsheet.Sheet) bool { return s.Version != parts[0].Version }) {
			continue
		}
		sheet := joined(parts)
		pg := rd.pageOf(sheet, at, slices.DeleteFunc(sheet.Rows, func(row smartsheet.Row) bool { return !slices.Contains(ids, row.ID) }))
		found := make(map[int64]bool, len(pg.rows))
		for _, row := range pg.rows {
			found[row.ID] = true
		}
		pg.gone = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return found[id] })
		return pg, nil
	}
	return nil, errMoving
}

// joined is one sheet with the columns and cells of several answers for the same
// rows and the same version.
func joined(parts []*smartsheet.Sheet) *smartsheet.Sheet {
	sheet := parts[0]
	index := make(map[int64]int, len(sheet.Rows))
	for i, row := range sheet.Rows {
		index[row.ID] = i
	}
	for _, part := range parts[1:] {
		sheet.Columns = append(sheet.Columns, part.Columns...)
		for _, row := range part.Rows {
			if i, ok := index[row.ID]; ok {
				sheet.Rows[i].Cells = append(sheet.Rows[i].Cells, row.Cells...)
			}
		}
	}
	return sheet
}

// findMissing leaves in the page's gone only rows of which that is known. More
// than a few that did not come are asked for once more: what two answers of one
// version do not have is gone.
func (rd *reader) findMissing(ctx context.Context, pg *page, columns []int64, size *chunkSize, hinted map[int64]inbox.Row) error {
	var gone, unsure []int64
	for _, id := range pg.gone {
		if hinted[id].Deleted {
			gone = append(gone, id)
		} else {
			unsure = append(unsure, id)
		}
	}
	pg.gone = gone
	if len(unsure) > maxSingle {
		return rd.askAgain(ctx, pg, unsure, columns, size)
	}
	for _, id := range unsure { // it is only asked whether there is one
		_, err := rd.client.Row(ctx, rd.sheetID, id, columns[0])
		switch {
		case smartsheet.Classify(err) == smartsheet.NotFound:
			pg.gone = append(pg.gone, id)
		case err != nil:
			return err
		default: // it is there, even if the second answer is without it too
			if err := rd.askAgain(ctx, pg, []int64{id}, columns, size); err != nil {
				return err
			}
			pg.gone = slices.DeleteFunc(pg.gone, func(gone int64) bool { return gone == id })
		}
	}
	return nil
}

// askAgain asks a second time for rows that did not come, and adds them to the
// page, or to its gone where the sheet has not moved since.
func (rd *reader) askAgain(ctx context.Context, pg *page, ids, columns []int64, size *chunkSize) error {
	for again, err := range rd.inParts(ctx, ids, columns, size) {
		if err != nil {
			return err
		}
		if again.version != pg.version {
			return errMoving
		}
		pg.rows = append(pg.rows, again.rows...)
		pg.gone = append(pg.gone, again.gone...)
	}
	return nil
}

// confirm tells of rows that partners see and that a reading of the whole sheet
// did not bring. Where the sheet was calm while it was read they are gone. Else
// they are asked for.
func (rd *reader) confirm(ctx context.Context, candidates map[int64]bool, calm *page) iter.Seq2[*page, error] {
	ids := slices.Sorted(maps.Keys(candidates))
	return func(yield func(*page, error) bool) {
		if len(ids) == 0 {
			return
		}
		if calm != nil {
			yield(&page{version: calm.version, at: calm.at, began: calm.began, columns: calm.columns, gone: ids}, nil)
			return
		}
		rd.byID(ctx, ids, nil)(yield)
	}
}
