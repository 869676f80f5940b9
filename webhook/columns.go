package webhook

import (
	"context"
	"slices"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// What partners are told of a sheet whose columns are no longer as the share
// wants them. No title stands there: a filter may name columns that they do not
// see.
const (
	reasonFilter  = "a column that the share's filter needs is gone or holds another kind of value: no row is shown until the share is changed"
	reasonColumns = "fields whose column is gone from the sheet, null since: "
)

// columnTrouble is what the columns that were read lack, with the state that
// follows from it; no reason where they lack nothing. A pass that read none
// knows what the last one said.
func (r *run) columnTrouble() (events.State, string) {
	types := r.pass.types
	if len(types) == 0 {
		if !r.state.Loaded() {
			return events.StateLive, ""
		}
		_, fields, said := strings.Cut(r.state.Status.Reason, reasonColumns)
		if !said {
			return events.StateLive, ""
		}
		return events.StateLive, reasonColumns + fields
	}
	if !r.view.FilterFits(types) {
		return events.StateStale, reasonFilter
	}
	var gone []string
	for _, f := range r.share.Fields {
		if _, ok := types[f.ColumnID]; !ok {
			gone = append(gone, f.Name)
		}
	}
	if len(gone) == 0 {
		return events.StateLive, ""
	}
	return events.StateLive, reasonColumns + strings.Join(gone, ", ")
}

// follow takes over what the columns and the sheet are called and of which types
// they are now. A share whose columns have other types begins a new revision,
// since its schema is another, and the pass starts again: errAgain.
func (p *pass) follow(ctx context.Context, sheet *smartsheet.Sheet) error {
	now := map[int64]smartsheet.Column{}
	for _, c := range sheet.Columns {
		now[c.ID] = c
	}
	retyped, renamed := false, sheet.Name != "" && sheet.Name != p.reg.SheetName
	for _, r := range p.runs {
		for _, f := range r.share.Fields {
			c, ok := now[f.ColumnID]
			retyped = retyped || ok && r.active() && c.Type != f.Type
			renamed = renamed || ok && c.Title != "" && c.Title != f.Title
		}
	}
	if !retyped && (!renamed || p.renamed) {
		return nil
	}
	p.renamed = true // once: what runs hold is as old as the pass
	if err := p.rename(ctx, sheet.Name); err != nil {
		return err
	}
	for _, r := range p.runs {
		definition := r.share.Share
		definition.Fields = slices.Clone(definition.Fields)
		if !takeOver(&registry.Share{Share: definition}, now) {
			continue
		}
		if err := r.updateShare(ctx, func(s *registry.Share) { takeOver(s, now) }); err != nil {
			return err
		}
	}
	if !retyped {
		return nil
	}
	p.hint.Whole, p.hint.Full = true, true
	return errAgain
}

// rename takes over the name that the sheet has now.
func (p *pass) rename(ctx context.Context, name string) error {
	if name == "" || name == p.reg.SheetName {
		return nil
	}
	_, err := p.relay.Registry.UpdateRegistration(ctx, p.reg.ID, func(reg *registry.Registration) error {
		reg.SheetName = name
		return nil
	})
	return err
}

// takeOver has a share say what its columns are now, and tells whether that is
// anything new.
func takeOver(s *registry.Share, now map[int64]smartsheet.Column) (changed bool) {
	retyped := false
	for i, f := range s.Fields {
		c, ok := now[f.ColumnID]
		if !ok {
			continue
		}
		retyped = retyped || c.Type != f.Type
		s.Fields[i].Type = c.Type
		if c.Title != "" && c.Title != f.Title {
			s.Fields[i].Title, changed = c.Title, true
		}
	}
	if retyped {
		s.Revision++
	}
	return changed || retyped
}
