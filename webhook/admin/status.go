package admin

import (
	"context"
	"strconv"

	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// webhooksOf shows registrations, with the state of their shares as it stands
// in the partners' streams.
func (a *API) webhooksOf(ctx context.Context, regs []*registry.Registration) []Webhook {
	shown := make([]Webhook, len(regs))
	for i, state := range a.Doctor.Webhooks(ctx, regs) {
		shown[i] = a.webhookOf(state)
	}
	return shown
}

func (a *API) webhookOf(state diagnose.WebhookState) Webhook {
	reg := state.Registration
	w := Webhook{
		ID: reg.ID, Owner: reg.Owner, SheetID: strconv.FormatInt(reg.SheetID, 10), SheetName: reg.SheetName,
		Status: reg.Status, Reason: reg.Reason, Shares: []Share{}, CreatedAt: reg.CreatedAt, Backlog: state.Backlog,
	}
	if reg.WebhookID != 0 {
		id, url := strconv.FormatInt(reg.WebhookID, 10), hideKey(a.Registrar.CallbackURL(reg))
		w.WebhookID, w.CallbackURL = &id, &url
		if at := a.Registrar.LastCallback(reg); !at.IsZero() {
			w.LastCallback = &at
		}
	}
	for _, s := range state.Shares {
		w.Shares = append(w.Shares, shareOf(s))
		if to := s.CompleteTo; to != nil {
			if w.SheetVersion == nil || to.Version > *w.SheetVersion {
				w.SheetVersion = &to.Version
			}
			if w.LastReconcile == nil || to.Time.After(*w.LastReconcile) {
				w.LastReconcile = &to.Time
			}
		}
	}
	return w
}
