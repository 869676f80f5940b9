package registrar

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func shareField(i int, field string) string { return fmt.Sprintf("shares[%d].%s", i, field) }

// PutShare changes a share. A change that takes something from the partner's
// consumers needs breaking.
func (g *Registrar) PutShare(ctx context.Context, id, partner, name string, request events.Request, breaking bool) error {
	reg, share, err := g.share(id, partner, name)
	if err != nil {
		return err
	}
	return g.putShare(ctx, share, reg.Owner, reg.SheetID, request, breaking, id)
}

// shareChange is what a request would make of a share.
type shareChange struct {
	share        events.Share
	until        *time.Time
	registration string // that the share would belong to
	columns      int    // of the sheet
	diff         events.Change
	same         bool // nothing would change
	onlyWrite    bool // nothing but what the partner may write
}

// ChangePreview is what would become of a share.
type ChangePreview struct {
	Share    events.Share
	Until    *time.Time
	Same     bool     // nothing would change
	Breaking []string // what the partner's consumers would lose
}

// PreviewChange tells what a request would make of a share, read in the owner's name
// or, where that is empty, as before. It changes nothing.
func (g *Registrar) PreviewChange(ctx context.Context, id, partner, name, ownerName string, request events.Request) (*ChangePreview, error) {
	reg, share, err := g.share(id, partner, name)
	if err != nil {
		return nil, err
	}
	if ownerName == "" {
		ownerName = reg.Owner
	}
	c, err := g.planChange(ctx, share, ownerName, reg.SheetID, request, registry.RegistrationID(ownerName, reg.SheetID))
	if err != nil {
		return nil, err
	}
	return &ChangePreview{Share: c.share, Until: c.until, Same: c.same, Breaking: c.diff.Breaking}, nil
}

