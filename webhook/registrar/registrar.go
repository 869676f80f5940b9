package registrar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// creatingTime is how long a registration may take to be made. What takes
	// longer was given up by the process that began it.
	creatingTime = 4 * time.Minute
	cleanupTime  = 30 * time.Second
	// oldSecretTime is how long the secret before a rotation still counts:
	// callbacks that Smartsheet signed before may be on their way.
	oldSecretTime = time.Hour
)

// Registrar makes, changes and ends registrations, here and at Smartsheet.
type Registrar struct {
	Registry       *registry.Registry
	Inbox          *inbox.Inbox
	Access         *owner.Access
	Accounts       *partner.Accounts          // of partners, which are removed and changed with their shares
	PublicURL      string                     // where Smartsheet reaches us; empty: sheets are polled
	ReconcileEvery time.Duration              // between two reconciles
	Deny           smartsheet.Classifications // a sheet that bears one of them is not shared
	SingleReplica  bool                       // no other process works on the same registry
	Log            *slog.Logger

	registering  keyedMutex // by registration, of those who register a sheet
	adding       keyedMutex // by registration, of those who add shares
	columns      columnReads
	webhooks     webhookCache
	secretChecks secretChecks
}

// Register registers a sheet with its first shares, or adds shares where it is
// registered already; created tells which. A new one is stored before
// Smartsheet knows of it, so that whatever happens between can be found and
// undone, and it is answered only when Smartsheet has verified and enabled the
// webhook. The first load follows by itself.
func (g *Registrar) Register(ctx context.Context, owner string, sheetID int64, requests []events.Request) (reg *registry.Registration, created bool, err error) {
	id := registry.RegistrationID(owner, sheetID)
	release, err := g.lockUnlessRegistered(ctx, id)
	if err != nil {
		return nil, false, err
	}
	defer release()
	o, client, err := g.owner(owner)
	if err != nil {
		return nil, false, err
	}
	sheet, shares, err := g.resolve(ctx, o, client, sheetID, requests, nil)
	if err != nil {
		return nil, false, err
	}
	if err := g.checkNames(id, shares); err != nil {
		return nil, false, err
	}
	for i, s := range shares {
		if requests[i].FilterMayFail || g.Registry.Share(s.Partner, s.Sheet) != nil { // one that is there stays as it is
			continue
		}
		view, err := g.view(&s.Share, nil, shareField(i, "partner"))
		if err == nil {
			err = g.tryFilter(ctx, client, &s.Share, view, shareField(i, "where"), problem.ShareSheet.For())
		}
		if err != nil {
			return nil, false, err
		}
	}
	if known := g.Registry.Registration(id); known != nil {
		reg, err = g.addShares(ctx, known, shares)
	} else {
		reg, err = g.create(ctx, client, owner, sheet, shares)
		created = err == nil
	}
	if err != nil {
		return reg, false, err
	}
	for _, s := range requests {
		g.allowWrites(ctx, s.Partner, s.Write)
	}
	return reg, created, nil
}

// lockUnlessRegistered returns when nobody in this process makes the registration. If
// there is none then, others wait until release is called.
func (g *Registrar) lockUnlessRegistered(ctx context.Context, id string) (release func(), err error) {
	registered := func() bool {
		reg := g.Registry.Registration(id)
		return reg != nil && reg.Phase != registry.PhaseCreating
	}
	if registered() {
		return func() {}, nil
	}
	release, err = g.registering.lock(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("waiting for another who registers the sheet: %w", err)
	}
	if registered() {
		release()
		return func() {}, nil
	}
	return release, nil
}

