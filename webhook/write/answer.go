package write

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// refuse answers a task that changed nothing.
func (r *round) refuse(ctx context.Context, t *task, refusal *events.Refusal) error {
	return r.answer(ctx, t, refusal.Refuse(events.WriteData{DryRun: t.request.DryRun}), false)
}

// answer gives a write its one answer, and with hint has the relay read what was made.
// The write is removed from its queue last: who dies in between is followed by somebody
// who finds the answer in the memory, and does what is left.
func (r *round) answer(ctx context.Context, t *task, d events.WriteData, hint bool) error {
	d.ID, d.Op, d.Row = t.request.ID, t.request.Op, rowOf(t.rowID)
	a := remembered{Content: contentOf(&t.request), Identity: t.job.write.Identity, Data: d}
	before, err := r.Store.memory.put(ctx, memoryKey(t.share.Partner, t.share.Sheet, t.request.ID), a)
	if err != nil {
		return err
	}
	if before != nil { // another process was faster
		return r.answerAgain(ctx, t, before)
	}
	return r.finish(ctx, t, a, true, hint)
}

func rowOf(id int64) *string {
	if id == 0 {
		return nil
	}
	text := strconv.FormatInt(id, 10)
	return &text
}

// answerAgain answers a write whose id has an answer: the same to the same request,
// and to another one that its id is used.
func (r *round) answerAgain(ctx context.Context, t *task, before *remembered) error {
	switch {
	case before.Identity == t.job.write.Identity: // the process that answered it may have died before it published that
		published, err := r.published(ctx, t)
		if err != nil {
			return err
		}
		return r.finish(ctx, t, *before, published == nil || published.Request != before.Identity, true)
	case before.Content == contentOf(&t.request):
		published, err := r.published(ctx, t)
		if err != nil {
			return err
		}
		same := *before
		if published != nil && published.Data.Code == before.Data.Code {
			same.Data.Current = published.Data.Current
		}
		return r.finish(ctx, t, same, true, true)
	}
	return r.answerReused(ctx, t)
}

// answerReused tells that another request has the id of a write.
func (r *round) answerReused(ctx context.Context, t *task) error {
	reused := &events.Refusal{Code: events.CodeIDReused, Detail: "another request had this id: give each its own"}
	d := reused.Refuse(events.WriteData{ID: t.request.ID, Op: t.request.Op, Row: rowOf(t.rowID)})
	return r.finish(ctx, t, remembered{Identity: t.job.write.Identity, Data: d}, true, false)
}

// published is the answer to the id of a write that stands in the partner's stream, nil
// for none.
func (r *round) published(ctx context.Context, t *task) (*stream.Answer, error) {
	found, err := t.job.stream.Answers(ctx, &t.share.Share, []string{t.request.ID})
	if err != nil {
		return nil, err
	}
	if a, ok := found[t.request.ID]; ok {
		return &a, nil
	}
	return nil, nil
}

// finish publishes an answer, unless it is there already, has the relay read the row,
// unless that was done before, records what was done in the audit log, and removes the
// write from its queue.
func (r *round) finish(ctx context.Context, t *task, a remembered, publish, hint bool) error {
	if publish {
		err := t.job.stream.PublishAnswer(ctx, &t.share.Share, time.Now(), stream.Answer{Request: t.job.write.Identity, Data: a.Data})
		if err != nil {
			return err
		}
	}
	if hint && a.Data.Result == events.ResultDone && !a.Data.DryRun {
		if err := r.hint(ctx, t, a.Data); err != nil {
			return err
		}
	}
	if err := r.recordAudit(ctx, t, a.Data); err != nil {
		return err
	}
	if err := t.job.write.Done(ctx); err != nil {
		return err
	}
	r.markAnswered(t.job)
	if r.Observe != nil {
		r.Observe(Outcome{
			Partner: t.share.Partner, Op: a.Data.Op, Result: a.Data.Result, Code: a.Data.Code,
			Took: time.Since(t.job.write.Received), DryRun: a.Data.DryRun,
		})
	}
	return nil
}

func (r *round) markAnswered(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered[j] = true
}

func (r *round) isAnswered(j *job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered[j]
}

// hint has the relay publish what became of the row, in all shares that show it.
func (e *Engine) hint(ctx context.Context, t *task, d events.WriteData) error {
	if d.Row == nil || t.share.SheetID == 0 {
		return nil
	}
	id, err := strconv.ParseInt(*d.Row, 10, 64)
	if err != nil {
		return fmt.Errorf("reading the row of an answer: %w", err)
	}
	return e.hintRows(ctx, t.share, map[int64]inbox.Row{id: hintOf(t)})
}

func hintOf(t *task) inbox.Row {
	return inbox.Row{Deleted: t.request.Op == events.OpDelete, Writes: []inbox.Write{{Share: t.share.Key(), ID: t.request.ID}}}
}

// hintMade has the relay read all rows that one request has changed: in one pass,
// and before Smartsheet calls, whose callback would not tell which write was which.
func (e *Engine) hintMade(ctx context.Context, bulk []accepted, results []result) error {
	rows := map[int64]inbox.Row{}
	for i, t := range bulk {
		if made := results[i]; made.row != nil {
			rows[made.row.ID] = hintOf(t.task)
		} else if made.err == nil {
			rows[t.rowID] = hintOf(t.task)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return e.hintRows(ctx, bulk[0].share, rows)
}

func (e *Engine) hintRows(ctx context.Context, s *registry.Share, rows map[int64]inbox.Row) error {
	for _, reg := range e.registrationsOf(&s.Share) {
		h := &inbox.Hint{Registration: reg.ID, Why: inbox.WhyCallback, Rows: rows, ReceivedAt: time.Now()}
		if err := e.Inbox.Put(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// registrationsOf are those of the share's sheet: several owners may have registered
// it.
func (e *Engine) registrationsOf(s *events.Share) []*registry.Registration {
	var list []*registry.Registration
	for _, reg := range e.Registry.Registrations() {
		if o := e.Registry.Owner(reg.Owner); reg.SheetID == s.SheetID && o != nil && o.Region == s.Region {
			list = append(list, reg)
		}
	}
	return list
}

// recordAudit records in the audit log who had what written, without values.
func (e *Engine) recordAudit(ctx context.Context, t *task, d events.WriteData) error {
	if e.Audit == nil {
		return nil
	}
	outcome := audit.Done
	if d.Result == events.ResultRefused {
		outcome = audit.Refused
	}
	details := struct {
		ID     string        `json:"id"`
		Op     events.Op     `json:"op,omitempty"`
		Row    *string       `json:"row,omitempty"`
		Fields []string      `json:"fields,omitempty"`
		Result events.Result `json:"result"`
		Code   events.Code   `json:"code,omitempty"`
		DryRun bool          `json:"dryRun,omitempty"`
		Writer string        `json:"writer,omitempty"`
	}{ID: d.ID, Op: d.Op, Row: d.Row, Result: d.Result, Code: d.Code, DryRun: d.DryRun}
	for _, v := range t.request.Set {
		details.Fields = append(details.Fields, v.Name[:min(len(v.Name), 64)])
	}
	if t.writer != nil {
		details.Writer = t.writer.Name
	}
	who := "partner " + t.job.write.Partner + ", credentials " + t.job.write.Credential
	return e.Audit.Append(audit.As(ctx, who), "write", t.job.write.Partner+"/"+t.job.write.Sheet, outcome, details)
}
