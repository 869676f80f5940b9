package write

import (
	"context"
	"errors"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Judge tells what becomes of a write, by the terms of its share and the sheet as it is.
// The engine makes writes by its decisions; who only wants to know asks [Judge.Check].
type Judge struct {
	Registry *registry.Registry
	Access   *owner.Access
	views    *events.Views
}

// NewJudge returns a judge of writes.
func NewJudge(reg *registry.Registry, access *owner.Access) *Judge {
	return &Judge{Registry: reg, Access: access, views: events.NewViews(256)}
}

// terms are those of one share at the moment: what its writes are judged by, and in
// whose name they are made.
type terms struct {
	share  *registry.Share
	rules  *events.Writes
	writer *registry.Owner
}

// proposal is a write that is to be judged.
type proposal struct {
	request events.WriteRequest
	*terms
}

// decision is what a proposal comes to by what was read.
type decision struct {
	refusal *events.Refusal        // nil: it may be written
	already bool                   // the row is so already
	cells   []smartsheet.CellWrite // to write
	row     *smartsheet.Row        // as it was read; nil: there is none
}

// Check tells what would become of a write through a share if it was made now, and in
// whose name that would be. It writes nothing. Its error is what kept it from reading.
func (j *Judge) Check(ctx context.Context, share *registry.Share, request events.WriteRequest, class budget.Class) (events.WriteData, *registry.Owner, error) {
	answer := events.WriteData{ID: request.ID, Op: request.Op, Row: rowOf(request.RowID), Result: events.ResultDone, DryRun: true}
	t, err := j.terms(ctx, share)
	if err != nil {
		return answer, nil, err
	}
	p := proposal{request, t}
	if refusal := p.rules.Allowed(&request); refusal != nil {
		return refusal.Refuse(answer), p.writer, nil
	}
	if refusal := writerRefused(p.writer); refusal != nil {
		return refusal.Refuse(answer), p.writer, nil
	}
	client, err := j.Access.Client(p.writer, class)
	if err != nil {
		return answer, p.writer, err
	}
	r, err := readFor(ctx, client, []proposal{p})
	if refusal := readRefused(err); refusal != nil {
		return refusal.Refuse(answer), p.writer, nil
	}
	if err != nil {
		return answer, p.writer, err
	}
	answer.Version = r.version
	d := p.judge(r, keysOf([]proposal{p}, r))
	switch {
	case d.refusal != nil:
		return d.refusal.Refuse(answer), p.writer, nil
	case d.already:
		answer.Result = events.ResultAlready
	}
	return answer, p.writer, nil
}

// terms are those of a share.
func (j *Judge) terms(ctx context.Context, s *registry.Share) (*terms, error) {
	rules, err := j.rules(ctx, s)
	if err != nil {
		return nil, err
	}
	writer, err := j.writer(ctx, s)
	return &terms{s, rules, writer}, err
}

// rules are those by which writes through a share are judged.
func (j *Judge) rules(ctx context.Context, s *registry.Share) (*events.Writes, error) {
	p, err := j.Registry.FreshPartner(ctx, s.Partner)
	if err != nil {
		return nil, err
	}
	key, err := j.Registry.Sealer().Open(p.MaskKey, p.SealName("maskKey"))
	if err != nil {
		return nil, err
	}
	view, err := j.views.View(s.Share, key)
	if err != nil {
		return nil, err
	}
	return events.NewWrites(s.Share, view)
}

// writer is in whose name a share's writes are made.
func (j *Judge) writer(ctx context.Context, s *registry.Share) (*registry.Owner, error) {
	name := ""
	if reg := j.Registry.Registration(s.Registration); reg != nil {
		name = reg.Owner
	}
	if s.Write != nil && s.Write.Owner != "" {
		name = s.Write.Owner
	}
	o, err := j.Registry.FreshOwner(ctx, name)
	if errors.Is(err, registry.ErrNotFound) {
		return &registry.Owner{Name: name, State: registry.OwnerRefused}, nil
	}
	return o, err
}

func ownerRefused(detail string) *events.Refusal {
	return &events.Refusal{Code: events.CodeOwnerRefused, Detail: detail}
}

// writerRefused is the refusal where a writer can do nothing at the moment.
func writerRefused(writer *registry.Owner) *events.Refusal {
	if writer.State != registry.OwnerOK {
		return ownerRefused("the writer has no access to Smartsheet at the moment")
	}
	return nil
}

// readRefused is the refusal where Smartsheet does not let the writer read the sheet, nil
// where that is to be tried again.
func readRefused(err error) *events.Refusal {
	switch smartsheet.Classify(err) {
	case smartsheet.Refused, smartsheet.Expired:
		return ownerRefused("Smartsheet refuses the writer")
	case smartsheet.Forbidden:
		return ownerRefused("the writer may not edit the sheet")
	case smartsheet.NotFound:
		return ownerRefused("the writer does not see the sheet, or it is gone")
	}
	return nil
}

// keysOf are the keys that rows of the sheet have, by the column of the key.
func keysOf(bulk []proposal, r *reading) map[int64]map[string]bool {
	keys := map[int64]map[string]bool{}
	for _, p := range bulk {
		if p.request.Op != events.OpCreate || p.share.Write == nil || p.share.Write.Create == nil {
			continue
		}
		column := p.rules.KeyColumn()
		if keys[column] != nil {
			continue
		}
		keys[column] = map[string]bool{}
		for _, row := range r.rows {
			keys[column][p.rules.KeyOf(&p.request, row, r.now)] = true
		}
	}
	return keys
}

// judge judges a proposal by what was read. What the share's terms say of it without
// that, [events.Writes.Allowed], was asked before.
func (p proposal) judge(r *reading, keys map[int64]map[string]bool) (d decision) {
	if !r.canEdit {
		return decision{refusal: ownerRefused("the writer may not edit the sheet")}
	}
	d.row = r.rows[p.request.RowID]
	switch p.request.Op {
	case events.OpUpdate:
		d.cells, d.refusal = p.rules.Update(&p.request, d.row, r.now)
		d.already = d.refusal == nil && len(d.cells) == 0
	case events.OpCreate:
		if d.cells, d.refusal = p.rules.Create(&p.request, r.now); d.refusal != nil {
			return d
		}
		if keys[p.rules.KeyColumn()][p.rules.KeyOf(&p.request, nil, r.now)] {
			d.refusal = &events.Refusal{Code: events.CodeDuplicateKey, Field: p.share.Write.Create.Key, Detail: "a row of the sheet has this key"}
		}
	case events.OpDelete:
		if d.refusal = p.rules.Delete(&p.request, d.row, r.now); d.refusal == nil && r.hasChildren(p.request.RowID) {
			d.refusal = &events.Refusal{Code: events.CodeNotWritable, Detail: "other rows stand under it, which would be deleted with it"}
		}
	}
	return d
}