// create makes a registration with its first shares.
func (g *Registrar) create(ctx context.Context, client *smartsheet.Client, owner string, sheet *smartsheet.Sheet, shares []*registry.Share) (*registry.Registration, error) {
	reg, err := g.Registry.NewRegistration(owner, sheet.ID)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	reg.SheetName, reg.CreatedAt, reg.Until = sheet.Name, now, now.Add(creatingTime)
	active, err := g.createAndActivate(ctx, client, reg, shares)
	if errors.Is(err, registry.ErrExists) {
		return nil, problem.New(problem.Conflict, "sheetId", "the sheet is being registered by somebody else at this moment: try again")
	}
	if err != nil {
		g.removeFailed(ctx, client, reg)
		return nil, nameTaken(shares, err)
	}
	return active, g.scheduleReconciles(ctx, active.ID, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// createAndActivate stores a new registration and then its shares, looks again for those whom
// they are about, since a caller that removed one saw no registration yet, and
// activates it.
func (g *Registrar) createAndActivate(ctx context.Context, client *smartsheet.Client, reg *registry.Registration, shares []*registry.Share) (*registry.Registration, error) {
	if err := g.Registry.CreateRegistration(ctx, reg); err != nil {
		return nil, err
	}
	if err := g.Registry.CreateShares(ctx, shares); err != nil {
		return nil, err
	}
	if g.Registry.Owner(reg.Owner) == nil {
		return nil, problem.New(problem.Conflict, "owner", "owner %q was removed in the meantime", reg.Owner)
	}
	if err := g.checkPartners(shares); err != nil {
		return nil, err
	}
	return g.activate(ctx, client, reg)
}

// activate makes and enables the webhook. Smartsheet calls us while it is being
// enabled, so its id and secret are stored before.
func (g *Registrar) activate(ctx context.Context, client *smartsheet.Client, reg *registry.Registration) (*registry.Registration, error) {
	if g.PublicURL == "" {
		return g.Registry.UpdateRegistration(ctx, reg.ID, func(r *registry.Registration) error {
			r.Phase, r.Status, r.Until = registry.PhaseActive, registry.StatusPolling, time.Time{}
			return nil
		})
	}
	status, err := g.createWebhook(ctx, client, reg)
	if err != nil {
		return nil, err
	}
	return g.Registry.UpdateRegistration(ctx, reg.ID, func(r *registry.Registration) error {
		r.Phase, r.Status, r.Until = registry.PhaseActive, status, time.Time{}
		return nil
	})
}

// createWebhook creates the registration's webhook, stores what is needed to be
// called, and enables it.
func (g *Registrar) createWebhook(ctx context.Context, client *smartsheet.Client, reg *registry.Registration) (string, error) {
	made, err := client.CreateWebhook(ctx, smartsheet.WebhookSpec{
		Name: "Sheetbridge", CallbackURL: g.CallbackURL(reg), ScopeObjectID: reg.SheetID,
	})
	if err != nil {
		return "", problem.FromSmartsheet("making the webhook", err)
	}
	secret, err := g.Registry.Sealer().SealString(made.SharedSecret, reg.SealName("secret"))
	if err != nil {
		return "", err
	}
	_, err = g.Registry.UpdateRegistration(ctx, reg.ID, func(r *registry.Registration) error {
		r.WebhookID, r.Secret, r.OldSecret = made.ID, secret, nil
		return nil
	})
	if err != nil {
		return "", err
	}
	enable := true
	enabled, err := client.UpdateWebhook(ctx, made.ID, smartsheet.WebhookUpdate{Enabled: &enable})
	if err != nil {
		return "", problem.FromSmartsheet("enabling the webhook", err)
	}
	switch enabled.Status {
	case smartsheet.WebhookEnabled, smartsheet.WebhookGridLimits: // too large a sheet lives on reconciles
	default:
		return "", problem.New(problem.Upstream, "", "Smartsheet did not enable the webhook: its status is %s (%s). "+
			"Check that SHEETBRIDGE_PUBLIC_URL is reachable from the internet over https with a valid certificate, on port 443, 8000, 8008, 8080 or 8443",
			enabled.Status, enabled.DisabledDetails).Next(problem.Examine.For())
	}
	return string(enabled.Status), nil
}

// CallbackURL is where Smartsheet is told to call. Its last part is a secret.
func (g *Registrar) CallbackURL(reg *registry.Registration) string {
	return strings.TrimSuffix(g.PublicURL, "/") + registry.CallbackPath + string(reg.CallbackKey())
}

// owner returns an owner whose access works, and a client for it.
func (g *Registrar) owner(name string) (*registry.Owner, *smartsheet.Client, error) {
	o := g.Registry.Owner(name)
	if o == nil {
		return nil, nil, problem.New(problem.Invalid, "owner", "there is no owner %q: add it with POST /v1/owners", name).Next(problem.AddOwner.For())
	}
	if o.State != registry.OwnerOK {
		return nil, nil, owner.AccessProblem(o, "owner")
	}
	client, err := g.Access.Client(o, budget.Callback)
	return o, client, err
}

// resolve reads the sheet's columns and binds the requests to them. New partners need
// not be there yet.
func (g *Registrar) resolve(ctx context.Context, o *registry.Owner, client *smartsheet.Client, sheetID int64, requests []events.Request, newPartners []string) (*smartsheet.Sheet, []*registry.Share, error) {
	if len(requests) == 0 {
		return nil, nil, problem.New(problem.Invalid, "shares", "nothing would be shared: name at least one share with a partner and columns")
	}
	for i, req := range requests {
		if g.Registry.Partner(req.Partner) == nil && !slices.Contains(newPartners, req.Partner) {
			return nil, nil, problem.New(problem.Invalid, shareField(i, "partner"), "there is no partner %q: add it with POST /v1/partners", req.Partner).Next(problem.AddPartner.For())
		}
	}
	sheet, err := g.readColumns(ctx, o.Name, client, sheetID)
	if err != nil {
		return nil, nil, err
	}
	shares := make([]*registry.Share, len(requests))
	id, now := registry.RegistrationID(o.Name, sheetID), time.Now().UTC()
	for i, req := range requests {
		req.Attributes = g.attributes(req)
		if was := g.Registry.Share(req.Partner, cmp.Or(req.Sheet, events.SlugSheet(sheet.Name))); was != nil && was.Registration == id && !was.Ending {
			req.Was = &was.Share
		}
		sh, err := req.Resolve(*sheet)
		if err != nil {
			return nil, nil, problem.FromRequest(shareField(i, ""), err)
		}
		sh.Region, sh.Revision = o.Region, 1
		if err := g.checkWriter(ctx, o, &sh, shareField(i, "")); err != nil {
			return nil, nil, err
		}
		until, err := checkUntil(shareField(i, ""), req.Until)
		if err != nil {
			return nil, nil, err
		}
		shares[i] = &registry.Share{Share: sh, Registration: id, CreatedAt: now, SheetColumns: len(sheet.Columns), Until: until, FilterMayFail: req.FilterMayFail}
	}
	return sheet, shares, nil
}

// readColumns reads what is needed to bind a share: the sheet's name and columns.
func (g *Registrar) readColumns(ctx context.Context, owner string, client *smartsheet.Client, sheetID int64) (*smartsheet.Sheet, error) {
	sheet, err := g.columns.read(ctx, fmt.Sprintf("%s/%d", owner, sheetID), func(ctx context.Context) (*smartsheet.Sheet, error) {
		return client.Sheet(ctx, sheetID, smartsheet.SheetQuery{PageSize: 1})
	})
	switch class := smartsheet.Classify(err); class {
	case smartsheet.OK:
		if g.Deny.Has(sheet.Classification) {
			return nil, problem.New(problem.Invalid, "sheetId", "the sheet is classified as %s at Smartsheet, and such sheets are not shared (SHEETBRIDGE_CLASSIFICATION_DENY)", sheet.Classification)
		}
		return sheet, nil
	case smartsheet.NotFound, smartsheet.Forbidden:
		p := problem.FromSmartsheet("reading the sheet", err)
		p.Fault, p.Field = problem.Invalid, "sheetId"
		p.Detail += ". Is the sheet shared with the owner?"
		return nil, p
	}
	return nil, problem.FromSmartsheet("reading the sheet", err)
}
