package write

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// resolve finds out whether a write was made that was sent, or about to be, and whose
// outcome nobody has learnt. One that was is answered. One that was not is judged as
// if it were new, in the next round.
func (r *round) resolve(ctx context.Context, client *smartsheet.Client, t *task, now *reading) error {
	row, made, err := wasMade(ctx, client, t, now)
	if err != nil {
		return err
	}
	name := t.job.attemptName()
	if !made {
		r.lease.forget(name)
		t.job.recoverAt = time.Time{}
		return nil
	}
	found := *t
	found.rowID = row
	data := events.WriteData{Result: events.ResultDone, Version: now.version, Raced: now.version != t.attempt.Version+1}
	if err := r.answer(ctx, &found, data, true); err != nil {
		return err
	}
	r.lease.forget(name)
	return nil
}

// wasMade tells whether the sheet has, or had, what a write was to make, and in which
// row.
func wasMade(ctx context.Context, client *smartsheet.Client, t *task, r *reading) (row int64, made bool, err error) {
	row = t.request.RowID
	if r.version == t.attempt.Version { // nothing at all was changed
		return row, false, nil
	}
	switch t.request.Op {
	case events.OpUpdate:
		made, err = wasUpdated(ctx, client, t, r)
	case events.OpCreate:
		return wasCreated(ctx, client, t, r)
	case events.OpDelete:
		_, there := r.rows[row]
		made = !there // deletions are not undone
	}
	return row, made, err
}

// wasUpdated asks for the history of a cell where the row is not, or no longer, as
// the write would have it: somebody may have changed it since.
func wasUpdated(ctx context.Context, client *smartsheet.Client, t *task, r *reading) (bool, error) {
	row := r.rows[t.request.RowID]
	if row == nil {
		return false, nil // what it was nobody can tell any more; it is gone
	}
	if t.rules.HoldsNew(&t.request, row, r.now) {
		return true, nil
	}
	column, value, ok := t.rules.Differing(&t.request, row, r.now)
	if !ok {
		return false, nil
	}
	return heldSince(ctx, client, t, row.ID, column, value)
}

// heldSince tells whether a cell held a value since the write was sent, put there by the
// writer.
func heldSince(ctx context.Context, client *smartsheet.Client, t *task, row int64, column smartsheet.Column, value []byte) (bool, error) {
	past, err := client.CellHistory(ctx, t.share.SheetID, row, column.ID)
	if err != nil {
		return false, err
	}
	for _, p := range past {
		if p.ModifiedAt.Before(t.attempt.ModifiedAt.Truncate(time.Second)) {
			return false, nil
		}
		cell := smartsheet.Cell{ColumnID: column.ID, Value: p.Value, ObjectValue: p.ObjectValue}
		if events.SameValue(cell, column, value) && byWriter(p.ModifiedBy, t) {
			return true, nil
		}
	}
	return false, nil
}

// byWriter tells whether the writer made a change, as far as is told.
func byWriter(a *smartsheet.Actor, t *task) bool {
	return a == nil || a.Email == "" || t.writer.Email == "" || strings.EqualFold(a.Email, t.writer.Email)
}

// maxCandidates is how many rows are asked for the history of their key, for one write.
const maxCandidates = 20

var errCandidates = errors.New("too many of the rows that the writer added at the same time were changed since to tell which one is the write's")

// wasCreated looks for the row that has the key, or had it: somebody may have changed
// it since. No row had it when the write was sent, so the history of the key tells
// whether the writer put it there.
func wasCreated(ctx context.Context, client *smartsheet.Client, t *task, r *reading) (row int64, made bool, err error) {
	if t.share.Write == nil || t.share.Write.Create == nil {
		return 0, false, nil
	}
	value := t.request.Set.Get(t.share.Write.Create.Key)
	column := r.column(t.rules.KeyColumn())
	candidates, err := createdRows(t, r)
	if err != nil {
		return 0, false, err
	}
	for _, id := range candidates {
		if made, err := heldSince(ctx, client, t, id, column, value); made || err != nil {
			return id, made, err
		}
	}
	return 0, false, nil
}

// createdRows are the rows one of which a write may have made, the likelier first: those
// that have its key, then those that the writer made about when it was sent and that were
// changed since. If there is room, also those that were not changed after the second in
// which they were made: their key was another one from the beginning, unless somebody
// changed it within that second.
func createdRows(t *task, r *reading) ([]int64, error) {
	key := t.rules.KeyOf(&t.request, nil, r.now)
	from, to := t.attempt.At.Add(-clockSkew), t.attempt.At.Add(leaseTime+clockSkew)
	var named, changed, untouched []int64
	for id, row := range r.rows {
		switch created := row.CreatedAt.Time; {
		case t.rules.KeyOf(&t.request, row, r.now) == key:
			named = append(named, id)
		case created.Before(from) || created.After(to) || !byWriter(row.CreatedBy, t):
		case row.ModifiedAt.Truncate(time.Second).After(created.Truncate(time.Second)):
			changed = append(changed, id)
		default:
			untouched = append(untouched, id)
		}
	}
	for _, ids := range [][]int64{named, changed, untouched} {
		slices.Sort(ids)
	}
	likely := append(named, changed...)
	if len(likely) > maxCandidates {
		return nil, errCandidates
	}
	return append(likely, untouched[:min(len(untouched), maxCandidates-len(likely))]...), nil
}

// clockSkew is how far Smartsheet's clock and ours may be apart.
const clockSkew = time.Minute

func (r *reading) column(id int64) smartsheet.Column {
	for _, c := range r.now.Columns {
		if c.ID == id {
			return c
		}
	}
	return smartsheet.Column{ID: id}
}
