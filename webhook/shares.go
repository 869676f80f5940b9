package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func place(i int, field string) string { return fmt.Sprintf("shares[%d].%s", i, field) }

// collisions refuses shares whose names are taken, by one another or, as far as
// this process knows, by another registration: the registry decides.
func (g *Registrar) collisions(id string, shares []*registry.Share) error {
	seen := map[string]bool{}
	for i, s := range shares {
		if seen[s.Key()] {
			return NewProblem(FaultInvalid, place(i, "sheet"), "partner %q gets a sheet %q already in this request: give each share its own name", s.Partner, s.Sheet)
		}
		seen[s.Key()] = true
		if by := g.Registry.Share(s.Partner, s.Sheet); by != nil && (by.Registration != id || by.Ending) {
			return nameTaken(shares, &registry.TakenError{Partner: s.Partner, Sheet: s.Sheet, By: by})
		}
	}
	return nil
}

// nameTaken turns the registry's refusal of a share's name into a problem, and
// leaves other errors as they are.
func nameTaken(shares []*registry.Share, err error) error {
	var taken *registry.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	i := slices.IndexFunc(shares, func(s *registry.Share) bool { return s.Partner == taken.Partner && s.Sheet == taken.Sheet })
	if taken.By.Ending || taken.By.Registration == shares[i].Registration { // of an earlier registration of the sheet
		return &Problem{Fault: FaultConflict, Field: place(i, "sheet"), Detail: "an earlier share of that name is still being ended: try again", Err: err}
	}
	return &Problem{Fault: FaultConflict, Field: place(i, "sheet"), Err: err,
		Detail: fmt.Sprintf("partner %q gets another sheet under the name %q already: choose another name", taken.Partner, taken.Sheet)}
}

// partnersThere looks for the partners of shares again once those are stored:
// whoever removed one saw no share yet.
func (g *Registrar) partnersThere(shares []*registry.Share) error {
	for i, s := range shares {
		if g.Registry.Partner(s.Partner) == nil {
			return NewProblem(FaultConflict, place(i, "partner"), "partner %q was removed meanwhile", s.Partner)
		}
	}
	return nil
}

