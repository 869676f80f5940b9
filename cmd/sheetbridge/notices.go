package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/notice"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
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
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Fragment != "":
		w.add("NOTIFY_URL", errors.New("is no address: want https://host/path"))
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		w.add("NOTIFY_URL", errors.New("want https, or http to this machine alone"))
	}
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
		if err := s.notices.Observe(ctx, s.conditions()); err != nil && ctx.Err() == nil {
			s.log.Warn("what needs a person could not be noted yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(noticeEvery):
		}
	}
}

// conditions are what needs a person now, as far as it is known.
func (s *service) conditions() []notice.Condition {
	list := s.ownerConditions()
	for _, d := range notice.Deadlines(s.registry, time.Now()) {
		list = append(list, d.Condition)
	}
	for _, reg := range s.registry.Registrations() {
		if c, ok := webhookCondition(reg); ok {
			list = append(list, c)
		}
	}
	list = append(list, s.standingConditions()...)
	if s.storeNew {
		list = append(list, notice.Condition{
			Key: "store-new", Type: "store.new", On: s.store, Link: "/#/",
			Detail: "the service has started with a new, empty store",
			Next:   "back up DATA_DIR with its master key; if there was a store before, stop the service and restore it",
		})
	}
	return list
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
		Key: "webhook-disabled." + reg.ID, Type: "webhook.disabled", On: reg.ID, Link: "/#/webhooks/" + reg.ID,
		Detail: fmt.Sprintf("the webhook of sheet %d is %s", reg.SheetID, reg.Status),
		Next:   "GET /v1/doctor says why; POST /v1/webhooks/" + reg.ID + "/enable tries again",
	}, true
}

// standingConditions are those of shares and of the queue, as they last stood.
func (s *service) standingConditions() []notice.Condition {
	s.states.mu.Lock()
	last := s.states.last
	s.states.mu.Unlock()
	var list []notice.Condition
	if last.queue != nil && last.queue.Dead > 0 {
		list = append(list, notice.Condition{
			Key: "hints-dead", Type: "hint.dead", On: "queue", Link: "/#/dead",
			Detail: fmt.Sprintf("%d hints were given up", last.queue.Dead), Next: "GET /v1/dead says why; POST /v1/dead/{id}/retry tries again once the cause is gone",
		})
	}
	for _, p := range last.partners {
		if why := p.Reading.Warning(); why != "" {
			list = append(list, notice.Condition{
				Key: "partner-not-reading." + p.Partner.Name, Type: "partner.not-reading", On: p.Partner.Name, Link: "/#/partners/" + p.Partner.Name,
				Detail: "partner " + p.Partner.Name + ": " + why, Next: "ask the partner whether its program runs; GET /v1/partners/" + p.Partner.Name + "/reading says what read last",
			})
		}
		for _, sh := range p.Shares {
			if sh.State != events.StateStale && sh.State != events.StateSuspended {
				continue
			}
			list = append(list, notice.Condition{
				Key: "share-" + string(sh.State) + "." + sh.Share.Partner + "." + sh.Share.Sheet, Type: "share." + string(sh.State), On: sh.Share.Key(),
				Link: "/#/partners/" + sh.Share.Partner, Detail: "share " + sh.Share.Key() + " is " + string(sh.State) + ": " + sh.Reason, Next: "GET /v1/doctor says what to do",
			})
		}
	}
	return list
}

// noticeOf has somebody told that a share has ended.
func (s *service) noticeOf(ctx context.Context, n registry.Change) {
	if n.What != "share ended" || s.notices == nil {
		return
	}
	err := s.notices.Tell(ctx, notice.Condition{
		Key: fmt.Sprintf("share-ended.%d", time.Now().UnixNano()), Type: "share.ended", On: n.On, Link: "/#/audit",
		Detail: "share " + n.On + " has ended, and what had been published of it is removed", Next: "nothing, if that was meant; the audit log says who did it",
	})
	if err != nil {
		s.log.Warn("that a share has ended could not be noted for a notice", "share", n.On, "err", err)
	}
}
