package smartsheettest

import (
	"encoding/json"
	"slices"
)

// webhookIn is a webhook as requests hold it.
type webhookIn struct {
	Name          *string         `json:"name"`
	CallbackURL   *string         `json:"callbackUrl"`
	Scope         *string         `json:"scope"`
	ScopeObjectID *id             `json:"scopeObjectId"`
	Events        *[]string       `json:"events"`
	Version       *int            `json:"version"`
	Subscope      *subscopeIn     `json:"subscope"`
	Enabled       *bool           `json:"enabled"`
	CustomHeaders json.RawMessage `json:"customHeaders"`
}

type subscopeIn struct {
	ColumnIDs []id `json:"columnIds"`
}

// checkWebhook refuses values that no webhook can have.
func (s *Server) checkWebhook(in *webhookIn) error {
	switch {
	case in.Name != nil && *in.Name == "":
		return errMissing("webhook.name")
	case in.Version != nil && *in.Version != 1:
		return errAttribute(*in.Version, "version")
	case in.Events != nil && len(*in.Events) == 0:
		return errMissing("webhook.events")
	case present(in.CustomHeaders):
		return errNotAllowed("webhook.customHeaders")
	}
	if in.Events != nil {
		for _, pattern := range *in.Events {
			if !validPattern(pattern) {
				return errAttribute(pattern, "events")
			}
		}
	}
	if in.CallbackURL != nil {
		return s.callbackURL(*in.CallbackURL)
	}
	return nil
}

func (s *Server) createWebhook(c *call) (any, error) {
	var in webhookIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == nil || in.CallbackURL == nil || in.Scope == nil || in.ScopeObjectID == nil || in.Events == nil || in.Version == nil {
		return nil, errMissing("webhook.name, webhook.callbackUrl, webhook.scope, webhook.scopeObjectId, webhook.events, webhook.version")
	}
	if in.Enabled != nil {
		return nil, errNotAllowed("webhook.enabled")
	}
	if err := s.checkWebhook(&in); err != nil {
		return nil, err
	}
	if *in.Scope != "sheet" {
		if *in.Scope == "plan" {
			return nil, errForbidden()
		}
		return nil, errAttribute(*in.Scope, "scope")
	}
	sh := s.sheets[int64(*in.ScopeObjectID)]
	if sh == nil || sh.deleted || sh.accessOf(c.user.ID) == "" {
		return nil, errScope(int64(*in.ScopeObjectID))
	}
	w := &webhook{
		owner: c.user.ID, name: *in.Name, url: *in.CallbackURL, object: sh.id, events: *in.Events,
		status: statusNew, secret: newSecret(), created: c.now, modified: c.now, woken: make(chan struct{}, 1),
	}
	if c.token != nil && c.token.consent != nil {
		w.app = c.token.consent.app.ClientID
	}
	if in.Subscope != nil {
		for _, id := range in.Subscope.ColumnIDs {
			if sh.column(int64(id)) == nil {
				return nil, failf(404, 1293, "The subscope contains ids that are not valid: %d.", id)
			}
			w.columns = append(w.columns, int64(id))
		}
		w.scoped = len(w.columns) > 0
	}
	w.id = s.ids.next()
	s.webhooks[w.id] = w
	s.webhookOrder = append(s.webhookOrder, w)
	return success(w.json(), 0), nil
}

func errScope(id int64) *Error {
	return failf(404, 1151, "Scope 'sheet', object id %d was not found.", id)
}

func newSecret() string { return randomText(26, lowerAlphanumeric) }

// manages tells whether the caller sees the webhook: a user does all of one's
// own, an app those that it made for its user.
func (c *call) manages(w *webhook) bool {
	if c.token != nil && c.token.consent != nil && w.app != c.token.consent.app.ClientID {
		return false
	}
	return w.owner == c.user.ID
}

func (s *Server) getWebhook(c *call) (any, error) {
	w := c.webhook
	return w.json(), nil
}

