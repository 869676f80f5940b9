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
func (e *Engine) refuse(ctx context.Context, t *task, refusal *events.Refusal) error {
	return e.answer(ctx, t, refusal.Refuse(events.WriteData{DryRun: t.request.DryRun}), false)
}

// answer gives a write its one answer, and with hint has the relay look at what was done. The write is removed from its queue last: who
// dies in between is followed by somebody who finds the answer in the memory, and
// does what is left.
func (e *Engine) answer(ctx context.Context, t *task, d events.WriteData, hint bool) error {
	d.ID, d.Op, d.Row = t.request.ID, t.request.Op, rowOf(t.rowID)
	r := remembered{Content: contentOf(&t.request), Identity: t.job.write.Identity, Data: d}
	before, err := e.Store.memory.put(ctx, memoryKey(t.share.Partner, t.share.Sheet, t.request.ID), r)
	if err != nil {
		return err
	}
	if before != nil { // another process was faster
		return e.answerAgain(ctx, t, before)
	}
	return e.tell(ctx, t, r, true, hint)
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
func (e *Engine) answerAgain(ctx context.Context, t *task, before *remembered) error {
	switch {
	case before.Identity == t.job.write.Identity: // whoever answered it may have died before it was told
		known, err := t.job.stream.Answers(ctx, &t.share.Share, []string{t.request.ID})
		if err != nil {
			return err
		}
		told, ok := known[t.request.ID]
		return e.tell(ctx, t, *before, !ok || told.Request != before.Identity, true)
	case before.Content == contentOf(&t.request):
		if known, err := t.job.stream.Answers(ctx, &t.share.Share, []string{t.request.ID}); err != nil {
			return err
		} else if told, ok := known[t.request.ID]; ok && told.Data.Code == before.Data.Code {
			before.Data.Current = told.Data.Current
		}
		return e.tell(ctx, t, *before, true, true)
	}
	reused := &events.Refusal{Code: events.CodeIDReused, Detail: "another request had this id: give each its own"}
	d := reused.Refuse(events.WriteData{ID: t.request.ID, Op: t.request.Op, Row: rowOf(t.rowID)})
	return e.tell(ctx, t, remembered{Identity: t.job.write.Identity, Data: d}, true, false)
}

// tell publishes an answer, unless it is there already, has the relay look at the row,
// unless that was done before, notes what was done, and removes the write from its queue.
func (e *Engine) tell(ctx context.Context, t *task, r remembered, publish, hint bool) error {
	if publish {
		err := t.job.stream.PublishAnswer(ctx, &t.share.Share, time.Now(), stream.Answer{Request: t.job.write.Identity, Data: r.Data})
		if err != nil {
			return err
		}
	}
	if hint && r.Data.Result == events.ResultDone && !r.Data.DryRun {
		if err := e.hint(ctx, t, r.Data); err != nil {
			return err
		}
	}
	if err := e.note(ctx, t, r.Data); err != nil {
		return err
	}
	if err := t.job.write.Done(ctx); err != nil {
		return err
	}
	t.answered = true
	if e.Observe != nil {
		e.Observe(Outcome{
			Partner: t.share.Partner, Op: r.Data.Op, Result: r.Data.Result, Code: r.Data.Code,
			Took: time.Since(t.job.write.Received), DryRun: r.Data.DryRun,
		})
	}
	return nil
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

// hintMade has the relay look at all rows that one request has changed: in one pass,
// and before Smartsheet calls, whose callback would not tell which write was which.
func (e *Engine) hintMade(ctx context.Context, bulk []*task, results []result) error {
	rows := map[int64]inbox.Row{}
	for i, t := range bulk {
		if r := results[i]; r.row != nil {
			rows[r.row.ID] = hintOf(t)
		} else if r.err == nil {
			rows[t.rowID] = hintOf(t)
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

// note keeps in the audit log who had what written, without values.
func (e *Engine) note(ctx context.Context, t *task, d events.WriteData) error {
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