// planChange checks a request to change a share, to be read in the owner's name and
// to belong to the registration.
func (g *Registrar) planChange(ctx context.Context, share *registry.Share, ownerName string, sheetID int64, request events.Request, registration string) (*shareChange, error) {
	o, client, err := g.owner(ownerName)
	if err != nil {
		return nil, err
	}
	if o.Region != share.Region {
		return nil, problem.New(problem.Invalid, "owner", "owner %q is of region %s and the share of %s: end the share and make it again", o.Name, o.Region, share.Region)
	}
	request.Partner, request.Sheet = share.Partner, share.Sheet
	request.Attributes = g.attributes(request)
	if share.SheetID == sheetID {
		request.Was = &share.Share
	}
	sheet, err := g.readColumns(ctx, o.Name, client, sheetID)
	if err != nil {
		return nil, err
	}
	now, err := request.Resolve(*sheet)
	if err != nil {
		return nil, problem.FromRequest("", err)
	}
	until, err := checkUntil("", request.Until)
	if err != nil {
		return nil, err
	}
	now.Region = o.Region
	was, _ := share.WithAttributes(request.Attributes)
	diff := events.DiffShares(was, now)
	onlyWrite := diff.Same && sameMoment(share.Until, until) && share.Registration == registration
	c := &shareChange{now, until, registration, len(sheet.Columns), diff, onlyWrite && !diff.Write, onlyWrite}
	if c.same {
		return c, nil
	}
	if err := g.checkWriter(ctx, o, &c.share, ""); err != nil {
		return nil, err
	}
	if !diff.Same && !request.FilterMayFail {
		view, err := g.view(&c.share, nil, "")
		if err == nil {
			err = g.tryFilter(ctx, client, &c.share, view, "where", problem.ChangeShare.For(share.Registration, share.Partner, share.Sheet))
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// putShare changes a share to what the request says in the owner's name, and has it
// belong to the registration.
func (g *Registrar) putShare(ctx context.Context, share *registry.Share, ownerName string, sheetID int64, request events.Request, breaking bool, registration string) error {
	if err := g.storeChange(ctx, share, ownerName, sheetID, request, breaking, registration); err != nil {
		return err
	}
	g.allowWrites(ctx, share.Partner, request.Write)
	return nil
}

func (g *Registrar) storeChange(ctx context.Context, share *registry.Share, ownerName string, sheetID int64, request events.Request, breaking bool, registration string) error {
	c, err := g.planChange(ctx, share, ownerName, sheetID, request, registration)
	switch {
	case err != nil:
		return err
	case c.same:
		return nil
	case c.onlyWrite:
		return g.changeTerms(ctx, share, c.share.Write)
	case len(c.diff.Breaking) > 0 && !breaking:
		return problem.New(problem.Conflict, "", `this would break the partner's consumers: %s. If that is agreed, add "breaking": true`, strings.Join(c.diff.Breaking, "; ")).
			Consent(problem.ChangeShare.For(share.Registration, share.Partner, share.Sheet), "breaking")
	}
	return g.changeShare(ctx, share, func(s *registry.Share) error {
		if s.Revision != share.Revision {
			return registry.ErrConflict
		}
		s.Until, s.Registration = c.until, registration
		if c.diff.Same { // what the partner sees stays as it is
			s.Write = c.share.Write
			return nil
		}
		c.share.Revision = s.Revision + 1
		s.Share, s.SheetColumns, s.FilterMayFail = c.share, c.columns, request.FilterMayFail
		return nil
	})
}

// EndShare ends a share: the partner is told, and what had been published of it
// is removed. Until that is done its name is taken.
func (g *Registrar) EndShare(ctx context.Context, id, partner, name string) error {
	_, share, err := g.share(id, partner, name)
	if err != nil {
		return err
	}
	return g.changeShare(ctx, share, func(s *registry.Share) error {
		s.Ending = true
		return nil
	})
}

// Resend has all of a share published again.
func (g *Registrar) Resend(ctx context.Context, id, partner, name string) error {
	_, share, err := g.share(id, partner, name)
	if err != nil {
		return err
	}
	return g.changeShare(ctx, share, func(s *registry.Share) error {
		s.Revision++
		s.Resend = s.Revision
		return nil
	})
}

// changeShare changes a share that was found, unless it has ended since, and has
// the relay look at it.
func (g *Registrar) changeShare(ctx context.Context, found *registry.Share, change func(*registry.Share) error) error {
	now, err := g.Registry.UpdateShare(ctx, found.Partner, found.Sheet, func(s *registry.Share) error {
		if !s.SameAs(found) || s.Ending {
			return registry.ErrNotFound
		}
		return change(s)
	})
	if err != nil {
		return problem.FromRegistry("share "+found.Key(), err)
	}
	// The hint is for this share alone once hints can name shares: Shares: [found.Key()].
	return g.enqueue(ctx, now.Registration, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// Share finds a share of a registration that has not been ended.
func (g *Registrar) Share(id, partner, name string) (*registry.Share, error) {
	_, share, err := g.share(id, partner, name)
	return share, err
}

// share finds a share that has not been ended.
func (g *Registrar) share(id, partner, name string) (*registry.Registration, *registry.Share, error) {
	reg, err := g.Registration(id)
	if err != nil {
		return nil, nil, err
	}
	s := g.Registry.Share(partner, name)
	if s == nil || s.Ending || s.Registration != id {
		return nil, nil, problem.New(problem.NotFound, "", "partner %q has no share %q of this sheet: GET /v1/webhooks/%s lists them", partner, name, id).Next(problem.ShowWebhook.For(id))
	}
	return reg, s, nil
}

// Registration finds a registration that is complete and not being deleted.
func (g *Registrar) Registration(id string) (*registry.Registration, error) {
	reg := g.Registry.Registration(id)
	if reg == nil || reg.Phase != registry.PhaseActive {
		return nil, problem.New(problem.NotFound, "", "there is no webhook with the id %q: GET /v1/webhooks lists them", id).Next(problem.ListWebhooks.For())
	}
	return reg, nil
}

// Reconcile has the whole sheet compared now.
func (g *Registrar) Reconcile(ctx context.Context, id string) error {
	if _, err := g.Registration(id); err != nil {
		return err
	}
	return g.enqueue(ctx, id, inbox.Hint{Why: inbox.WhyAdmin, Whole: true, Full: true})
}

// Enable has the webhook looked at and enabled now, and then the sheet compared.
func (g *Registrar) Enable(ctx context.Context, id string) error {
	if _, err := g.Registration(id); err != nil {
		return err
	}
	g.webhooks.forget()
	return g.enqueue(ctx, id, inbox.Hint{Why: inbox.WhyAdmin, Whole: true, Full: true, Webhook: true})
}
