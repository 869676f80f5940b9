package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// rowsAtOnce is how many rows are compared together: so much of what the partner
// saw is held beside the page that was read, however large that is. It is what
// one request for last messages brings.
const rowsAtOnce = events.MaxBatch / 2

// publishRows compares rows as they were read with what the partner last saw of
// them, and publishes what differs.
func (r *run) publishRows(ctx context.Context, rd reading) error {
	for rows := range slices.Chunk(rd.rows, rowsAtOnce) {
		readings := make([]events.Reading, 0, len(rows))
		for i := range rows {
			readings = append(readings, r.rowReading(&rows[i], rd))
		}
		if err := r.compareRows(ctx, readings); err != nil {
			return err
		}
	}
	return r.publishDeleted(ctx, rd.gone, rd.version, rd.at)
}

// publishDeleted publishes that rows are no longer in the sheet, where the
// partner sees them.
func (r *run) publishDeleted(ctx context.Context, ids []int64, version int64, at time.Time) error {
	for chunk := range slices.Chunk(ids, rowsAtOnce) {
		readings := make([]events.Reading, 0, len(chunk))
		for _, id := range chunk {
			readings = append(readings, events.Reading{
				Kind: events.KindRow, ID: id, Version: version, Time: at,
				Reason: events.ReasonDeleted, Origin: r.origin, ChangeAgent: r.agents(id),
			})
		}
		if err := r.compareRows(ctx, readings); err != nil {
			return err
		}
	}
	// The next page may bring a row again that has moved meanwhile.
	return r.writer.Flush(ctx)
}

// last is what the partner last saw of objects. What was purged it does not see
// any more: a copy of the stream that answers may have come to the lock and not
// to the purge, which has no sequence of its own.
func (r *run) last(ctx context.Context, subjects []string) (map[string]*events.Seen, error) {
	seen, err := r.stream.Last(ctx, &r.share.Share, subjects, r.writer.Lock())
	maps.DeleteFunc(seen, func(_ string, s *events.Seen) bool { return s.Sequence < r.purged })
	return seen, err
}

// compareRows compares readings of rows with what the partner last saw of them.
func (r *run) compareRows(ctx context.Context, readings []events.Reading) error {
	subjects := make([]string, len(readings))
	for i, now := range readings {
		subjects[i] = r.share.SubjectOf(now.Kind, now.ID)
	}
	last, err := r.last(ctx, subjects)
	if err != nil {
		return err
	}
	return r.publishReadings(ctx, readings, last)
}

// rowReading is what the share shows of a row.
func (r *run) rowReading(row *smartsheet.Row, rd reading) events.Reading {
	now := events.Reading{
		Kind: events.KindRow, ID: row.ID, Version: rd.version, Time: rd.at,
		Row: events.RefOf(row), Origin: r.origin, ChangeAgent: r.agents(row.ID),
	}
	object, visible := r.view.Row(row, rd.types)
	if visible && r.share.Has(events.KindRow) {
		now.Now = object
	} else {
		now.Reason = events.ReasonLeftView
	}
	return now
}

// agents are the programs that callbacks named as having written what the share
// shows of a row.
func (r *run) agents(id int64) []string {
	return r.pass.hint.Rows[id].Agents(func(column int64) bool {
		return slices.ContainsFunc(r.share.Fields, func(f events.Field) bool { return f.ColumnID == column })
	})
}

// publishReadings compares readings with what was last seen. What hangs on a
// row goes before the row does.
func (r *run) publishReadings(ctx context.Context, readings []events.Reading, last map[string]*events.Seen) error {
	leaving := map[int64]events.Reading{}
	for _, now := range readings {
		seen := last[r.share.SubjectOf(now.Kind, now.ID)]
		if now.Kind == events.KindRow && now.Now == nil && seen.Living() && seen.Version <= now.Version {
			leaving[now.ID] = now
		}
	}
	children, err := r.childrenOf(ctx, leaving)
	if err != nil {
		return err
	}
	for _, now := range readings {
		seen := last[r.share.SubjectOf(now.Kind, now.ID)]
		tooEarly := seen != nil && seen.Version > now.Version
		if tooEarly { // it must not be published, and not be forgotten
			now.Version = seen.Version
		}
		evs, err := r.share.Compare(seen, now)
		if err != nil {
			return err
		}
		if tooEarly {
			r.early = r.early || len(evs) > 0
			continue
		}
		if now.Kind == events.KindRow && now.Now != nil && !seen.Living() && len(evs) > 0 {
			r.appeared[now.ID] = true
		}
		if now.Now != nil && len(evs) > 0 {
			r.sawChange(now)
		}
		if err := r.add(ctx, append(children[now.ID], evs...)...); err != nil {
			return err
		}
	}
	return nil
}

// add puts events that belong together into the batch. An event that is too
// large for the partner's NATS is left out and told of in the status: it must
// keep no other row waiting.
func (r *run) add(ctx context.Context, evs ...events.Event) error {
	err := r.writer.Add(ctx, evs...)
	if errors.Is(err, events.ErrTooLarge) {
		r.tooLarge++
		return nil
	}
	return err
}

