package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/notice"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// noticeEvery is how often it is looked whether something needs a person.
const noticeEvery = 2 * time.Second

// notifyConfig says where what needs a person is told.
type notifyConfig struct {
	URL     string // empty: nowhere
	Secret  seal.Secret
	Console string // base URL of the console, for links
}

func (s *settings) notify(w *wrong) notifyConfig {
	secret, ok := s.secret(w, "NOTIFY_SECRET", s.NotifySecret, s.NotifySecretFile)
	c := notifyConfig{URL: s.NotifyURL, Secret: secret, Console: s.AdminURL}
	if c.Console == "" {
		c.Console = "http://" + s.AdminListen
	}
	if c.URL == "" {
		if c.Secret != "" {
			w.add("NOTIFY_URL", errors.New("is empty, and NOTIFY_SECRET is set: name an address, or leave out both"))
		}
		return c
	}
	w.add("NOTIFY_URL", notice.CheckURL(c.URL))
	if !ok {
		return c
	}
	if c.Secret == "" {
		w.add("NOTIFY_SECRET", errors.New("is required with NOTIFY_URL: whsec_ and base64 of 24 to 64 random bytes, such as whsec_$(openssl rand -base64 32)"))
	} else {
		w.add("NOTIFY_SECRET", notice.CheckSecret(c.Secret))
	}
	return c
}

