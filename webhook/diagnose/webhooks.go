package diagnose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	publicTime  = 10 * time.Second
	partnerTime = 4 * time.Second
	certWarning = 14 * 24 * time.Hour
	slowAnswer  = time.Second // from here on other partners' events do not wait for it
)

// examinePublic calls ourselves at the address that Smartsheet is told. Whether
// the internet gets there only Smartsheet knows: a webhook of ours that it has
// enabled was verified over that address.
func (d *Doctor) examinePublic(ctx context.Context, f *findings, known map[string]*ownerWebhooks) {
	base := strings.TrimSuffix(d.Registrar.PublicURL, "/")
	if base == "" {
		f.ok("public", "PUBLIC_URL", "empty: sheets are polled every %s, Smartsheet need not reach us", model.Duration(d.Registrar.ReconcileEvery))
		return
	}
	verified := 0
	for _, reg := range d.Registry.Registrations() {
		if s := known[reg.Owner]; s != nil && s.webhooks[reg.WebhookID].Status == smartsheet.WebhookEnabled {
			verified++
		}
	}
	webhooks := "1 webhook"
	if verified != 1 {
		webhooks = fmt.Sprintf("%d webhooks", verified)
	}
	const todo = "have SHEETBRIDGE_PUBLIC_URL lead to SHEETBRIDGE_LISTEN from the internet, over https with a valid certificate, on port 443, 8000, 8008, 8080 or 8443"
	resp, err := callPublic(ctx, base)
	switch {
	case err == nil && verified > 0:
		f.ok("public", base, "answers us, and Smartsheet verified %s over it", webhooks)
	case err == nil:
		f.ok("public", base, "answers us; whether Smartsheet gets there shows when a sheet is registered")
	case verified > 0:
		f.warn("public", base, "nothing, if this machine is not meant to reach itself by that name", "does not answer us (%s), but Smartsheet has verified %s over it", err, webhooks)
	default:
		f.wrong("public", base, todo, "does not answer as the bridge does: %s", err)
	}
	if resp == nil || resp.TLS == nil || len(resp.TLS.PeerCertificates) == 0 {
		return
	}
	if ends := resp.TLS.PeerCertificates[0].NotAfter; time.Until(ends) < certWarning {
		f.warn("public", "certificate", "renew it: Smartsheet disables webhooks that it cannot verify", "runs out on %s", ends.UTC().Format(time.RFC3339))
	}
}

// publicError says what came instead of the bridge's own answer.
type publicError string

func (e publicError) Error() string { return string(e) }

// callPublic asks for the public listener's /healthz, following nothing.
func callPublic(ctx context.Context, base string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, publicTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return nil, publicError("not a URL")
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, publicError(unwrapURL(err).Error())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	if err != nil || resp.StatusCode != http.StatusOK || strings.TrimSpace(string(text)) != "ok" {
		return resp, publicError("something else answers there: " + resp.Status)
	}
	return resp, nil
}

// unwrapURL leaves the address out of an error, where it stands already.
func unwrapURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// examineWebhooks compares our records with what Smartsheet says, and says how
// each share stands.
func (d *Doctor) examineWebhooks(ctx context.Context, f *findings, known map[string]*ownerWebhooks) {
	var regs []*registry.Registration
	for _, reg := range d.Registry.Registrations() {
		switch reg.Phase {
		case registry.PhaseActive:
			regs = append(regs, reg)
		case registry.PhaseDeleting:
			d.examineDeleting(f, reg)
		}
	}
	for _, state := range d.Webhooks(ctx, regs) {
		d.examineWebhook(f, state.Registration, known[state.Registration.Owner])
		for _, s := range state.Shares {
			d.examineShare(f, state.Registration, s)
		}
	}
}

// examineDeleting says of a registration that was deleted what keeps its webhook
// at Smartsheet.
func (d *Doctor) examineDeleting(f *findings, reg *registry.Registration) {
	if o := d.Registry.Owner(reg.Owner); o == nil || o.State != registry.OwnerOK {
		f.wrong("webhook", reg.SheetName, "see to owner "+reg.Owner+": the webhook can only be deleted in its name",
			"was deleted here, but Smartsheet has webhook %d still, and the access of owner %s does not work", reg.WebhookID, reg.Owner).
			Action = problem.ShowOwner.For(reg.Owner)
		return
	}
	f.warn("webhook", reg.SheetName, "wait; if it stays, look in the log of serve for Smartsheet's answer",
		"was deleted here; webhook %d at Smartsheet is being deleted, and that is tried again until it is gone", reg.WebhookID)
}