// publishGone deletes what the partner still sees and what the sheet, read
// whole, no longer has.
func (r *run) publishGone(ctx context.Context, present map[int64]bool, version int64, at time.Time) error {
	subjects, err := r.stream.Subjects(ctx, r.share.SubjectKind(events.KindRow))
	if err != nil {
		return err
	}
	var gone []int64
	for _, subject := range subjects {
		if _, id, ok := events.ParseSubject(subject); ok && !present[id] {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	return r.publishDeleted(ctx, gone, version, at)
}

// complete says in the status that the share shows the sheet as it was at a
// version, and when to expect the next such word.
func (r *run) complete(ctx context.Context, to events.CompleteTo, readAt time.Time) error {
	if r.state.Loaded() { // an older answer that differs in nothing takes nothing back
		to.Version = max(to.Version, r.state.Status.CompleteTo.Version)
	}
	to.Time = to.Time.UTC().Truncate(time.Millisecond)
	readAt = readAt.UTC().Truncate(time.Millisecond)
	status := r.status(r.standing())
	status.CompleteTo, status.ReadAt = &to, &readAt
	return r.publishStatus(ctx, status)
}

// standing is how a share that is complete stands, and why: the gravest reason,
// or all of those that change nothing about its being followed.
func (r *run) standing() (events.State, string) {
	if r.tooLarge > 0 {
		return events.StateStale, fmt.Sprintf("rows that are too large to be published: %d", r.tooLarge)
	}
	columns, why := r.columnTrouble()
	if columns == events.StateStale {
		return columns, why
	}
	if disabled := trouble(r.pass.reg); disabled != "" {
		return events.StateStale, disabled
	}
	if r.pass.reg.Status != string(smartsheet.WebhookGridLimits) {
		return events.StateLive, why
	}
	const tooLarge = "the sheet is too large for a webhook: changes come with each reconcile"
	if why == "" {
		return events.StateLive, tooLarge
	}
	return events.StateLive, tooLarge + "; " + why
}

// status is the share's status with another state. What it was complete to
// stays, as long as the revision does.
func (r *run) status(state events.State, reason string) events.StatusData {
	now := time.Now().UTC().Truncate(time.Millisecond)
	next := now.Add(2 * r.pass.relay.Every)
	s := events.StatusData{
		State: state, Reason: reason, Since: now, Mode: modeOf(r.pass.reg), NextBefore: &next,
		Epoch: r.epoch, Revision: r.share.Revision,
	}
	if was := r.state.Status; was != nil {
		if was.State == state && was.Reason == reason {
			s.Since = was.Since
		}
		if r.state.Loaded() {
			s.CompleteTo, s.ReadAt = was.CompleteTo, was.ReadAt
		}
	}
	return s
}

func (r *run) publishStatus(ctx context.Context, s events.StatusData) error {
	if err := r.writer.PublishStatus(ctx, time.Now(), s); err != nil {
		return err
	}
	if err := r.writer.Flush(ctx); err != nil {
		return err
	}
	r.state.Status, r.state.StatusSeq = &s, r.writer.Lock()
	return nil
}

// modeOf says whether changes come with callbacks or with reconciles only.
func modeOf(reg *registry.Registration) string {
	if reg.WebhookID == 0 || reg.Status == string(smartsheet.WebhookGridLimits) {
		return "polling"
	}
	return "webhook"
}

// trouble is what a registration's webhook lacks, empty for nothing: without it
// changes come late, and the partner should know.
func trouble(reg *registry.Registration) string {
	switch reg.Status {
	case string(smartsheet.WebhookEnabled), StatusPolling, string(smartsheet.WebhookGridLimits), "":
		return ""
	}
	return "the webhook is disabled at Smartsheet (" + reg.Status + "): changes come with each reconcile only"
}

// say tells the partners of the shares that their streams are not complete, if
// they have not been told within half a reconcile interval. Who cannot be told now is told by the next
// pass.
func (p *pass) say(ctx context.Context, runs []*run, state events.State, reason string) {
	for _, r := range runs {
		if r.over || r.state == nil || r.state.Schema == nil {
			continue
		}
		if was := r.state.Status; was != nil && was.State == state && was.Reason == reason && was.NextBefore != nil &&
			time.Until(*was.NextBefore) > p.relay.Every*3/2 {
			continue
		}
		if r.err != nil { // the lock may be stale; what was added is dropped
			st, err := r.stream.State(ctx, &r.share.Share)
			if err != nil {
				continue
			}
			r.state, r.writer = st, r.stream.NewWriter(&r.share.Share, st.Lock)
			r.watch(ctx)
		}
		if err := r.publishStatus(ctx, r.status(state, reason)); err != nil {
			p.relay.Log.Warn("status could not be published", "partner", r.share.Partner, "sheet", r.share.Sheet, "err", err)
		}
	}
}