// listWebhooks answers without totals, newest first, and hides every filter of
// events, as the service does since June 2026.
func (s *Server) listWebhooks(c *call) (any, error) {
	number, size, _, err := c.page()
	if err != nil {
		return nil, err
	}
	data := []any{}
	skip := (number - 1) * size
	for _, w := range slices.Backward(s.webhookOrder) {
		if !c.manages(w) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(data) == size {
			break
		}
		item := w.json()
		item["events"] = []string{"*.*"}
		data = append(data, item)
	}
	return map[string]any{"pageNumber": number, "pageSize": size, "totalPages": -1, "totalCount": -1, "data": data}, nil
}

// updateWebhook changes a webhook. If that enables it, or gives an enabled one
// another URL, the URL is verified while the request stays open.
func (s *Server) updateWebhook(c *call) (any, error) {
	w := c.webhook
	var in webhookIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Scope != nil || in.ScopeObjectID != nil || in.Subscope != nil {
		return nil, errNotAllowed("webhook.scope, webhook.scopeObjectId, webhook.subscope")
	}
	if err := s.checkWebhook(&in); err != nil {
		return nil, err
	}
	enable := in.Enabled != nil && *in.Enabled && !w.enabled
	if enable {
		if err := s.mayEnable(w); err != nil {
			return nil, err
		}
	}
	changed, moved := w.apply(&in, c)
	if in.Enabled != nil && !*in.Enabled && w.enabled {
		s.disable(w, statusByOwner)
		changed = true
	}
	if enable || moved && w.enabled {
		s.verifyNow(w)
		changed = true
		if w.deleted {
			return nil, errNotFound()
		}
	}
	out := success(w.json(), 0)
	if !changed {
		out["message"] = "UNCHANGED"
	}
	return out, nil
}

// mayEnable refuses to enable what only others can.
func (s *Server) mayEnable(w *webhook) error {
	switch w.status {
	case statusAppRevoked:
		return failf(403, 1153, "This webhook cannot be enabled because access was revoked for the application that created it.")
	case statusAdministrative:
		return failf(403, 1154, "Please contact Support in order to enable this webhook.")
	}
	if !s.reaches(w) {
		return errScope(w.object)
	}
	return nil
}

// apply takes over what an update may change, and reports whether anything,
// and whether the URL, is another one now.
func (w *webhook) apply(in *webhookIn, c *call) (changed, moved bool) {
	before := []any{w.name, w.url, w.events}
	set(&w.name, in.Name)
	set(&w.events, in.Events)
	moved = in.CallbackURL != nil && *in.CallbackURL != w.url
	set(&w.url, in.CallbackURL)
	changed = jsonText(before) != jsonText([]any{w.name, w.url, w.events})
	if changed {
		w.modified = c.now
	}
	return changed, moved
}

// verifyNow asks the callback URL and enables or disables the webhook by its
// answer. The caller holds s.mu, which is released in the meantime.
func (s *Server) verifyNow(w *webhook) {
	if s.exceeds(s.sheets[w.object]) {
		s.disable(w, statusExceeded)
		return
	}
	id, url := w.id, w.url
	s.mu.Unlock()
	verified := s.verify(id, url)
	s.mu.Lock()
	switch {
	case w.deleted, w.enabled && verified:
	case verified && s.reaches(w):
		s.enable(w)
	case verified:
		s.disable(w, statusInaccessible)
	default:
		s.disable(w, statusUnverified)
	}
}

func (s *Server) deleteWebhook(c *call) (any, error) {
	w := c.webhook
	w.deleted, w.news = true, nil
	w.void()
	delete(s.webhooks, w.id)
	delete(s.held, w.id)
	s.webhookOrder = slices.DeleteFunc(s.webhookOrder, func(other *webhook) bool { return other == w })
	return success(nil, 0), nil
}

func (s *Server) resetSecret(c *call) (any, error) {
	w := c.webhook
	w.secret, w.modified = newSecret(), c.now
	return success(map[string]any{"sharedSecret": w.secret}, 0), nil
}
