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
	shares := r.open(ctx, p)
	read := r.read(ctx, p, shares)
	result, err := r.conclude(ctx, p, shares, read)
	if err == nil && read.err == nil && len(active(shares)) == len(shares) {
		r.echoes.add(p.reg.ID, read.written)
	}
	r.report(ctx, span, summary{plan: p, shares: shares, reading: read, result: result, err: err})
	return err
}

// read reads what the hint asks for and applies each page to every share.
func (r *Relay) read(ctx context.Context, p *plan, shares []*shareSync) reading {
	participants := active(shares)
	if len(participants) == 0 || !p.readable() {
		return reading{}
	}
	rd := r.newReader(ctx, p, participants)
	for _, s := range participants {
		s.reading = s.target.compared.begin()
		defer s.target.compared.end()
	}
	if p.whole() {
		return r.readWhole(ctx, p, rd, participants)
	}
	return r.readHinted(ctx, p, rd, participants)
}

// readHinted reads the rows that the hint names, and what hangs on rows.
func (r *Relay) readHinted(ctx context.Context, p *plan, rd *reader, shares []*shareSync) reading {
	written := map[int64]time.Time{}
	for page, err := range rd.rows(ctx, p.hint.Rows) {
		if err == nil {
			err = r.followColumns(ctx, p, shares, page)
		}
		if err != nil {
			return rd.result(err)
		}
		r.applyNamed(ctx, shares, page)
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
	if err := r.readChildren(ctx, p, rd, shares, false); err != nil {
		return rd.result(err)
	}
	read := rd.result(r.dropMissing(ctx, rd, shares))
	read.written = written
	return read
}

// readWhole reads the whole sheet, unless its version says that nothing moved.
// The shares are complete to the version that the first page had: what changed
// while it was read comes with hints of its own.
func (r *Relay) readWhole(ctx context.Context, p *plan, rd *reader, shares []*shareSync) reading {
	shares, err := r.skipUnchanged(ctx, p, rd, shares)
	if err != nil || len(shares) == 0 {
		return rd.result(err)
	}
	sheet := wholeSheet{ids: map[int64]bool{}}
	for page, err := range rd.pages(ctx) {
		if err == nil {
			err = r.followColumns(ctx, p, shares, page)
		}
		if err != nil {
			return rd.result(err)
		}
		sheet.add(page)
		r.each(ctx, shares, pagePatience, func(ctx context.Context, s *shareSync) error { return s.applyPage(ctx, page) })
		if len(active(shares)) == 0 { // nobody is left to read the others for
			return rd.result(nil)
		}
	}
	if err := r.removeGone(ctx, rd, shares, sheet); err != nil {
		return rd.result(err)
	}
	if err := r.readOlder(ctx, rd, shares, sheet.first.version); err != nil {
		return rd.result(err)
	}
	if err := r.readChildren(ctx, p, rd, shares, true); err != nil {
		return rd.result(err)
	}
	if err := r.dropMissing(ctx, rd, shares); err != nil {
		return rd.result(err)
	}
	r.each(ctx, shares, pagePatience, func(ctx context.Context, s *shareSync) error {
		if s.result.oldReading { // it shows what is newer than what was read
			return errOldReading
		}
		if err := s.complete(ctx, sheet.completeTo(), sheet.columns); err != nil {
			return err
		}
		s.recordFilter(ctx)
		r.Partners.SetProgress(s.share, nil)
		return nil
	})
	return rd.result(nil)
}

// removeGone takes away what partners see and the sheet has no longer.
func (r *Relay) removeGone(ctx context.Context, rd *reader, shares []*shareSync, sheet wholeSheet) error {
	candidates := r.gather(ctx, shares, func(ctx context.Context, s *shareSync) ([]int64, error) { return s.notAmong(ctx, sheet.ids) })
	for page, err := range rd.confirm(ctx, candidates, sheet.calm()) {
		if err != nil {
			return err
		}
		r.each(ctx, shares, pagePatience, func(ctx context.Context, s *shareSync) error { return s.applyPage(ctx, page) })
	}
	return nil
}

// readOlder reads once more what was compared by others while the pass read the
// sheet, by older readings than the pass has: they may have been published after
// the pass compared the same rows.
func (r *Relay) readOlder(ctx context.Context, rd *reader, shares []*shareSync, version int64) error {
	older := map[int64]inbox.Row{}
	for id := range r.gather(ctx, shares, func(ctx context.Context, s *shareSync) ([]int64, error) { return s.olderThan(ctx, version) }) {
		older[id] = inbox.Row{}
	}
	for page, err := range rd.rows(ctx, older) {
		if err != nil {
			return err
		}
		r.applyNamed(ctx, shares, page)
	}
	return nil
}

// applyNamed applies rows that were asked for by their ids to every share.
func (r *Relay) applyNamed(ctx context.Context, shares []*shareSync, pg *page) {
	named := *pg
	named.named = true
	patience := rowsPatience + time.Duration(len(pg.rows))*rowPatience
	r.each(ctx, shares, patience, func(ctx context.Context, s *shareSync) error { return s.applyPage(ctx, &named) })
}
