package smartsheettest

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"time"
)

const (
	statusNew            = "NEW_NOT_VERIFIED"
	statusEnabled        = "ENABLED"
	statusByOwner        = "DISABLED_BY_OWNER"
	statusCallbackFailed = "DISABLED_CALLBACK_FAILED"
	statusUnverified     = "DISABLED_VERIFICATION_FAILED"
	statusExceeded       = "DISABLED_EXCEEDED_GRID_LIMITS"
	statusInaccessible   = "DISABLED_SCOPE_INACCESSIBLE"
	statusAppRevoked     = "DISABLED_APP_REVOKED"
	statusAdministrative = "DISABLED_ADMINISTRATIVE"
)

type webhook struct {
	id, owner         int64
	app               string // client id of the app that made it; empty: the user's own token
	name, url         string
	object            int64 // the sheet
	scoped            bool  // it was made with a subscope
	columns           []int64
	events            []string
	enabled           bool
	status            string
	secret            string
	created, modified time.Time

	lastAttempt, lastSuccess time.Time
	lastRetries              int

	epoch         int // rises whenever what waits for delivery is void
	deleted       bool
	pending       []event
	due           time.Time
	news          []string // statuses that status change callbacks shall tell
	working       bool
	woken         chan struct{}
	sinceVerified int
}

var disabledDetails = map[string]string{
	statusNew:            "The webhook has not been verified yet.",
	statusByOwner:        "The webhook was disabled by its owner.",
	statusCallbackFailed: "A callback was not acknowledged.",
	statusUnverified:     "The callback URL did not answer the verification request as it should.",
	statusExceeded:       "The sheet exceeds the size for which webhooks are supported.",
	statusInaccessible:   "The owner of the webhook has no access to its scope.",
	statusAppRevoked:     "The access of the application was revoked.",
	statusAdministrative: "The webhook was disabled by Support.",
}

func (w *webhook) json() map[string]any {
	out := map[string]any{
		"id": w.id, "name": w.name, "callbackUrl": w.url, "scope": "sheet", "scopeObjectId": w.object,
		"events": slices.Clone(w.events), "version": 1, "enabled": w.enabled, "status": w.status, "sharedSecret": w.secret,
		"createdAt": wire(w.created), "modifiedAt": wire(w.modified),
	}
	if w.app != "" {
		out["apiClientId"] = w.app
	}
	if w.scoped {
		out["subscope"] = map[string]any{"columnIds": append([]int64{}, w.columns...)}
	}
	if !w.enabled {
		out["disabledDetails"] = disabledDetails[w.status]
	}
	if !w.lastAttempt.IsZero() {
		stats := map[string]any{"lastCallbackAttempt": wire(w.lastAttempt), "lastCallbackAttemptRetryCount": w.lastRetries}
		if !w.lastSuccess.IsZero() {
			stats["lastSuccessfulCallback"] = wire(w.lastSuccess)
		}
		out["stats"] = stats
	}
	return out
}

// disable puts a webhook out of work; what waited for delivery is lost.
func (s *Server) disable(w *webhook, status string) {
	w.enabled, w.status, w.modified = false, status, s.now()
	w.void()
	s.log().Debug("webhook disabled", "webhook", w.id, "status", status)
}

func (w *webhook) void() {
	w.epoch++
	w.pending = nil
	w.poke()
}

// poke lets the webhook's worker look again.
func (w *webhook) poke() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// enable puts a webhook to work.
func (s *Server) enable(w *webhook) {
	w.enabled, w.status, w.modified, w.sinceVerified = true, statusEnabled, s.now(), 0
	w.void()
}

// reaches reports whether the webhook's owner can read its sheet.
func (s *Server) reaches(w *webhook) bool {
	sh := s.sheets[w.object]
	return sh != nil && !sh.deleted && sh.accessOf(w.owner) != ""
}

// scopeChanged looks at the webhooks of a sheet after its sharing changed, and
// tells those whose scope was lost or came back.
func (s *Server) scopeChanged(sh *sheet) {
	for _, w := range s.webhookOrder {
		if w.object != sh.id {
			continue
		}
		reaches := s.reaches(w)
		switch {
		case w.enabled && !reaches:
			s.disable(w, statusInaccessible)
		case w.status == statusInaccessible && reaches:
			s.enable(w)
		default:
			continue
		}
		w.news = append(w.news, w.status)
		s.wake(w)
	}
}

// callbackURL refuses URLs that the service would not call.
func (s *Server) callbackURL(text string) error {
	refused := failf(400, 1152, "Only URLs with a protocol of 'https' are supported for attribute 'callbackUrl'.")
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return errAttribute(text, "callbackUrl")
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if s.AllowLoopbackHTTP && loopback && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	if u.Scheme != "https" || !slices.Contains([]string{"443", "8000", "8008", "8080", "8443"}, cmp.Or(u.Port(), "443")) {
		return refused
	}
	if loopback || ip != nil && private(ip) {
		return errAttribute(text, "callbackUrl")
	}
	return nil
}

func private(ip net.IP) bool {
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()
}

// Webhook is a webhook as its owner sees it, without its secret.
type Webhook struct {
	ID          int64
	Owner       int64
	Name        string
	CallbackURL string
	SheetID     int64
	ColumnIDs   []int64
	Events      []string
	Enabled     bool
	Status      string
}

// Webhooks returns all webhooks, oldest first.
func (s *Server) Webhooks() []Webhook {
	s.lock()
	defer s.mu.Unlock()
	var list []Webhook
	for _, w := range s.webhookOrder {
		list = append(list, Webhook{
			ID: w.id, Owner: w.owner, Name: w.name, CallbackURL: w.url, SheetID: w.object,
			ColumnIDs: slices.Clone(w.columns), Events: slices.Clone(w.events), Enabled: w.enabled, Status: w.status,
		})
	}
	return list
}

// WebhookSecret is the shared secret of a webhook, empty if there is none such.
func (s *Server) WebhookSecret(id int64) string {
	s.lock()
	defer s.mu.Unlock()
	if w := s.webhooks[id]; w != nil {
		return w.secret
	}
	return ""
}

// SetWebhookStatus puts a webhook into any status without a word to its
// receiver, DISABLED_APP_REVOKED and DISABLED_ADMINISTRATIVE for instance.
// It reports whether there is such a webhook.
func (s *Server) SetWebhookStatus(id int64, status string) bool {
	s.lock()
	defer s.mu.Unlock()
	w := s.webhooks[id]
	switch {
	case w == nil:
		return false
	case status == statusEnabled:
		s.enable(w)
	default:
		s.disable(w, status)
	}
	return true
}
