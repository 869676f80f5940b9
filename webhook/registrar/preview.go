package registrar

import (
	"context"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	sampleRows  = 10     // that a dry run shows
	samplePage  = 100    // rows that are read at a time to find them
	samplePages = 10_000 // no sheet has more
)

// Preview is what a share would show.
type Preview struct {
	Share  events.Share
	Sample []events.Object
}

// Preview shows what each share would show its partner, and makes nothing.
func (g *Registrar) Preview(ctx context.Context, owner string, sheetID int64, requests []events.Request) ([]Preview, error) {
	o, client, err := g.owner(owner)
	if err != nil {
		return nil, err
	}
	_, shares, err := g.resolve(ctx, o, client, sheetID, requests)
	if err != nil {
		return nil, err
	}
	if err := g.collisions(registry.RegistrationID(owner, sheetID), shares); err != nil {
		return nil, err
	}
	previews := make([]Preview, len(shares))
	for i, s := range shares {
		previews[i].Share = s.Share
		if previews[i].Sample, err = g.sample(ctx, client, &s.Share); err != nil {
			return nil, err
		}
	}
	return previews, nil
}

// sample shows the first rows of a sheet as a share does.
func (g *Registrar) sample(ctx context.Context, client *smartsheet.Client, s *events.Share) ([]events.Object, error) {
	partner := g.Registry.Partner(s.Partner)
	if partner == nil {
		return nil, problem.New(problem.Conflict, "partner", "partner %q was removed meanwhile", s.Partner)
	}
	key, err := g.Registry.Sealer().Open(partner.MaskKey, partner.SealName("maskKey"))
	if err != nil {
		return nil, err
	}
	view, err := events.NewView(*s, key)
	if err != nil {
		return nil, err
	}
	sample := []events.Object{}
	columns := s.ColumnIDs()
	for page := 1; page <= samplePages && len(sample) < sampleRows; page++ {
		sheet, err := client.Sheet(ctx, s.SheetID, smartsheet.SheetQuery{ColumnIDs: columns, Page: page, PageSize: samplePage})
		if err != nil {
			return nil, problem.FromSmartsheet("reading the sheet", err)
		}
		types := smartsheet.TypesOf(sheet.Columns)
		for i := range sheet.Rows {
			if object, visible := view.Row(&sheet.Rows[i], types); visible && len(sample) < sampleRows {
				sample = append(sample, object)
			}
		}
		if page*samplePage >= sheet.TotalRowCount {
			break
		}
	}
	return sample, nil
}
