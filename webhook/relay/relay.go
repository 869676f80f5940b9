package relay

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/tracing"
)

// Relay takes hints and brings the partners' streams up to what the sheets are.
// It is safe for concurrent use: several passes may be at work on one share, in
// this process or in others, and the share's lock keeps them apart.
type Relay struct {
	Registry *registry.Registry
	Inbox    *inbox.Inbox
	Access   *owner.Access
	Partners *partner.Partners
	Every    time.Duration // between two reconciles
	MaxPage  int64         // bytes of an answer with rows, beyond which fewer are asked for; 0: 32 MiB

	Deny smartsheet.Classifications // a sheet that bears one of them is not shared

	// StoredAfter is how long after a share was changed a reading is waited for.
	// Then the rows are narrowed by the values that the stream has. 0: a minute.
	StoredAfter time.Duration

	Log     *slog.Logger
	Observe func(Pass)   // is given the summary of every pass; nil: nobody
	Tracer  trace.Tracer // nil: no traces

	targets targets
	echoes  echoes
}

// Pass brings the shares of one registration up to what its sheet is now. A nil
// error means that the hint is done with, put off or given up; after an
// [inbox.TooEarlyError] its rest must be handed out again in a moment, after any other
// the hint itself.
func (r *Relay) Pass(ctx context.Context, h *inbox.Hint) error {
	if h = r.echoes.filter(h); h == nil {
		return nil
	}
	h, ambiguous := splitAmbiguous(h, time.Now())
	if h != nil {
		if err := r.pass(ctx, h); err != nil {
			return err
		}
	}
	if ambiguous != nil {
		return &inbox.TooEarlyError{Rest: ambiguous}
	}
	return nil
}

func (r *Relay) pass(ctx context.Context, h *inbox.Hint) error {
	ctx, span := r.startSpan(ctx, h)
	p, err := r.plan(ctx, h, time.Now())
	if p == nil {
		tracing.EndSpan(span, err)
		return err
	}
	shares, all := r.open(ctx, p)
	defer closeShares(shares)
	read := r.read(ctx, p, all.active(shares))
	all.add(read.outcomes)
	result, err := r.conclude(ctx, p, shares, all, read)
	if err == nil && read.err == nil && len(all.active(shares)) == len(shares) {
		r.echoes.add(p.reg.ID, read.written)
	}
	r.report(ctx, span, summary{plan: p, shares: shares, outcomes: all, reading: read, result: result, err: err})
	return err
}

// read reads what the hint asks for and applies each page to every share.
func (r *Relay) read(ctx context.Context, p *plan, shares []*shareSync) reading {
	if len(shares) == 0 || !p.readable() {
		return reading{}
	}
	rd := r.newReader(ctx, p, shares)
	if p.whole() {
		return r.readWhole(ctx, p, rd, shares)
	}
	return r.readHinted(ctx, p, rd, shares)
}

// readHinted reads the rows that the hint names, and what hangs on rows.
func (r *Relay) readHinted(ctx context.Context, p *plan, rd *reader, shares []*shareSync) reading {
	all, written := outcomes{}, map[int64]time.Time{}
	var columns []smartsheet.Column
	for page, err := range rd.rows(ctx, p.hint.Rows) {
		if err != nil {
			return rd.result(all, err)
		}
		followed, err := r.followColumns(ctx, p, all.active(shares), page)
		if all.add(followed); err != nil {
			return rd.result(all, err)
		}
		all.add(r.applyNamed(ctx, all.active(shares), page))
		columns = page.columns
		for _, row := range page.rows {
			if len(p.hint.Rows[row.ID].Writes) > 0 {
				written[row.ID] = row.ModifiedAt.Time
			}
		}
		for _, id := range page.gone {
			if len(p.hint.Rows[id].Writes) > 0 { // nothing is told of it any more, unless a person brings it back
				written[id] = page.at.Add(time.Second)
			}
		}
	}
	hanging, err := r.readChildren(ctx, p, rd, all.active(shares), all.appeared(shares))
	if all.add(hanging); err != nil {
		return rd.result(all, err)
	}
	dropped, err := r.dropMissing(ctx, rd, all.active(shares), columns)
	all.add(dropped)
	read := rd.result(all, err)
	read.written = written
	return read
}

