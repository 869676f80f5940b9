package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func place(i int, field string) string { return fmt.Sprintf("shares[%d].%s", i, field) }

// collisions refuses shares whose names are taken, by one another or, as far as
// this process knows, by another registration: the registry decides.
func (g *Registrar) collisions(id string, shares []registry.Share) error {
	for i, s := range shares {
		for _, other := range shares[:i] {
			if other.Partner == s.Partner && other.Sheet == s.Sheet {
				return NewProblem(FaultInvalid, place(i, "sheet"), "partner %q gets a sheet %q already in this request: give each share its own name", s.Partner, s.Sheet)
			}
		}
		for _, reg := range g.Registry.Registrations() {
			if reg.ID != id && reg.Share(s.Partner, s.Sheet) != nil {
				return nameTaken(shares, &registry.TakenError{Partner: s.Partner, Sheet: s.Sheet})
			}
		}
	}
	return nil
}

// nameTaken turns the registry's refusal of a share's name into a problem, and
// leaves other errors as they are.
func nameTaken(shares []registry.Share, err error) error {
	var taken *registry.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	i := slices.IndexFunc(shares, func(s registry.Share) bool { return s.Partner == taken.Partner && s.Sheet == taken.Sheet })
	if taken.Passing {
		return NewProblem(FaultConflict, place(i, "sheet"), "the name %q of partner %q is being given to another sheet, or back, at this moment: choose another name, or try again in a few minutes", taken.Sheet, taken.Partner)
	}
	return NewProblem(FaultConflict, place(i, "sheet"), "partner %q gets another sheet under the name %q already: choose another name", taken.Partner, taken.Sheet)
}

// partnersThere looks for the partners of shares again once those are stored:
// whoever removed one saw no share yet.
func (g *Registrar) partnersThere(shares []registry.Share) error {
	for i, s := range shares {
		if g.Registry.Partner(s.Partner) == nil {
			return NewProblem(FaultConflict, place(i, "partner"), "partner %q was removed meanwhile", s.Partner)
		}
	}
	return nil
}

