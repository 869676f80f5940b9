package registrar

import (
	"context"
	"fmt"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// MoveShare changes a share and has its sheet read in another owner's name from then
// on. The share does not end: what the partner has is compared with what that owner
// reads, and only differences are published. It returns the registration that the
// share belongs to now, which is made where that owner had none of the sheet.
func (g *Registrar) MoveShare(ctx context.Context, id, partner, name, ownerName string, request events.Request, breaking bool) (*registry.Registration, error) {
	from, share, err := g.share(id, partner, name)
	if err != nil {
		return nil, err
	}
	if from.Owner == ownerName {
		return from, g.putShare(ctx, share, ownerName, from.SheetID, request, breaking, id)
	}
	to, made, err := g.registration(ctx, ownerName, from.SheetID)
	if err != nil {
		return nil, err
	}
	if err := g.putShare(ctx, share, ownerName, from.SheetID, request, breaking, to.ID); err != nil {
		if made {
			if _, undo := g.Delete(context.WithoutCancel(ctx), to.ID); undo != nil {
				g.Log.Warn("a registration that is of no use could not be removed yet", "registration", to.ID, "err", undo)
			}
		}
		return nil, err
	}
	// The sheet may have been removed from that owner before the share was its own.
	now, err := g.Registry.FreshRegistration(ctx, to.ID)
	if err == nil && now.Phase == registry.PhaseActive {
		return now, nil
	}
	return nil, fmt.Errorf("share %s/%s was moved to owner %s, whose registration of the sheet is being removed: %w", partner, name, ownerName, registry.ErrConflict)
}

// registration returns the owner's registration of a sheet, and makes it where there
// is none.
func (g *Registrar) registration(ctx context.Context, ownerName string, sheetID int64) (_ *registry.Registration, made bool, err error) {
	id := registry.RegistrationID(ownerName, sheetID)
	release, err := g.lockUnlessRegistered(ctx, id)
	if err != nil {
		return nil, false, err
	}
	defer release()
	if known := g.Registry.Registration(id); known != nil {
		if known.Phase != registry.PhaseActive {
			return nil, false, problem.New(problem.Conflict, "owner", "the sheet's registration by owner %q is %s at this moment: try again", ownerName, known.Phase)
		}
		return known, false, nil
	}
	o, client, err := g.owner(ownerName)
	if err != nil {
		return nil, false, err
	}
	sheet, err := g.readColumns(ctx, o.Name, client, sheetID)
	if err != nil {
		return nil, false, ofOwner(err)
	}
	reg, err := g.create(ctx, client, ownerName, &smartsheet.Sheet{ID: sheetID, Name: sheet.Name}, nil)
	return reg, err == nil, err
}

// ofOwner lays what keeps an owner from reading a sheet at the owner.
func ofOwner(err error) error {
	if p, ok := err.(*problem.Problem); ok && p.Field == "sheetId" {
		p.Field = "owner"
	}
	return err
}
