package write

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// send writes to the sheet what was judged, in one request, and answers. The request
// is noted in the lease before.
func (e *Engine) send(ctx context.Context, l *lease, client *smartsheet.Client, bulk []*task, r *reading) error {
	bulk, err := e.unchanged(ctx, bulk)
	if err != nil || len(bulk) == 0 {
		return err
	}
	attempts := make(map[string]attempt, len(bulk))
	at := time.Now()
	names := make([]string, len(bulk))
	until := time.Time{}
	for i, t := range bulk {
		names[i] = t.name()
		attempts[t.name()] = attempt{Version: r.version, ModifiedAt: t.modified, At: at}
		if until.IsZero() || t.request.Until.Before(until) {
			until = t.request.Until
		}
	}
	begin, end, err := l.note(ctx, attempts)
	if err != nil {
		return err
	}
	if until.Before(begin) {
		begin = until
	}
	sending, cancel := context.WithDeadlineCause(ctx, end, errTooLong)
	defer cancel()
	guarded := *client
	guarded.HTTP = guard(client.HTTP, begin)
	results, version, err := request(sending, &guarded, bulk)
	if err != nil {
		return e.notSent(ctx, l, bulk, names, err)
	}
	hintErr := e.hintMade(ctx, bulk, results)
	if hintErr != nil {
		e.Log.Warn("the relay could not be told of what was written, trying again with each answer", "sheet", bulk[0].share.SheetID, "err", hintErr)
	}
	var answers errgroup.Group
	answers.SetLimit(answersAtOnce)
	for i, t := range bulk {
		answers.Go(func() error { return e.settle(ctx, t, results[i], version, version != r.version+1, hintErr != nil) })
	}
	err = answers.Wait()
	for _, t := range bulk {
		if t.answered {
			l.forget(t.name())
		}
	}
	return err
}

// unchanged returns those tasks whose share is as it was when they were judged. The
// others are judged again, in the next round.
func (e *Engine) unchanged(ctx context.Context, bulk []*task) ([]*task, error) {
	same := map[string]bool{}
	var list []*task
	for _, t := range bulk {
		key := t.share.Key()
		if _, known := same[key]; !known {
			now, err := e.Registry.FreshShare(ctx, t.share.Partner, t.share.Sheet)
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				return nil, err
			}
			same[key] = err == nil && now.RecordRevision == t.share.RecordRevision
		}
		if same[key] {
			list = append(list, t)
		}
	}
	return list, nil
}

// answersAtOnce is how many answers of one request are stored side by side.
const answersAtOnce = 16

var (
	errTooLong = errors.New("no answer of Smartsheet in time")
	// errLate says that the time in which a request may be sent was over before it
	// was: nothing was sent.
	errLate = errors.New("too late to send the request")
)

// result is what became of one row.
type result struct {
	row *smartsheet.Row // nil for a deletion
	err *smartsheet.Error
}

// request sends one request for all tasks and returns what became of each, and the
// version of the sheet then, 0 where that is not known.
func request(ctx context.Context, client *smartsheet.Client, bulk []*task) ([]result, int64, error) {
	options := smartsheet.WriteOptions{ChangeAgent: agentOf(bulk), PartialSuccess: true}
	sheet := bulk[0].share.SheetID
	results := make([]result, len(bulk))
	if bulk[0].request.Op == events.OpDelete {
		ids := make([]int64, len(bulk))
		for i, t := range bulk {
			ids[i] = t.request.RowID
		}
		if _, err := client.DeleteRows(ctx, sheet, ids, options); err != nil {
			return nil, 0, err
		}
		version, err := client.SheetVersion(ctx, sheet)
		if err != nil {
			version = 0 // they are deleted all the same
		}
		return results, version, nil
	}
	rows := make([]smartsheet.RowWrite, len(bulk))
	for i, t := range bulk {
		rows[i] = smartsheet.RowWrite{ID: t.request.RowID, Cells: t.cells}
	}
	send := client.UpdateRows
	if bulk[0].request.Op == events.OpCreate {
		send = client.AddRows
		for i := range rows {
			rows[i].ToBottom = true
		}
	}
	written, err := send(ctx, sheet, rows, options)
	if err != nil {
		return nil, 0, err
	}
	for i, row := range written.Rows {
		results[i] = result{row.Row, row.Err}
	}
	return results, written.Version, nil
}

// agentOf names the writes of a request as far as there is room.
func agentOf(bulk []*task) string {
	var agents []string
	length := 0
	for _, t := range bulk {
		agent := events.ChangeAgent(t.share.Partner, t.request.ID)
		if length += len(agent) + 1; length > smartsheet.MaxChangeAgent {
			break
		}
		agents = append(agents, agent)
	}
	return strings.Join(agents, ",")
}

// settle answers one write by what became of its row; with hint the relay has still to
// look at it.
func (e *Engine) settle(ctx context.Context, t *task, r result, version int64, raced, hint bool) error {
	if r.err != nil {
		return e.refuse(ctx, t, refusalOf(r.err))
	}
	if r.row != nil {
		t.rowID = r.row.ID
	}
	return e.answer(ctx, t, events.WriteData{Result: events.ResultDone, Version: version, Raced: raced && version > 0}, hint)
}

// refusalOf says in the partner's words why Smartsheet did not write a row.
func refusalOf(err *smartsheet.Error) *events.Refusal {
	switch err.Code {
	case smartsheet.CodeColumnLocked, smartsheet.CodeRowLocked, smartsheet.CodeRowKept:
		return &events.Refusal{Code: events.CodeLocked, Detail: "the row or a column is locked"}
	case smartsheet.CodeReadOnlyCell:
		return &events.Refusal{Code: events.CodeNotWritable, Detail: "Smartsheet itself fills the column"}
	case smartsheet.CodeNotFound:
		return &events.Refusal{Code: events.CodeGone, Detail: "the row was deleted in the meantime"}
	case smartsheet.CodeNotAuthorized:
		return ownerRefused("the writer may not edit the sheet")
	}
	return &events.Refusal{Code: events.CodeInvalidValue, Detail: fmt.Sprintf("Smartsheet does not take the row as it would be (its error %d)", err.Code)}
}

// notSent says what follows from a request that failed as a whole. Where it may have
// changed the sheet all the same, its writes are looked for later.
func (e *Engine) notSent(ctx context.Context, l *lease, bulk []*task, names []string, err error) error {
	late := errors.Is(err, errLate)
	if !late && smartsheet.OutcomeUnknown(err) {
		at := time.Now().Add(cmp.Or(e.Settle, settleTime))
		for _, t := range bulk {
			t.job.lookAt, t.job.notYet = at, at
		}
		return err
	}
	l.forget(names...)
	if late {
		return nil // they are judged again, with the time that it is then
	}
	var refused *smartsheet.Error
	class := smartsheet.Classify(err)
	if !errors.As(err, &refused) || class != smartsheet.Invalid && class != smartsheet.NotFound && class != smartsheet.Forbidden {
		return e.failed(ctx, bulk, err)
	}
	if len(bulk) == 1 {
		return e.refuse(ctx, bulk[0], refusalOf(refused))
	}
	for _, t := range bulk { // one of them is to blame
		t.job.alone = true
	}
	return nil
}
