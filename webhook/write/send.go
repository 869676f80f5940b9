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

// send writes to the sheet what may be written, in one request, and answers. The lease
// records before what is about to be sent.
func (r *round) send(ctx context.Context, client *smartsheet.Client, bulk []accepted, now *reading) error {
	bulk, err := r.unchanged(ctx, bulk)
	if err != nil || len(bulk) == 0 {
		return err
	}
	attempts := make(map[string]attempt, len(bulk))
	at, until := time.Now(), bulk[0].request.Until
	for _, t := range bulk {
		attempts[t.job.attemptName()] = attempt{Version: now.version, ModifiedAt: t.modifiedAt(), At: at, Content: contentOf(&t.request)}
		if t.request.Until.Before(until) {
			until = t.request.Until
		}
	}
	begin, end, err := r.lease.recordAttempts(ctx, attempts)
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
		return r.notSent(ctx, bulk, err)
	}
	hintErr := r.hintMade(ctx, bulk, results)
	if hintErr != nil {
		r.Log.Warn("could not store the hint of what was written, trying again with each answer", "sheet", bulk[0].share.SheetID, "err", hintErr)
	}
	var answers errgroup.Group
	answers.SetLimit(answersAtOnce)
	for i, t := range bulk {
		answers.Go(func() error {
			return r.answerResult(ctx, t.task, results[i], version, version != now.version+1, hintErr != nil)
		})
	}
	err = answers.Wait()
	for _, t := range bulk {
		if r.isAnswered(t.job) {
			r.lease.forget(t.job.attemptName())
		}
	}
	return err
}

// modifiedAt is when the row had been changed last as it was read.
func (d decision) modifiedAt() time.Time {
	if d.row == nil {
		return time.Time{}
	}
	return d.row.ModifiedAt.Time
}

// unchanged returns those writes whose share is as it was when they were judged. The
// others are judged again, in the next round.
func (r *round) unchanged(ctx context.Context, bulk []accepted) ([]accepted, error) {
	same := map[string]bool{}
	var list []accepted
	for _, t := range bulk {
		key := t.share.Key()
		if _, known := same[key]; !known {
			now, err := r.Registry.FreshShare(ctx, t.share.Partner, t.share.Sheet)
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

// request sends one request for all writes and returns what became of each, and the
// version of the sheet then, 0 where that is not known.
func request(ctx context.Context, client *smartsheet.Client, bulk []accepted) ([]result, int64, error) {
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
func agentOf(bulk []accepted) string {
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

// answerResult answers one write by the result of its row; with hint the relay still has
// to get a hint of it.
func (r *round) answerResult(ctx context.Context, t *task, res result, version int64, raced, hint bool) error {
	if res.err != nil {
		return r.refuse(ctx, t, refusedBy(res.err))
	}
	made := *t
	if res.row != nil {
		made.rowID = res.row.ID
	}
	return r.answer(ctx, &made, events.WriteData{Result: events.ResultDone, Version: version, Raced: raced && version > 0}, hint)
}

// refusedBy says in the partner's words why Smartsheet did not write a row.
func refusedBy(err *smartsheet.Error) *events.Refusal {
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
// changed the sheet all the same, the sheet is read for its writes later.
func (r *round) notSent(ctx context.Context, bulk []accepted, err error) error {
	late := errors.Is(err, errLate)
	if !late && smartsheet.OutcomeUnknown(err) {
		at := time.Now().Add(cmp.Or(r.RecoverAfter, recoverAfter))
		for _, t := range bulk {
			t.job.recoverAt, t.job.retryAt = at, at
		}
		return err
	}
	tasks := make([]*task, len(bulk))
	for i, t := range bulk {
		tasks[i] = t.task
		r.lease.forget(t.job.attemptName())
	}
	if late {
		return nil // they are judged again, with the time that it is then
	}
	var refused *smartsheet.Error
	class := smartsheet.Classify(err)
	if !errors.As(err, &refused) || class != smartsheet.Invalid && class != smartsheet.NotFound && class != smartsheet.Forbidden {
		return r.failed(ctx, tasks, err)
	}
	if len(bulk) == 1 {
		return r.refuse(ctx, tasks[0], refusedBy(refused))
	}
	for _, t := range bulk { // one of them is to blame
		t.job.single = true
	}
	return nil
}