// addShares adds shares to a registration. One that is there already is left as
// it is if it is the same.
func (g *Registrar) addShares(ctx context.Context, known *registry.Registration, shares []registry.Share) (*registry.Registration, error) {
	reg, err := g.Registry.UpdateRegistration(ctx, known.ID, func(reg *registry.Registration) error {
		if reg.Phase != registry.PhaseActive {
			return NewProblem(FaultConflict, "sheetId", "the sheet's registration is %s at this moment: try again", reg.Phase)
		}
		for i, s := range shares {
			have := reg.Share(s.Partner, s.Sheet)
			switch {
			case have == nil:
				reg.Shares = append(reg.Shares, s)
			case have.Ending:
				return NewProblem(FaultConflict, place(i, "sheet"), "an earlier share of that name is still being ended: try again")
			case !events.DiffShares(have.Share, s.Share).Same:
				return NewProblem(FaultConflict, place(i, "sheet"), "partner %q has a share %q of this sheet that is defined otherwise: change it with PUT /v1/webhooks/%s/shares/%s/%s", s.Partner, s.Sheet, reg.ID, s.Partner, s.Sheet)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fromRegistry("such registration", nameTaken(shares, err))
	}
	if err := g.follow(ctx, reg.ID, inbox.Hint{Why: inbox.WhyShare, Whole: true}); err != nil {
		return nil, err
	}
	return reg, g.partnersThere(shares) // the relay drops the shares of those that are not
}

// PutShare changes a share. A change that takes something from the partner's
// consumers needs breaking.
func (g *Registrar) PutShare(ctx context.Context, id, partner, name string, request events.Request, breaking bool) (*registry.Registration, error) {
	reg, share, err := g.share(id, partner, name)
	if err != nil {
		return nil, err
	}
	o, client, err := g.owner(reg.Owner)
	if err != nil {
		return nil, err
	}
	request.Partner, request.Sheet = partner, name
	sheet, err := g.readColumns(ctx, client, reg.SheetID)
	if err != nil {
		return nil, err
	}
	now, err := request.Resolve(*sheet)
	if err != nil {
		return nil, fromRequest("", err)
	}
	now.Region = o.Region
	change := events.DiffShares(share.Share, now)
	if change.Same {
		return reg, nil
	}
	if len(change.Breaking) > 0 && !breaking {
		return nil, NewProblem(FaultConflict, "", `this would break the partner's consumers: %s. If that is agreed, add "breaking": true`, strings.Join(change.Breaking, "; "))
	}
	return g.changeShare(ctx, id, partner, name, func(s *registry.Share) error {
		if s.Revision != share.Revision {
			return registry.ErrConflict
		}
		now.Revision = s.Revision + 1
		s.Share = now
		return nil
	})
}

// EndShare ends a share: the partner is told, and what had been published of it
// is removed.
func (g *Registrar) EndShare(ctx context.Context, id, partner, name string) error {
	_, err := g.changeShare(ctx, id, partner, name, func(s *registry.Share) error {
		s.Ending = true
		return nil
	})
	return err
}

// Resend has all of a share published again.
func (g *Registrar) Resend(ctx context.Context, id, partner, name string) error {
	_, err := g.changeShare(ctx, id, partner, name, func(s *registry.Share) error {
		s.Revision++
		s.Resend = s.Revision
		return nil
	})
	return err
}

func (g *Registrar) changeShare(ctx context.Context, id, partner, name string, change func(*registry.Share) error) (*registry.Registration, error) {
	if _, _, err := g.share(id, partner, name); err != nil {
		return nil, err
	}
	reg, err := g.Registry.UpdateRegistration(ctx, id, func(reg *registry.Registration) error {
		s := reg.Share(partner, name)
		if s == nil || s.Ending || reg.Phase != registry.PhaseActive {
			return registry.ErrNotFound
		}
		return change(s)
	})
	if err != nil {
		return nil, fromRegistry("share "+partner+"/"+name, err)
	}
	return reg, g.tell(ctx, id, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// share finds a share that has not been ended.
func (g *Registrar) share(id, partner, name string) (*registry.Registration, *registry.Share, error) {
	reg, err := g.Registration(id)
	if err != nil {
		return nil, nil, err
	}
	s := reg.Share(partner, name)
	if s == nil || s.Ending {
		return nil, nil, NewProblem(FaultNotFound, "", "partner %q has no share %q of this sheet", partner, name)
	}
	return reg, s, nil
}

// Registration finds a registration that is complete and not being deleted.
func (g *Registrar) Registration(id string) (*registry.Registration, error) {
	reg := g.Registry.Registration(id)
	if reg == nil || reg.Phase != registry.PhaseActive {
		return nil, NewProblem(FaultNotFound, "", "there is no webhook with the id %q", id)
	}
	return reg, nil
}

// Reconcile has the whole sheet compared now.
func (g *Registrar) Reconcile(ctx context.Context, id string) error {
	if _, err := g.Registration(id); err != nil {
		return err
	}
	return g.tell(ctx, id, inbox.Hint{Why: inbox.WhyAdmin, Whole: true, Full: true})
}

// Enable has the webhook looked at and enabled now, and then the sheet compared.
func (g *Registrar) Enable(ctx context.Context, id string) error {
	if _, err := g.Registration(id); err != nil {
		return err
	}
	g.looking.forget()
	return g.tell(ctx, id, inbox.Hint{Why: inbox.WhyAdmin, Whole: true, Full: true, Webhook: true})
}

// RotateSecret has Smartsheet make a new shared secret. The old one is accepted
// for an hour more.
func (g *Registrar) RotateSecret(ctx context.Context, id string) error {
	reg, err := g.Registration(id)
	if err != nil {
		return err
	}
	if reg.WebhookID == 0 {
		return NewProblem(FaultConflict, "", "the sheet is polled: it has no webhook and no secret")
	}
	_, client, err := g.owner(reg.Owner)
	if err != nil {
		return err
	}
	secret, err := client.ResetSharedSecret(ctx, reg.WebhookID)
	if err != nil {
		return FromSmartsheet("resetting the shared secret", err)
	}
	return g.takeSecret(context.WithoutCancel(ctx), id, secret)
}

// takeSecret stores a new shared secret and keeps the old one for a while.
func (g *Registrar) takeSecret(ctx context.Context, id, secret string) error {
	_, err := g.Registry.UpdateRegistration(ctx, id, func(reg *registry.Registration) error {
		if known := reg.Secrets(time.Now()); len(known) > 0 && known[0] == seal.Secret(secret) {
			return nil // a look at the webhook was faster than we; the old one must stay
		}
		sealed, err := g.Registry.Sealer().SealString(secret, reg.SealName("secret"))
		if err != nil {
			return err
		}
		reg.OldSecret, reg.OldUntil, reg.Secret = reg.Secret, time.Now().Add(oldSecretTime).UTC(), sealed
		return nil
	})
	return fromRegistry("such registration", err)
}

// Delete ends a registration: the webhook goes at Smartsheet, the shares end,
// then the record goes. From here on nobody sees it any more.
func (g *Registrar) Delete(ctx context.Context, id string) error {
	if _, err := g.Registration(id); err != nil {
		return err
	}
	_, err := g.Registry.UpdateRegistration(ctx, id, func(reg *registry.Registration) error {
		reg.Phase = registry.PhaseDeleting
		return nil
	})
	if err != nil {
		return fromRegistry("such registration", err)
	}
	return g.tell(ctx, id, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}