// readWhole reads the whole sheet, unless its version says that nothing moved.
// The shares are complete to the version that the first page had: what changed
// while it was read comes with hints of its own.
func (r *Relay) readWhole(ctx context.Context, p *plan, rd *reader, shares []*shareSync) reading {
	shares, all, err := r.skipUnchanged(ctx, p, rd, shares)
	if err != nil || len(shares) == 0 {
		return rd.result(all, err)
	}
	sheet := wholeSheet{ids: map[int64]bool{}}
	for page, err := range rd.pages(ctx) {
		if err != nil {
			return rd.result(all, err)
		}
		followed, err := r.followColumns(ctx, p, all.active(shares), page)
		if all.add(followed); err != nil {
			return rd.result(all, err)
		}
		sheet.add(page)
		all.add(r.apply(ctx, all.active(shares), page))
		if len(all.active(shares)) == 0 { // nobody is left to read the others for
			return rd.result(all, nil)
		}
	}
	removed, err := r.removeGone(ctx, rd, all.active(shares), sheet)
	if all.add(removed); err != nil {
		return rd.result(all, err)
	}
	older, err := r.readOlder(ctx, rd, all.active(shares), sheet.first.version)
	if all.add(older); err != nil {
		return rd.result(all, err)
	}
	hanging, err := r.readChildren(ctx, p, rd, all.active(shares), nil)
	if all.add(hanging); err != nil {
		return rd.result(all, err)
	}
	dropped, err := r.dropMissing(ctx, rd, all.active(shares), sheet.columns)
	if all.add(dropped); err != nil {
		return rd.result(all, err)
	}
	all.add(r.complete(ctx, all.active(shares), sheet, all))
	return rd.result(all, nil)
}

// apply applies a page to every share.
func (r *Relay) apply(ctx context.Context, shares []*shareSync, pg *page) outcomes {
	patience := pagePatience
	if pg.named {
		patience = rowsPatience + time.Duration(len(pg.rows))*rowPatience
	}
	shown, all := each(ctx, shares, patience, func(ctx context.Context, s *shareSync) (findings, error) { return s.applyPage(ctx, pg) })
	all.addFindings(shown)
	return all
}

// applyNamed applies rows that were asked for by their ids.
func (r *Relay) applyNamed(ctx context.Context, shares []*shareSync, pg *page) outcomes {
	named := *pg
	named.named = true
	return r.apply(ctx, shares, &named)
}

// removeGone takes away what partners see and the sheet has no longer.
func (r *Relay) removeGone(ctx context.Context, rd *reader, shares []*shareSync, sheet wholeSheet) (outcomes, error) {
	candidates, all := gather(ctx, shares, func(ctx context.Context, s *shareSync) ([]int64, error) { return s.notAmong(ctx, sheet.ids) })
	for page, err := range rd.confirm(ctx, candidates, sheet.calm()) {
		if err != nil {
			return all, err
		}
		confirmed := *page
		confirmed.total = 0 // all rows were counted before: these take the progress of a load nowhere
		all.add(r.apply(ctx, all.active(shares), &confirmed))
	}
	return all, nil
}

// readOlder reads once more what was compared by others while the pass read the
// sheet, by older readings than the pass has: they may have been published after
// the pass compared the same rows.
func (r *Relay) readOlder(ctx context.Context, rd *reader, shares []*shareSync, version int64) (outcomes, error) {
	older, all := gather(ctx, shares, func(ctx context.Context, s *shareSync) ([]int64, error) { return s.olderThan(ctx, version, rd.began) })
	rows := map[int64]inbox.Row{}
	for id := range older {
		rows[id] = inbox.Row{}
	}
	for page, err := range rd.rows(ctx, rows) {
		if err != nil {
			return all, err
		}
		all.add(r.applyNamed(ctx, all.active(shares), page))
	}
	return all, nil
}

// complete says that the shares show the sheet as it was read. Those do not for which
// something newer was published before than what was read.
func (r *Relay) complete(ctx context.Context, shares []*shareSync, sheet wholeSheet, soFar outcomes) outcomes {
	return eachDoes(ctx, shares, pagePatience, func(ctx context.Context, s *shareSync) error {
		if soFar[s].oldReading {
			return errOldReading
		}
		if err := s.complete(ctx, sheet.completeTo(), sheet.columns, soFar[s].tooLarge, sheet.first.began); err != nil {
			return err
		}
		s.recordFilter(ctx, soFar[s].filter)
		r.Partners.SetProgress(s.share, nil)
		return nil
	})
}