// watchConditions has what needs a person told, until the context ends.
func (s *service) watchConditions(ctx context.Context) error {
	for {
		if now, ok := s.conditions(); ok {
			if err := s.notices.Observe(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Warn("notices: could not store what needs a person, trying again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(noticeEvery):
		}
	}
}

// conditions are what needs a person now, as far as it is known; false before anything
// is known of partners' streams.
func (s *service) conditions() (now notice.Conditions, ok bool) {
	s.states.mu.Lock()
	last := s.states.last
	s.states.mu.Unlock()
	if last.partners == nil {
		return now, false
	}
	now = notice.Conditions{Holds: s.ownerConditions(), Ended: map[string]notice.Condition{}, Unknown: map[string]bool{}}
	for _, d := range notice.Deadlines(s.registry, time.Now()) {
		now.Holds = append(now.Holds, d.Condition)
		if to, ok := d.ToPartner(); ok {
			now.Holds = append(now.Holds, to)
		}
	}
	for _, reg := range s.registry.Registrations() {
		if c, ok := webhookCondition(reg); ok {
			now.Holds = append(now.Holds, c)
		}
	}
	queueConditions(&now, last.queue)
	for _, p := range last.partners {
		partnerConditions(&now, p)
		s.writeConditions(&now, p.Partner.Name)
	}
	if s.storeNew {
		now.Holds = append(now.Holds, notice.Condition{
			Key: "store-new", Type: "store.new", On: s.store, Link: "/#/",
			Detail: "the service has started with a new, empty store",
			Next:   "back up DATA_DIR with its master key; if there was a store before, stop the service and restore it",
		})
	}
	return now, true
}

func (s *service) ownerConditions() []notice.Condition {
	var list []notice.Condition
	for _, o := range s.registry.Owners() {
		if o.State == registry.OwnerOK || o.State == registry.OwnerAuthorize && o.Reason == "the consent is awaited" {
			continue
		}
		list = append(list, notice.Condition{
			Key: "owner-" + string(o.State) + "." + o.Name, Type: "owner.refused", On: o.Name, Link: "/#/owners/" + o.Name,
			Detail: "owner " + o.Name + " is " + string(o.State) + ": " + o.Reason, Next: owner.AccessError(o),
		})
	}
	return list
}

// webhookCondition tells whether the webhook of a registration is disabled.
func webhookCondition(reg *registry.Registration) (notice.Condition, bool) {
	if reg.Phase != registry.PhaseActive || reg.Status == registry.StatusPolling || reg.Status == "" || reg.Status == string(smartsheet.WebhookEnabled) {
		return notice.Condition{}, false
	}
	return notice.Condition{
		Key: "webhook-disabled." + reg.ID, Type: "webhook.disabled", On: reg.ID, Link: "/#/sheets",
		Detail: fmt.Sprintf("the webhook of sheet %d is %s", reg.SheetID, reg.Status),
		Next:   "GET /v1/doctor says why; POST /v1/webhooks/" + reg.ID + "/enable tries again",
	}, true
}

// queueConditions adds whether hints were given up.
func queueConditions(now *notice.Conditions, queue *inbox.Stats) {
	const key = "hints-dead"
	switch {
	case queue == nil:
		now.Unknown[key] = true
	case queue.Dead > 0:
		now.Holds = append(now.Holds, notice.Condition{
			Key: key, Type: "hint.dead", On: "queue", Link: "/#/dead",
			Detail: fmt.Sprintf("%d hints were given up", queue.Dead), Next: "GET /v1/dead says why; POST /v1/dead/{id}/retry tries again once the cause is gone",
		})
	}
}

// partnerConditions adds how a partner's reading and its shares last stood.
func partnerConditions(now *notice.Conditions, p diagnose.PartnerState) {
	name := p.Partner.Name
	key := "partner-not-reading." + name
	if why := p.Reading.Warning(); why != "" {
		now.Holds = append(now.Holds, notice.Condition{
			Key: key, Type: "partner.not-reading", On: name, Link: "/#/partners/" + name,
			Detail: "partner " + name + ": " + why, Next: "ask the partner whether its program runs; GET /v1/partners/" + name + "/reading says what read last",
		})
	}
	now.Unknown[key] = p.Reading == nil
	for _, sh := range p.Shares {
		shareConditions(now, sh)
	}
}

// writeConditions adds whether a partner's writes are refused again and again. What one
// replica reported stays until any of them has made a write of the partner's, for an hour
// at least: another one may see other writes than that one.
func (s *service) writeConditions(now *notice.Conditions, partner string) {
	if !s.partners.TakesWrites(partner) {
		return
	}
	key := "partner-writes-refused." + partner
	refused, made := s.refusals.Of(partner)
	now.Unknown[key] = refused == nil && !hasNoticeBefore(s.registry.Notices(), key, made.Add(-write.RefusalTime))
	if refused != nil {
		now.Holds = append(now.Holds, notice.Condition{
			Key: key, Type: "partner.writes-refused", On: partner, Link: "/#/partners/" + partner,
			Detail: "partner " + partner + ": " + refused.Warning(), Next: refused.Next(),
		})
	}
}

// hasNoticeBefore tells whether there is a notice of a key that was made before a time.
func hasNoticeBefore(notices []*registry.Notice, key string, t time.Time) bool {
	return slices.ContainsFunc(notices, func(n *registry.Notice) bool { return n.Key == key && n.Made.Before(t) })
}

// shareConditions adds whether a share is stale or suspended. A suspension, and its
// end, is sent to its partner too.
func shareConditions(now *notice.Conditions, sh diagnose.ShareState) {
	partner, share := sh.Share.Partner, sh.Share.Key()
	for _, state := range []events.State{events.StateStale, events.StateSuspended} {
		key := "share-" + string(state) + "." + partner + "." + sh.Share.Sheet
		now.Unknown[key] = sh.State == diagnose.StateUnknown
		if sh.State == state {
			now.Holds = append(now.Holds, notice.Condition{
				Key: key, Type: "share." + string(state), On: share,
				Link: "/#/partners/" + partner, Detail: "share " + share + " is " + string(state) + ": " + sh.Reason, Next: "GET /v1/doctor says what to do",
			})
		}
	}
	key := notice.PartnerKey(partner, "share-suspended."+sh.Share.Sheet)
	switch sh.State {
	case events.StateSuspended:
		now.Holds = append(now.Holds, notice.Condition{
			Key: key, Type: "share.suspended", On: share, To: partner,
			Detail: "share " + share + " is suspended: " + sh.Reason, Next: "go on with what was read; you are told when it is back",
		})
	case events.StateLive:
		now.Ended[key] = notice.Condition{
			Type: "share.back", On: share, To: partner, Detail: "share " + share + " is live again, and complete",
			Next: "nothing: what changed in the meantime is in the stream",
		}
	default: // it is neither yet
		now.Unknown[key] = true
	}
}

// noticeOf has somebody told that a share has ended.
func (s *service) noticeOf(ctx context.Context, n registry.Change) {
	if n.What != "share ended" || s.notices == nil {
		return
	}
	err := s.notices.Send(ctx, notice.Condition{
		Key: fmt.Sprintf("share-ended.%d", time.Now().UnixNano()), Type: "share.ended", On: n.On, Link: "/#/audit",
		Detail: "share " + n.On + " has ended, and what had been published of it is removed", Next: "nothing, if that was meant; the audit log says who did it",
	})
	if err != nil {
		s.log.Warn("notices: could not store that a share has ended", "share", n.On, "err", err)
	}
}
