package write

import (
	"context"
	"errors"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
)

// write makes the tasks that one request can make, by a reading of this moment. Those
// that it does not answer wait.
func (r *round) write(ctx context.Context, bulk []*task) error {
	writer := bulk[0].writer
	if refusal := writerRefused(writer); refusal != nil {
		return r.refuseAll(ctx, bulk, refusal)
	}
	client, err := r.Access.Client(writer, budget.Write)
	if err != nil {
		return err
	}
	proposals := proposalsOf(bulk)
	now, err := readFor(ctx, client, proposals)
	if err != nil {
		return r.failed(ctx, bulk, err)
	}
	var toSend []accepted
	keys := keysOf(proposals, now)
	for _, t := range bulk {
		if t.attempt != nil && now.canEdit {
			if err := r.resolve(ctx, client, t, now); err != nil {
				return err
			}
			continue
		}
		d := t.judge(now, keys)
		switch {
		case d.refusal != nil:
			err = r.refuseAll(ctx, []*task{t}, d.refusal)
		case d.already:
			err = r.answer(ctx, t, events.WriteData{Result: events.ResultAlready, Version: now.version, DryRun: t.request.DryRun}, false)
		case t.request.DryRun:
			err = r.answer(ctx, t, events.WriteData{Result: events.ResultDone, Version: now.version, DryRun: true}, false)
		default:
			toSend = append(toSend, accepted{t, d})
		}
		if err != nil {
			return err
		}
	}
	return r.send(ctx, client, toSend, now)
}

// accepted is a task that may be written.
type accepted struct {
	*task
	decision
}

func proposalsOf(bulk []*task) []proposal {
	list := make([]proposal, len(bulk))
	for i, t := range bulk {
		list[i] = t.proposal
	}
	return list
}

// failed says what follows from a request to Smartsheet that failed and changed
// nothing: an answer, or an error after which to try again.
func (r *round) failed(ctx context.Context, bulk []*task, cause error) error {
	refusal := readRefused(cause)
	if refusal == nil {
		return cause
	}
	if class := smartsheet.Classify(cause); class == smartsheet.Refused || class == smartsheet.Expired {
		suspended, err := r.Access.Suspend(ctx, bulk[0].writer, cause)
		if err != nil || !suspended {
			return errors.Join(cause, err)
		}
	}
	return r.refuseAll(ctx, bulk, refusal)
}

// refuseAll refuses tasks that were not sent. What may have been made is read for
// later.
func (r *round) refuseAll(ctx context.Context, bulk []*task, refusal *events.Refusal) error {
	for _, t := range bulk {
		if t.attempt != nil {
			t.job.retryAt = time.Now().Add(maxBackoff)
			continue
		}
		if err := r.refuse(ctx, t, refusal); err != nil {
			return err
		}
	}
	return nil
}
