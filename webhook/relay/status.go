package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Reasons that partners get when the sheet's columns no longer fit the share. They
// name no title: a filter may name columns that the partner does not see.
const (
	reasonFilter  = "a column that the share's filter needs is gone or holds another kind of value: no row is shown until the share is changed"
	reasonColumns = "fields whose column is gone from the sheet, null since: "
	reasonWebhook = "the webhook is disabled at Smartsheet"
	reasonGrid    = "the sheet is too large for a webhook: changes come with each reconcile"
)

// complete says in the status that the share shows the sheet as it was at a
// version, and when to expect the next such word. What a reset left is taken
// away first. The columns are those that were read, nil for none; tooLarge is how many
// objects could not be published, began when the pass began to read.
func (s *shareSync) complete(ctx context.Context, to events.CompleteTo, columns []smartsheet.Column, tooLarge int, began moment) error {
	t := s.target
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.leave()
	return s.underLock(ctx, func() error {
		readAt := to.Time
		if columns == nil { // only the version was asked for
			if !t.state.Loaded() || t.state.Status.ReadAt == nil { // what it said of the sheet is gone
				return errDefinition
			}
			readAt = *t.state.Status.ReadAt
		} else if err := s.checkOlder(to.Version, began); err != nil {
			return err
		}
		if s.resetBelow > 0 {
			if err := s.narrowTo(ctx, nothing); err != nil {
				return err
			}
		}
		if t.state.Loaded() { // an older answer that differs in nothing takes nothing back
			to.Version = max(to.Version, t.state.Status.CompleteTo.Version)
		}
		status := s.status(s.condition(columns, tooLarge))
		status.CompleteTo, status.ReadAt = &to, &readAt
		return s.flushStatus(ctx, status)
	})
}

// condition is how a share that is complete stands, and why: the gravest reason,
// or all of those that change nothing about its being followed.
func (s *shareSync) condition(columns []smartsheet.Column, tooLarge int) (events.State, string) {
	if tooLarge > 0 {
		return events.StateStale, fmt.Sprintf("rows that are too large to be published: %d", tooLarge)
	}
	state, why := s.columnCondition(columns)
	if state == events.StateStale {
		return state, why
	}
	if disabled := webhookCondition(s.plan.reg); disabled != "" {
		return events.StateStale, disabled
	}
	var reasons []string
	if s.plan.reg.Status == string(smartsheet.WebhookGridLimits) {
		reasons = append(reasons, reasonGrid)
	}
	if why != "" {
		reasons = append(reasons, why)
	}
	return events.StateLive, strings.Join(reasons, "; ")
}

// columnCondition is what the columns lack, with the state that follows from it;
// no reason where they lack nothing. Where none were read it is what the last
// status said.
func (s *shareSync) columnCondition(columns []smartsheet.Column) (events.State, string) {
	if columns == nil {
		_, fields, found := strings.Cut(s.target.state.Status.Reason, reasonColumns)
		if !found {
			return events.StateLive, ""
		}
		return events.StateLive, reasonColumns + fields
	}
	types := typesOf(columns)
	if !s.view.FilterFits(types) {
		return events.StateStale, reasonFilter
	}
	var gone []string
	for _, f := range s.share.Fields {
		if _, ok := types[f.ColumnID]; !ok {
			gone = append(gone, f.Name)
		}
	}
	if len(gone) == 0 {
		return events.StateLive, ""
	}
	return events.StateLive, reasonColumns + strings.Join(gone, ", ")
}

// webhookCondition is what a registration's webhook lacks, empty for nothing:
// without it changes come late, and the partner should know.
func webhookCondition(reg *registry.Registration) string {
	switch reg.Status {
	case string(smartsheet.WebhookEnabled), registry.StatusPolling, string(smartsheet.WebhookGridLimits), "":
		return ""
	}
	return reasonWebhook + " (" + reg.Status + "): changes come with each reconcile only"
}

// status is the share's status with another state. What it was complete to stays,
// as long as the revision does. It must be the share's turn.
func (s *shareSync) status(state events.State, reason string) events.StatusData {
	now := time.Now().UTC().Truncate(time.Millisecond)
	next := now.Add(2 * s.relay.Every)
	status := events.StatusData{
		State: state, Reason: reason, Since: now, Mode: modeOf(s.plan.reg), NextBefore: &next,
		Epoch: s.epoch, Revision: s.share.Revision,
	}
	if was := s.target.state.Status; was != nil {
		if was.State == state && was.Reason == reason {
			status.Since = was.Since
		}
		if s.target.state.Loaded() {
			status.CompleteTo, status.ReadAt = was.CompleteTo, was.ReadAt
		}
	}
	return status
}

// keptStatus is the status that goes along with events: how the share stands has
// not changed by them. It promises no next one earlier or later than the status
// before did, since it says nothing about the whole sheet.
func (s *shareSync) keptStatus() events.StatusData {
	was := s.target.state.Status
	if was == nil || was.State == events.StateEnded {
		return s.status(events.StateLoading, "")
	}
	status := s.status(was.State, was.Reason)
	if was.NextBefore != nil {
		status.NextBefore = was.NextBefore
	}
	return status
}

// modeOf says whether changes come with callbacks or with reconciles only.
func modeOf(reg *registry.Registration) string {
	if reg.WebhookID == 0 || reg.Status == string(smartsheet.WebhookGridLimits) {
		return "polling"
	}
	return "webhook"
}

// publishStatus says how shares stand, where their partners have not been told
// within half a reconcile interval. A partner that cannot be told now is told by
// the next pass.
func (r *Relay) publishStatus(ctx context.Context, shares []*shareSync, soFar outcomes, state events.State, reason string) {
	told := slices.DeleteFunc(slices.Clone(shares), func(s *shareSync) bool {
		err := soFar[s].err
		return s.epoch == "" || errors.Is(err, errEnded) || errors.Is(err, errDefinition) || errors.Is(err, errSlow)
	})
	failed := eachDoes(ctx, told, rowsPatience, func(ctx context.Context, s *shareSync) error { return s.publishStatus(ctx, state, reason) })
	for s, o := range failed {
		if o.err != nil && ctx.Err() == nil {
			r.Log.Warn("a status could not be published", "partner", s.share.Partner, "sheet", s.share.Sheet, "err", o.err)
		}
	}
}

func (s *shareSync) publishStatus(ctx context.Context, state events.State, reason string) error {
	t := s.target
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.leave()
	if err := s.use(ctx, t.stream); err != nil {
		return err
	}
	if s.current() != nil {
		return nil
	}
	if was := t.state.Status; was != nil && was.State == state && was.Reason == reason && was.NextBefore != nil &&
		time.Until(*was.NextBefore) > s.relay.Every*3/2 {
		return nil
	}
	return s.underLock(ctx, func() error { return s.flushStatus(ctx, s.status(state, reason)) })
}

// recordFilter stores what the share's filter said of all rows of the sheet, for
// those who look after the share.
func (s *shareSync) recordFilter(ctx context.Context, filter registry.FilterResult) {
	if s.share.Where == "" {
		return
	}
	filter.Revision, filter.At = s.share.Revision, time.Now().UTC().Truncate(time.Second)
	if err := s.relay.Registry.PutFilterResult(ctx, s.share, filter); err != nil && ctx.Err() == nil {
		s.relay.Log.Warn("what a share's filter shows could not be stored", "partner", s.share.Partner, "sheet", s.share.Sheet, "err", err)
	}
}