func (d *Doctor) examineWebhook(f *findings, reg *registry.Registration, known *ownerWebhooks) {
	enable := "POST /v1/webhooks/" + reg.ID + "/enable"
	if reg.WebhookID == 0 {
		f.ok("webhook", reg.SheetName, "polled every %s", model.Duration(d.Registrar.ReconcileEvery))
		return
	}
	if known == nil || !known.answered {
		f.warn("webhook", reg.SheetName, "see to owner "+reg.Owner+" first", "Smartsheet could not be asked; it was %s", reg.Status).Action = problem.ShowOwner.For(reg.Owner)
		return
	}
	w, there := known.webhooks[reg.WebhookID]
	switch {
	case !there:
		f.wrong("webhook", reg.SheetName, "have it made again now: "+enable, "Smartsheet has no webhook %d any more: somebody deleted it", reg.WebhookID).Action = problem.EnableWebhook.For(reg.ID)
	case w.Status != smartsheet.WebhookEnabled && w.Status.CanEnable():
		f.wrong("webhook", reg.SheetName, "enable it once the cause is gone: "+enable, "%s: %s", w.Status, orNoReason(w.DisabledDetails)).
			Action = problem.EnableWebhook.For(reg.ID)
	case w.Status != smartsheet.WebhookEnabled:
		f.wrong("webhook", reg.SheetName, whoHelps(w.Status), "%s: %s", w.Status, orNoReason(w.DisabledDetails))
	case w.CallbackURL != d.Registrar.CallbackURL(reg):
		f.wrong("webhook", reg.SheetName, "have it told where we are: "+enable, "Smartsheet calls another address than SHEETBRIDGE_PUBLIC_URL").
			Action = problem.EnableWebhook.For(reg.ID)
	default:
		last := "none yet"
		if w.Stats != nil && !w.Stats.LastSuccessfulCallback.IsZero() {
			last = w.Stats.LastSuccessfulCallback.UTC().Format(time.RFC3339)
		}
		f.ok("webhook", reg.SheetName, "%s, last callback %s", w.Status, last)
	}
}

// whoHelps says what brings a webhook back that the bridge cannot enable.
func whoHelps(s smartsheet.WebhookStatus) string {
	switch s {
	case smartsheet.WebhookScopeInaccessible:
		return "share the sheet with the owner again: Smartsheet enables the webhook by itself then"
	case smartsheet.WebhookAdministrative:
		return "ask Smartsheet's support: only they can enable it"
	}
	return "have the owner consent again, or register the sheet again"
}

func orNoReason(words string) string {
	if words == "" {
		return "Smartsheet gives no reason"
	}
	return words
}

func (d *Doctor) examineShare(f *findings, reg *registry.Registration, s ShareState) {
	name := s.Share.Key()
	to := "nothing yet"
	if s.CompleteTo != nil {
		to = "version " + strconv.FormatInt(s.CompleteTo.Version, 10) + " of " + s.CompleteTo.Time.UTC().Format(time.RFC3339)
	}
	switch s.State {
	case events.StateLive:
		if why := s.Filter.Warning(); why != "" {
			f.warn("share", name, "change its where with PUT /v1/webhooks/"+reg.ID+"/shares/"+name+"; dryRun says beforehand which rows pass", "live, but %s", why).
				Action = problem.ChangeShare.For(reg.ID, s.Share.Partner, s.Share.Sheet)
			return
		}
		f.ok("share", name, "live, complete to %s", to)
	case events.StateLoading:
		f.warn("share", name, "wait for the first load; if it stays, POST /v1/webhooks/"+reg.ID+"/reconcile and look at the log of serve", "loading: %s", s.Reason).
			Action = problem.Reconcile.For(reg.ID)
	default:
		if o := d.Registry.Owner(reg.Owner); o != nil && o.State != registry.OwnerOK {
			f.wrong("share", name, "see to owner "+reg.Owner+" first: the share goes on by itself then", "%s: %s; complete to %s", s.State, s.Reason, to).
				Action = problem.ShowOwner.For(reg.Owner)
			return
		}
		f.wrong("share", name, "see to what it says: to the sheet at Smartsheet, or to owner "+reg.Owner+", the webhook and partner "+s.Share.Partner+" above; then POST /v1/webhooks/"+reg.ID+"/reconcile",
			"%s: %s; complete to %s", s.State, s.Reason, to).Action = problem.Reconcile.For(reg.ID)
	}
}

