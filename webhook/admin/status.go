package admin

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// lookTime bounds what an answer waits for NATS to tell how things stand.
	// What is not told by then is unknown.
	lookTime = 2 * time.Second

	stateUnknown = "unknown"
)

// standing is how one share stands, or how many hints wait for a registration.
type standing struct {
	webhook, share int // places in the answer; share -1: the registration itself
	state          *stream.State
	trouble        func(to *events.CompleteTo) string // of publishing to it
	backlog        int
	err            error
}

// question is one share whose state is wanted.
type question struct {
	webhook, share int
	of             *registry.Share
}

// webhooksOf shows registrations, with the state of their shares as it stands
// in the partners' streams. All partners are asked at once, so that one that
// does not answer keeps only itself unknown.
func (a *API) webhooksOf(ctx context.Context, regs []*registry.Registration) []Webhook {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	shown := make([]Webhook, len(regs))
	asked := map[string][]question{} // by partner
	total := len(regs)
	for i, reg := range regs {
		shown[i] = a.webhookOf(reg)
		for _, s := range a.Registry.Shares(reg.ID) {
			if s.Ending {
				continue
			}
			asked[s.Partner] = append(asked[s.Partner], question{i, len(shown[i].Shares), s})
			shown[i].Shares = append(shown[i].Shares, shareOf(s))
			total++
		}
	}
	// As large as there are answers: who comes too late must not wait for ever.
	answers := make(chan standing, total)
	go a.askInbox(ctx, regs, answers)
	for partner, questions := range asked {
		go a.askPartner(ctx, partner, questions, answers)
	}
	for range total {
		select {
		case s := <-answers:
			s.enter(&shown[s.webhook])
		case <-ctx.Done():
			return shown
		}
	}
	return shown
}

// webhookOf is what is known of a registration here.
func (a *API) webhookOf(reg *registry.Registration) Webhook {
	w := Webhook{
		ID: reg.ID, Owner: reg.Owner, SheetID: strconv.FormatInt(reg.SheetID, 10), SheetName: reg.SheetName,
		Status: reg.Status, Reason: reg.Reason, Shares: []Share{}, CreatedAt: reg.CreatedAt,
	}
	if reg.WebhookID != 0 {
		id, url := strconv.FormatInt(reg.WebhookID, 10), hideKey(a.Registrar.CallbackURL(reg))
		w.WebhookID, w.CallbackURL = &id, &url
		if at := a.Registrar.LastCallback(reg); !at.IsZero() {
			w.LastCallback = &at
		}
	}
	return w
}

func (a *API) askInbox(ctx context.Context, regs []*registry.Registration, answers chan<- standing) {
	backlog, err := a.Inbox.Backlog(ctx)
	for i, reg := range regs {
		answers <- standing{webhook: i, share: -1, backlog: backlog[reg.ID], err: err}
	}
}

func (a *API) askPartner(ctx context.Context, name string, questions []question, answers chan<- standing) {
	st, err := a.streamOf(ctx, name)
	for _, q := range questions {
		s := standing{webhook: q.webhook, share: q.share, err: err, trouble: func(to *events.CompleteTo) string {
			return a.Partners.Trouble(q.of.Partner, q.of.Sheet, to)
		}}
		if err == nil {
			s.state, s.err = st.State(ctx, &q.of.Share, nil)
		}
		answers <- s
	}
}

func (a *API) streamOf(ctx context.Context, name string) (*stream.Stream, error) {
	p := a.Registry.Partner(name)
	if p == nil {
		return nil, registry.ErrNotFound
	}
	return a.Partners.Stream(ctx, p)
}

// enter writes an answer where it belongs.
func (s standing) enter(w *Webhook) {
	if s.share < 0 {
		if s.err == nil {
			w.Backlog = &s.backlog
		}
		return
	}
	share := &w.Shares[s.share]
	if s.err != nil {
		share.Reason = "the partner's stream cannot be read: " + s.err.Error()
		if errors.Is(s.err, partner.ErrResting) {
			share.Reason = s.err.Error() // short enough for a table
		}
		return
	}
	state, reason, to := s.state.At(share.Revision, time.Now())
	share.State, share.Reason = string(state), reason
	share.troubled(s.trouble(to))
	if share.CompleteTo = (*CompleteTo)(to); to != nil {
		if w.SheetVersion == nil || to.Version > *w.SheetVersion {
			w.SheetVersion = &to.Version
		}
		if w.LastReconcile == nil || to.Time.After(*w.LastReconcile) {
			w.LastReconcile = &to.Time
		}
	}
}

// troubled says of a share what its partner's stream cannot: that it is not
// published to.
func (s *Share) troubled(why string) {
	switch {
	case why == "":
		return
	case s.State == string(events.StateLive):
		s.State = string(events.StateStale)
	case s.State == string(events.StateSuspended): // for a better reason
		return
	}
	s.Reason = why
}
