package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// hints enters the hints that were given up and would have brought the row.
func (x *explanation) hints(ctx context.Context) {
	dead, err := x.doctor.Inbox.Dead(ctx, maxDeadLooked)
	if err != nil {
		x.shown.Steps = append(x.shown.Steps, "hints that were given up could not be looked through: "+err.Error())
		return
	}
	for _, d := range dead {
		if d.Hint == nil || d.Hint.Registration != x.reg.ID {
			continue
		}
		if _, named := d.Hint.Rows[x.id]; named || d.Hint.Whole {
			x.shown.Dead = append(x.shown.Dead, d)
		}
	}
}

// judge says in one sentence why the partner sees the row so.
func (x *explanation) judge() {
	e := &x.shown
	now := x.now != nil
	if now && x.seen.Living() {
		e.Differs = append(e.Differs, events.Changed(x.seen.After, x.now)...)
	}
	e.Verdict = x.verdict(now)
	behind := x.seenOK && e.Source.State != "unread" && (now != x.seen.Living() || len(e.Differs) > 0)
	if behind {
		step, action := x.catchUp()
		e.Steps, e.Action = append(e.Steps, step), action
	}
	if e.Filter.Result == filterFails {
		e.Action = cmp.Or(e.Action, problem.ChangeShare.For(x.reg.ID, x.share.Partner, x.share.Sheet))
		e.Steps = append(e.Steps, "guard the filter against what stands in the row: an empty cell is null, a typed column may hold text; a dry run of the changed share shows what passes")
	}
	for _, c := range e.Cells {
		if c.Column == "deleted" {
			e.Steps = append(e.Steps, fmt.Sprintf("column %q was deleted in the sheet: its field %s is null from then on; change the share", c.Title, c.As))
			e.Action = cmp.Or(e.Action, problem.ChangeShare.For(x.reg.ID, x.share.Partner, x.share.Sheet))
		}
	}
	if len(e.Dead) > 0 {
		e.Steps = append(e.Steps, "a hint for it was given up ("+e.Dead[0].Reason+"): once the cause is gone, POST /v1/dead/"+e.Dead[0].ID+"/retry")
		e.Action = cmp.Or(e.Action, problem.RetryDead.For(e.Dead[0].ID))
	}
}

func (x *explanation) verdict(now bool) string {
	e, sent := &x.shown, x.seen.Living()
	why := ""
	switch {
	case e.Source.State == "unread":
		return "unknown: the row could not be read; " + x.partnerHas()
	case e.Source.State == "gone":
		why = "the row is not in the sheet"
	case !slices.Contains(x.share.Kinds, events.KindRow):
		why = "the share shows no rows, only " + strings.Join(kindNames(x.share.Kinds), " and ")
	case e.Filter.Result == filterFails:
		why = "the share's filter cannot be evaluated on this row, which hides it"
	case e.Filter.Result == filterHides:
		why = "the share's filter is false for this row"
	}
	switch {
	case !x.seenOK && now:
		return "to be seen by the partner; whether it was sent is unknown"
	case !x.seenOK:
		return "not to be seen by the partner: " + why
	case now && sent && len(e.Differs) == 0:
		return "sent: the partner has the row as it is now"
	case now && sent:
		return "sent, but not as it is now: an update is due"
	case now:
		return "not sent yet: the share shows the row, and the partner does not have it"
	case sent:
		return "sent, and to be taken back: " + why
	case x.seen != nil:
		return "taken back: " + why
	}
	return "not sent: " + why
}

// partnerHas says what the partner's stream tells.
func (x *explanation) partnerHas() string {
	switch {
	case !x.seenOK:
		return "neither could the partner's stream"
	case x.seen.Living():
		return "the partner has it as it last was"
	}
	return "the partner does not have it"
}

func kindNames(kinds []events.Kind) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k) + "s"
	}
	return names
}

// catchUp says what a partner that lags waits for, and the call that helps, where one
// does.
func (x *explanation) catchUp() (string, *problem.Action) {
	e := &x.shown
	switch {
	case e.State != string(events.StateLive):
		return fmt.Sprintf("the share is %s (%s): that has to be mended first; GET /v1/doctor says how", e.State, e.Reason), problem.Examine.For()
	case e.Backlog != nil && *e.Backlog > 0:
		return "a hint waits to be worked off: look again in a moment", nil
	case e.Source.Version > 0 && x.seen != nil && x.seen.Version > e.Source.Version:
		return "Smartsheet answered with an older version than was published: look again in a moment", nil
	}
	return "no callback has reported it yet: the next reconcile finds it, or POST /v1/webhooks/" + x.reg.ID + "/reconcile now", problem.Reconcile.For(x.reg.ID)
}