// addShares adds shares to a registration. One that is there already is left as
// it is if it is the same.
func (g *Registrar) addShares(ctx context.Context, reg *registry.Registration, shares []*registry.Share) (*registry.Registration, error) {
	if reg.Phase != registry.PhaseActive {
		return nil, NewProblem(FaultConflict, "sheetId", "the sheet's registration is %s at this moment: try again", reg.Phase)
	}
	made, err := g.createMissing(ctx, shares)
	if err != nil {
		return nil, nameTaken(shares, err)
	}
	// Whoever deletes the registration, or a partner, may not have seen the shares.
	now, err := g.Registry.FreshRegistration(ctx, reg.ID)
	switch {
	case errors.Is(err, registry.ErrNotFound) || err == nil && now.Phase != registry.PhaseActive:
		err = NewProblem(FaultConflict, "sheetId", "the sheet's registration was deleted meanwhile: try again")
	case err == nil:
		err = g.partnersThere(shares)
	}
	if err != nil {
		return nil, errors.Join(err, g.takeBack(ctx, made))
	}
	return now, g.follow(ctx, reg.ID, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// createMissing makes those of the shares that are not there, and returns them.
// One that is there must be the same. Somebody else may make one of them at the
// same time; then it is looked at again.
func (g *Registrar) createMissing(ctx context.Context, shares []*registry.Share) ([]*registry.Share, error) {
	for range 1 + len(shares) {
		var missing []*registry.Share
		for i, s := range shares {
			have := g.Registry.Share(s.Partner, s.Sheet)
			switch {
			case have == nil:
				missing = append(missing, s)
			case have.Registration != s.Registration, have.Ending:
				return nil, &registry.TakenError{Partner: s.Partner, Sheet: s.Sheet, By: have}
			case !events.DiffShares(have.Share, s.Share).Same:
				return nil, NewProblem(FaultConflict, place(i, "sheet"), "partner %q has a share %q of this sheet that is defined otherwise: change it with PUT /v1/webhooks/%s/shares/%s/%s", s.Partner, s.Sheet, s.Registration, s.Partner, s.Sheet)
			}
		}
		err := g.Registry.CreateShares(ctx, missing)
		var taken *registry.TakenError
		if errors.As(err, &taken) && taken.By.Registration == shares[0].Registration && !taken.By.Ending {
			continue
		}
		return missing, err
	}
	return nil, NewProblem(FaultConflict, "shares", "somebody else makes the same shares at this moment: try again")
}

// takeBack ends shares that were made in vain. It is done also when whoever
// asked for them has hung up.
func (g *Registrar) takeBack(ctx context.Context, made []*registry.Share) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	for _, s := range made {
		if err := g.endShare(ctx, s); err != nil {
			return err
		}
	}
	if len(made) == 0 {
		return nil
	}
	return g.tell(ctx, made[0].Registration, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// PutShare changes a share. A change that takes something from the partner's
// consumers needs breaking.
func (g *Registrar) PutShare(ctx context.Context, id, partner, name string, request events.Request, breaking bool) error {
	reg, share, err := g.share(id, partner, name)
	if err != nil {
		return err
	}
	o, client, err := g.owner(reg.Owner)
	if err != nil {
		return err
	}
	request.Partner, request.Sheet = partner, name
	sheet, err := g.readColumns(ctx, client, reg.SheetID)
	if err != nil {
		return err
	}
	now, err := request.Resolve(*sheet)
	if err != nil {
		return fromRequest("", err)
	}
	now.Region = o.Region
	change := events.DiffShares(share.Share, now)
	if change.Same {
		return nil
	}
	if len(change.Breaking) > 0 && !breaking {
		return NewProblem(FaultConflict, "", `this would break the partner's consumers: %s. If that is agreed, add "breaking": true`, strings.Join(change.Breaking, "; "))
	}
	return g.changeShare(ctx, share, func(s *registry.Share) error {
		if s.Revision != share.Revision {
			return registry.ErrConflict
		}
		now.Revision = s.Revision + 1
		s.Share = now
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
	_, err := g.Registry.UpdateShare(ctx, found.Partner, found.Sheet, func(s *registry.Share) error {
		if !s.SameAs(found) || s.Ending {
			return registry.ErrNotFound
		}
		return change(s)
	})
	if err != nil {
		return fromRegistry("share "+found.Key(), err)
	}
	// The hint is for this share alone once hints can name shares: Shares: [found.Key()].
	return g.tell(ctx, found.Registration, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// share finds a share that has not been ended.
func (g *Registrar) share(id, partner, name string) (*registry.Registration, *registry.Share, error) {
	reg, err := g.Registration(id)
	if err != nil {
		return nil, nil, err
	}
	s := g.Registry.Share(partner, name)
	if s == nil || s.Ending || s.Registration != id {
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
	g.webhooks.forget()
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

// EndPartner ends all shares of a partner. Until its stream is gone it is told as
// of any share that ends.
func (g *Registrar) EndPartner(ctx context.Context, partner string) error {
	var all errgroup.Group
	all.SetLimit(changesAtOnce)
	for _, s := range g.Registry.AllShares() {
		if s.Partner == partner && !s.Ending {
			all.Go(func() error { return g.endShare(ctx, s) })
		}
	}
	return all.Wait()
}

// ForgetPartner removes the records of the shares of a partner that is gone with
// its stream: there is nobody to tell and nothing to purge.
func (g *Registrar) ForgetPartner(ctx context.Context, partner string) error {
	for _, s := range g.Registry.AllShares() {
		if s.Partner != partner {
			continue
		}
		if err := g.removeShare(ctx, s); err != nil {
			return fmt.Errorf("removing share %s of a partner who is gone: %w", s.Key(), err)
		}
	}
	return nil
}
