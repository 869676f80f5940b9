package relay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// newReader returns a reader of the columns that any of the shares or their
// filters name: nothing else is read, so nothing else can leak.
func (r *Relay) newReader(ctx context.Context, p *plan, shares []*shareSync) *reader {
	rd := &reader{sheetID: p.reg.SheetID, began: r.targets.moments.next(), maxBytes: r.MaxPage, deny: r.Deny}
	for _, s := range shares {
		rd.columns = append(rd.columns, s.share.ColumnIDs()...)
	}
	slices.Sort(rd.columns)
	rd.columns = slices.Compact(rd.columns)
	client, err := r.Access.Client(p.owner, p.class(r.Every))
	if err != nil {
		client = &smartsheet.Client{Token: func(context.Context) (string, error) { return "", err }}
	}
	rd.client = client
	before, after := client.Before, client.After
	client.Before = func(ctx context.Context) error {
		rd.requests.Add(1)
		if before == nil {
			return nil
		}
		return before(ctx)
	}
	client.After = func(call smartsheet.Call) {
		if after != nil {
			after(call)
		}
		r.requestSpan(ctx, call)
	}
	return rd
}

// skipUnchanged asks for the sheet's version where that may be enough, renews the
// status of the shares that are complete to it, and returns the others.
func (r *Relay) skipUnchanged(ctx context.Context, p *plan, rd *reader, shares []*shareSync) (others []*shareSync, all outcomes, err error) {
	var asks []*shareSync
	for _, s := range shares {
		if !p.hint.Full && s.versionTells(ctx) {
			asks = append(asks, s)
		} else {
			others = append(others, s)
		}
	}
	if len(asks) == 0 {
		return shares, outcomes{}, nil
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	version, err := rd.versionOrDenied(ctx)
	if err != nil {
		return nil, nil, err
	}
	var unchanged []*shareSync
	for _, s := range asks {
		if s.opened.CompleteTo() == version {
			unchanged = append(unchanged, s)
		} else {
			others = append(others, s)
		}
	}
	all = eachDoes(ctx, unchanged, rowsPatience, func(ctx context.Context, s *shareSync) error {
		return s.complete(ctx, events.CompleteTo{Version: version, Time: at}, nil, 0, rd.began)
	})
	return others, all, nil
}

// fullEvery is within what time a sheet is read even though its version has not
// moved: recalculated formulas move none.
const fullEvery = 24 * time.Hour

// versionTells says whether an unchanged version of the sheet means that the share
// shows it as it is.
func (s *shareSync) versionTells(ctx context.Context) bool {
	if s.target.enter(ctx) != nil {
		return false
	}
	defer s.target.leave()
	st := s.target.state
	if !st.Loaded() || s.resetBelow > 0 || st.Status.ReadAt == nil {
		return false
	}
	followed := st.Status.State == events.StateLive || strings.HasPrefix(st.Status.Reason, reasonWebhook)
	return followed && time.Since(*st.Status.ReadAt)+2*s.relay.Every < fullEvery
}

// followColumns takes over what the columns and the sheet are called and of which
// types they are now. A share whose columns have other types begins a new
// revision, since its schema is another: it leaves the pass and has one of its
// own.
func (r *Relay) followColumns(ctx context.Context, p *plan, shares []*shareSync, pg *page) (outcomes, error) {
	now, all := map[int64]smartsheet.Column{}, outcomes{}
	for _, c := range pg.columns {
		now[c.ID] = c
	}
	for _, s := range shares {
		known := r.Registry.Share(s.share.Partner, s.share.Sheet)
		if known == nil || known.Revision != s.share.Revision {
			continue // it is noticed when it publishes
		}
		retyped, renamed := differences(known.Fields, now)
		if !retyped && !renamed {
			continue
		}
		if err := r.changeFields(ctx, s, func(share *registry.Share) { takeOver(share, now) }); err != nil {
			return all, err
		}
		if retyped {
			all[s] = outcome{err: errDefinition}
		}
	}
	if reg := r.Registry.Registration(p.reg.ID); reg == nil || pg.sheet == "" || pg.sheet == reg.SheetName {
		return all, nil
	}
	_, err := r.Registry.UpdateRegistration(ctx, p.reg.ID, func(reg *registry.Registration) error {
		reg.SheetName = pg.sheet
		return nil
	})
	return all, ignoreGone(err)
}

// differences tells how fields differ from the columns as they are now.
func differences(fields []events.Field, now map[int64]smartsheet.Column) (retyped, renamed bool) {
	for _, f := range fields {
		c, ok := now[f.ColumnID]
		retyped = retyped || ok && c.Type != f.Type
		renamed = renamed || ok && c.Title != "" && c.Title != f.Title
	}
	return retyped, renamed
}

// takeOver has a share say what its columns are now.
func takeOver(s *registry.Share, now map[int64]smartsheet.Column) {
	fields, retyped := slices.Clone(s.Fields), false
	for i, f := range fields {
		c, ok := now[f.ColumnID]
		if !ok {
			continue
		}
		retyped = retyped || c.Type != f.Type
		fields[i].Type = c.Type
		if c.Title != "" {
			fields[i].Title = c.Title
		}
	}
	if s.Fields = fields; retyped {
		s.Revision++
	}
}

// dropMissing asks whether those of the shares' columns were deleted that are not among
// the last ones that were read; nil: none were. What their fields lose by it has been
// published by now.
func (r *Relay) dropMissing(ctx context.Context, rd *reader, shares []*shareSync, columns []smartsheet.Column) (outcomes, error) {
	if columns == nil {
		return nil, nil
	}
	var missing []int64
	for _, s := range shares {
		missing = append(missing, absent(s.share.ColumnIDs(), typesOf(columns))...)
	}
	if len(missing) == 0 {
		return nil, nil
	}
	existing, err := rd.client.Columns(ctx, rd.sheetID)
	if err != nil {
		return nil, err
	}
	slices.Sort(missing)
	return r.dropColumns(ctx, shares, absent(slices.Compact(missing), typesOf(existing)))
}

// dropColumns records that columns were deleted. The shares that name them begin a
// new revision, whose schema says so, and do not ask for them again.
func (r *Relay) dropColumns(ctx context.Context, shares []*shareSync, gone []int64) (outcomes, error) {
	all := outcomes{}
	for _, s := range shares {
		if !slices.ContainsFunc(s.share.ColumnIDs(), func(id int64) bool { return slices.Contains(gone, id) }) {
			continue
		}
		err := r.changeFields(ctx, s, func(share *registry.Share) {
			named := share.ColumnIDs()
			before := len(share.Gone)
			share.Gone = slices.Clone(share.Gone)
			for _, id := range gone {
				if slices.Contains(named, id) {
					share.Gone = append(share.Gone, id)
				}
			}
			if len(share.Gone) > before {
				share.Revision++
			}
		})
		if err != nil {
			return all, err
		}
		all[s] = outcome{err: errDefinition}
	}
	return all, nil
}

func (r *Relay) changeFields(ctx context.Context, s *shareSync, change func(*registry.Share)) error {
	_, err := r.Registry.UpdateShare(ctx, s.share.Partner, s.share.Sheet, func(now *registry.Share) error {
		if now.Revision == s.share.Revision && now.CreatedAt.Equal(s.share.CreatedAt) {
			change(now)
		}
		return nil
	})
	return ignoreGone(err)
}

// ignoreGone is nil for a record that is gone: what was to be recorded does not
// matter any more.
func ignoreGone(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}