// examinePartner asks for the partner's stream.
func (d *Doctor) examinePartner(ctx context.Context, f *findings, p *registry.Partner) {
	ctx, cancel := context.WithTimeout(ctx, partnerTime)
	defer cancel()
	d.examineHostility(f, p)
	d.examineWrites(f, p)
	st, err := d.Partners.Stream(ctx, p)
	if err != nil {
		f.wrong("partner", p.Name, "see that the NATS of the partner runs and takes the bridge's credentials", "its stream cannot be reached: %v", err)
		return
	}
	asked := time.Now()
	_, err = st.LastSequence(ctx)
	if took := time.Since(asked); err == nil && took > slowAnswer && !d.Partners.Full(p.Name) {
		f.warn("partner", p.Name, "nothing for the others: its shares are worked on by themselves. For this one look at its NATS and at the way there",
			"answers slowly, in %s: its events come later than they could", took.Round(100*time.Millisecond))
		return
	}
	var u stream.Usage
	if err == nil {
		u, err = st.Usage(ctx)
	}
	switch full := float64(u.Stored) / float64(max(u.Limit, 1)); {
	case err != nil:
		f.wrong("partner", p.Name, "see that the NATS of the partner runs and takes the bridge's credentials", "its stream does not answer: %v", err)
	case d.Partners.Full(p.Name):
		f.wrong("partner", p.Name, moreRoom(p), "its stream is full, nothing more is published to it: %s of %s are used", limits.FormatSize(int64(u.Stored)), limits.FormatSize(u.Limit)).
			Action = problem.ChangePartner.For(p.Name)
	case u.Limit > 0 && full > nearlyFull:
		f.wrong("partner", p.Name, moreRoom(p), "%.0f%% of its storage is used", 100*full).Action = problem.ChangePartner.For(p.Name)
	default:
		d.examineReading(ctx, f, p, st, &u)
	}
}

// examineReading says how far a partner has read.
func (d *Doctor) examineReading(ctx context.Context, f *findings, p *registry.Partner, st *stream.Stream, u *stream.Usage) {
	r, err := d.Partners.Reading(ctx, p, st, u)
	if err == nil && r.NotReading {
		f.warn("partner", p.Name, notReadingTodo(p), "%s", r.Warning())
		return
	}
	f.ok("partner", p.Name, "%d messages; consumers: %d, the slowest %d behind", u.Messages, u.Readers, u.Lag)
}

func notReadingTodo(p *registry.Partner) string {
	return "ask the partner whether its program runs; GET /v1/partners/" + p.Name + "/reading says what read last. Where nobody is to read any more, end its shares"
}

// examineHostility says which of a partner's credentials exceeded its limits, and
// whether others write to its stream.
func (d *Doctor) examineHostility(f *findings, p *registry.Partner) {
	if n := d.Partners.ForeignMessages()[p.Name]; n > 0 {
		f.wrong("partner", p.Name, "find out who may publish, or ask JetStream, in the account of its stream: deploy/nats/accounts.md says how readers live apart",
			"%d messages that the bridge did not make were removed from its stream since the start", n)
	}
	if d.Broker == nil {
		return
	}
	for _, o := range d.Broker.Offenders() {
		if o.Partner != p.Name || time.Since(o.Last) > hostileTime {
			continue
		}
		name := o.User
		if i := slices.IndexFunc(p.Credentials, func(c registry.Credential) bool { return c.PublicKey == o.User }); i >= 0 {
			name = p.Credentials[i].Name
		}
		f.wrong("partner", p.Name, "ask the partner what runs there; revoke the credentials, or raise limits."+limitOf(o.Offence)+" with PATCH /v1/partners/"+p.Name,
			"credentials %q exceeded limits.%s %d times, the last time at %s from %s",
			name, limitOf(o.Offence), o.Count, o.Last.UTC().Format(time.RFC3339), o.Host).Action = problem.ChangePartner.For(p.Name)
	}
}

// examineWrites says whether a partner's writes are refused again and again.
func (d *Doctor) examineWrites(f *findings, p *registry.Partner) {
	if d.Refusals == nil || !d.Partners.TakesWrites(p.Name) {
		return
	}
	if refused, _ := d.Refusals.Of(p.Name); refused != nil {
		f.warn("partner", p.Name, refused.Next(), "%s", refused.Warning())
	}
}

// hostileTime is how long the doctor speaks of a limit that was exceeded.
const hostileTime = 24 * time.Hour

// limitOf is the limit that an offence is about.
func limitOf(o broker.Offence) string {
	switch o {
	case broker.OffenceRequests:
		return "requests"
	case broker.OffenceUnread:
		return "unread"
	}
	return "waiting"
}

// moreRoom says what to do about a stream that is full, or nearly.
func moreRoom(p *registry.Partner) string {
	const then = ": a full stream takes no more events"
	if p.Account == nil {
		return "have the account's storage raised where it is, or lower history with PATCH /v1/partners/" + p.Name + then
	}
	return "raise limits.storage or lower history with PATCH /v1/partners/" + p.Name + then
}
