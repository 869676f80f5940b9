package write

import (
	"context"
	"errors"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// write has the tasks made that one request can make. Those that it has answered say
// so; the others wait.
func (e *Engine) write(ctx context.Context, l *lease, bulk []*task) error {
	writer := bulk[0].writer
	if writer.State != registry.OwnerOK {
		return e.refuseAll(ctx, bulk, ownerRefused("the writer has no access to Smartsheet at the moment"))
	}
	client, err := e.Access.Client(writer, budget.Write)
	if err != nil {
		return err
	}
	r, err := e.read(ctx, client, bulk)
	if err != nil {
		return e.failed(ctx, bulk, err)
	}
	if !r.canEdit {
		return e.refuseAll(ctx, bulk, ownerRefused("the writer may not edit the sheet"))
	}
	var toSend []*task
	keys := keysOf(bulk, r)
	for _, t := range bulk {
		if t.attempt != nil {
			if err := e.resolve(ctx, l, client, t, r); err != nil {
				return err
			}
			continue
		}
		already, refusal := judge(t, r, keys)
		switch {
		case refusal != nil:
			err = e.refuse(ctx, t, refusal)
		case already:
			err = e.answer(ctx, t, events.WriteData{Result: events.ResultAlready, Version: r.version, DryRun: t.request.DryRun}, false)
		case t.request.DryRun:
			err = e.answer(ctx, t, events.WriteData{Result: events.ResultDone, Version: r.version, DryRun: true}, false)
		default:
			toSend = append(toSend, t)
		}
		if err != nil {
			return err
		}
	}
	if len(toSend) == 0 {
		return nil
	}
	return e.send(ctx, l, client, toSend, r)
}

func ownerRefused(detail string) *events.Refusal {
	return &events.Refusal{Code: events.CodeOwnerRefused, Detail: detail}
}

// keysOf are the keys that rows of the sheet have, by the column of the key.
func keysOf(bulk []*task, r *reading) map[int64]map[string]int64 {
	keys := map[int64]map[string]int64{}
	for _, t := range bulk {
		if t.request.Op != events.OpCreate || t.share.Write == nil || t.share.Write.Create == nil {
			continue
		}
		column := t.rules.KeyColumn()
		if keys[column] != nil {
			continue
		}
		keys[column] = map[string]int64{}
		for id, row := range r.rows {
			keys[column][t.rules.KeyOf(&t.request, row, r.now)] = id
		}
	}
	return keys
}

// judge judges a task by what was read.
func judge(t *task, r *reading, keys map[int64]map[string]int64) (already bool, refusal *events.Refusal) {
	row := r.rows[t.request.RowID]
	if row != nil {
		t.modified = row.ModifiedAt.Time
	}
	switch t.request.Op {
	case events.OpUpdate:
		t.cells, refusal = t.rules.Update(&t.request, row, r.now)
		return refusal == nil && len(t.cells) == 0, refusal
	case events.OpCreate:
		if t.cells, refusal = t.rules.Create(&t.request, r.now); refusal != nil {
			return false, refusal
		}
		if _, taken := keys[t.rules.KeyColumn()][t.rules.KeyOf(&t.request, nil, r.now)]; taken {
			return false, &events.Refusal{Code: events.CodeDuplicateKey, Field: t.share.Write.Create.Key, Detail: "a row of the sheet has this key"}
		}
		return false, nil
	}
	if refusal = t.rules.Delete(&t.request, row, r.now); refusal == nil && r.hasChildren(t.request.RowID) {
		refusal = &events.Refusal{Code: events.CodeNotWritable, Detail: "other rows stand under it, which would be deleted with it"}
	}
	return false, refusal
}

// failed says what follows from a request to Smartsheet that failed and changed
// nothing: an answer, or an error after which to try again.
func (e *Engine) failed(ctx context.Context, bulk []*task, cause error) error {
	switch smartsheet.Classify(cause) {
	case smartsheet.Refused, smartsheet.Expired:
		suspended, err := e.Access.Suspend(ctx, bulk[0].writer, cause)
		if err != nil || !suspended {
			return errors.Join(cause, err)
		}
		return e.refuseAll(ctx, bulk, ownerRefused("Smartsheet refuses the writer"))
	case smartsheet.Forbidden:
		return e.refuseAll(ctx, bulk, ownerRefused("the writer may not edit the sheet"))
	case smartsheet.NotFound:
		return e.refuseAll(ctx, bulk, ownerRefused("the writer does not see the sheet, or it is gone"))
	}
	return cause
}

// refuseAll refuses tasks that were not sent. What may have been made is looked at
// later.
func (e *Engine) refuseAll(ctx context.Context, bulk []*task, refusal *events.Refusal) error {
	for _, t := range bulk {
		if t.attempt != nil {
			t.job.notYet = time.Now().Add(maxBackoff)
			continue
		}
		if err := e.refuse(ctx, t, refusal); err != nil {
			return err
		}
	}
	return nil
}
