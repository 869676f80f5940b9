package registrar

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// checkNames refuses shares whose names are taken, by one another or, as far as
// this process knows, by another registration: the registry decides.
func (g *Registrar) checkNames(id string, shares []*registry.Share) error {
	seen := map[string]bool{}
	for i, s := range shares {
		if seen[s.Key()] {
			return problem.New(problem.Invalid, shareField(i, "sheet"), "partner %q gets a sheet %q already in this request: give each share its own name", s.Partner, s.Sheet)
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
		return &problem.Problem{Fault: problem.Conflict, Field: shareField(i, "sheet"), Detail: "an earlier share of that name is still being ended: try again", Err: err}
	}
	return &problem.Problem{Fault: problem.Conflict, Field: shareField(i, "sheet"), Err: err,
		Detail: fmt.Sprintf("partner %q gets another sheet under the name %q already: choose another name", taken.Partner, taken.Sheet)}
}

// checkPartners looks for the partners of shares again once those are stored:
// somebody who removed one saw no share yet.
func (g *Registrar) checkPartners(shares []*registry.Share) error {
	for i, s := range shares {
		if g.Registry.Partner(s.Partner) == nil {
			return problem.New(problem.Conflict, shareField(i, "partner"), "partner %q was removed in the meantime", s.Partner)
		}
	}
	return nil
}

// addShares adds shares to a registration. One that is there already is left as
// it is if it is the same.
func (g *Registrar) addShares(ctx context.Context, reg *registry.Registration, shares []*registry.Share) (*registry.Registration, error) {
	if reg.Phase != registry.PhaseActive {
		return nil, problem.New(problem.Conflict, "sheetId", "the sheet's registration is %s at this moment: try again", reg.Phase)
	}
	// One at a time in this process: a request that fails removes shares that another
	// one would have found.
	done, err := g.adding.lock(ctx, reg.ID)
	if err != nil {
		return nil, fmt.Errorf("waiting for others who add shares of the sheet: %w", err)
	}
	defer done()
	made, err := g.createMissing(ctx, shares)
	if err != nil {
		return nil, errors.Join(nameTaken(shares, err), g.removeAdded(ctx, made))
	}
	// A request that deletes the registration, or a partner, may not have seen the shares.
	now, err := g.Registry.FreshRegistration(ctx, reg.ID)
	switch {
	case errors.Is(err, registry.ErrNotFound) || err == nil && now.Phase != registry.PhaseActive:
		err = problem.New(problem.Conflict, "sheetId", "the sheet's registration was deleted in the meantime: try again")
	case err == nil:
		err = g.checkPartners(shares)
	}
	if err != nil {
		return nil, errors.Join(err, g.removeAdded(ctx, made))
	}
	return now, g.scheduleReconciles(ctx, reg.ID, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// createMissing makes those of the shares that are not there, and returns them.
// One that is there must be the same. Another replica may make or take back one
// of them at the same time; then it is looked at again.
func (g *Registrar) createMissing(ctx context.Context, shares []*registry.Share) (made []*registry.Share, err error) {
	for range maxAddTries {
		missing, there, err := g.missing(shares)
		if err != nil {
			return made, err
		}
		added, err := g.Registry.AddShares(ctx, missing)
		if err != nil {
			return made, err
		}
		made = append(made, added...)
		if len(added) < len(missing) {
			continue // another replica added the rest: missing finds it
		}
		if still, err := g.stillStored(ctx, there); err != nil || still {
			return made, err
		}
	}
	return made, problem.New(problem.Conflict, "shares", "somebody else makes the same shares at this moment: try again")
}

// maxAddTries bounds how often createMissing begins again.
const maxAddTries = 5

// missing returns those of the shares that are not there and those that are, as
// far as this process knows.
func (g *Registrar) missing(shares []*registry.Share) (missing, there []*registry.Share, err error) {
	for i, s := range shares {
		have := g.Registry.Share(s.Partner, s.Sheet)
		switch {
		case have == nil:
			missing = append(missing, s)
		case have.Registration != s.Registration, have.Ending:
			return nil, nil, &registry.TakenError{Partner: s.Partner, Sheet: s.Sheet, By: have}
		case differs(have, s):
			return nil, nil, problem.New(problem.Conflict, shareField(i, "sheet"), "partner %q has a share %q of this sheet that is defined otherwise: change it with PUT /v1/webhooks/%s/shares/%s/%s", s.Partner, s.Sheet, s.Registration, s.Partner, s.Sheet).
				Next(problem.ChangeShare.For(s.Registration, s.Partner, s.Sheet))
		default:
			there = append(there, have)
		}
	}
	return missing, there, nil
}

// stillStored tells whether shares that somebody else made are in the bucket.
func (g *Registrar) stillStored(ctx context.Context, shares []*registry.Share) (bool, error) {
	for _, s := range shares {
		now, err := g.Registry.FreshShare(ctx, s.Partner, s.Sheet)
		if errors.Is(err, registry.ErrNotFound) || err == nil && (!now.SameAs(s) || now.Ending) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// removeAdded ends shares that are not wanted after all, also when the client that
// asked for them has hung up.
func (g *Registrar) removeAdded(ctx context.Context, made []*registry.Share) error {
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
	return g.enqueue(ctx, made[0].Registration, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// differs tells whether two shares of one name are defined otherwise.
func differs(have, wanted *registry.Share) bool {
	change := events.DiffShares(have.Share, wanted.Share)
	return !change.Same || change.Write || !sameMoment(have.Until, wanted.Until)
}
