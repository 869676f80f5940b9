package registrar

import (
	"context"
	"slices"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// checkWriter refuses terms in whose writer's name nothing can be written. Field is
// where the terms stand in the request.
func (g *Registrar) checkWriter(ctx context.Context, registered *registry.Owner, s *events.Share, field string) error {
	if s.Write == nil {
		return nil
	}
	field += "write.owner"
	name := s.Write.Owner
	if name == "" {
		name = registered.Name
	}
	o := g.Registry.Owner(name)
	switch {
	case o == nil:
		return problem.New(problem.Invalid, field, "there is no owner %q: add it with POST /v1/owners", name).Next(problem.AddOwner.For())
	case o.Region != registered.Region:
		return problem.New(problem.Invalid, field, "owner %q is in region %s, the sheet in %s", name, o.Region, registered.Region)
	case o.Kind == owner.KindOAuth:
		return problem.New(problem.Invalid, field, "the consent of owner %q covers no changes: name an owner with a token", name)
	case o.State != registry.OwnerOK:
		return owner.AccessProblem(o, field)
	}
	_, client, err := g.owner(name)
	if err != nil {
		return err
	}
	sheet, err := client.Sheet(ctx, s.SheetID, smartsheet.SheetQuery{PageSize: 1})
	if class := smartsheet.Classify(err); class == smartsheet.NotFound || class == smartsheet.Forbidden {
		return problem.New(problem.Invalid, field, "owner %q does not see the sheet: share it with that user, as editor", name)
	}
	if err != nil {
		return problem.FromSmartsheet("asking what the writer may do with the sheet", err)
	}
	if !slices.Contains([]string{"OWNER", "ADMIN", "EDITOR_SHARE", "EDITOR"}, sheet.AccessLevel) {
		return problem.New(problem.Invalid, field, "owner %q may not edit the sheet (it is %s of it): share it with that user as editor, or name another owner", name, sheet.AccessLevel)
	}
	return nil
}

// changeTerms changes what a share lets its partner write, and nothing that the
// partner reads.
func (g *Registrar) changeTerms(ctx context.Context, found *registry.Share, terms *events.WriteTerms) error {
	_, err := g.Registry.UpdateShare(ctx, found.Partner, found.Sheet, func(s *registry.Share) error {
		if !s.SameAs(found) || s.Ending {
			return registry.ErrNotFound
		}
		if s.Revision != found.Revision {
			return registry.ErrConflict
		}
		s.Write = terms
		return nil
	})
	if err != nil {
		return problem.FromRegistry("share "+found.Key(), err)
	}
	return nil
}

// allowWrites lets a partner publish writes as soon as a share with such terms is stored.
// What fails now is done soon by the process that takes writes.
func (g *Registrar) allowWrites(ctx context.Context, partner string, terms *events.WriteTerms) {
	if terms == nil {
		return
	}
	if err := g.Accounts.AllowWrites(ctx, partner); err != nil {
		g.Log.Info("could not let a partner publish writes yet, trying again", "partner", partner, "err", err)
	}
}
