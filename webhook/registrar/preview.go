package registrar

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	sampleRows  = 10     // that a dry run shows
	sampleOther = 5      // rows of each kind that it shows of those that are hidden
	triedRows   = 2000   // rows that a dry run counts at least, if the sheet has them
	samplePage  = 500    // rows that are read at a time
	samplePages = 10_000 // no sheet has more
)

// Preview is what a share would show.
type Preview struct {
	Share  events.Share
	Until  *time.Time
	Sample []events.Object // rows as the partner would see them
	Events []events.Event  // the events that the first load would publish of them
	Filter FilterTrial

	Refused string // why the share would be refused as it is; empty: it would not be
}

// FilterTrial is what a share's filter says of rows.
type FilterTrial struct {
	Rows, Shown, Hidden, Failed int  // rows that were read, and what the filter says of them
	Total                       int  // rows of the sheet
	Complete                    bool // all of them were read
	HiddenRows, FailedRows      []TriedRow
}

// TriedRow is a row that a filter does not show, with the fields that it would have.
type TriedRow struct {
	ID     int64
	Number int
	Error  string // why the filter cannot be evaluated; it may hold values of the row
	Fields events.Object
}

// Preview shows what each share would show its partner, and makes nothing. The
// requests may name new partners, which are not there yet.
func (g *Registrar) Preview(ctx context.Context, owner string, sheetID int64, requests []events.Request, newPartners []string) ([]Preview, error) {
	o, client, err := g.owner(owner)
	if err != nil {
		return nil, err
	}
	_, shares, err := g.resolve(ctx, o, client, sheetID, requests, newPartners)
	if err != nil {
		return nil, err
	}
	if err := g.checkNames(registry.RegistrationID(owner, sheetID), shares); err != nil {
		return nil, err
	}
	previews := make([]Preview, len(shares))
	for i, s := range shares {
		view, err := g.view(&s.Share, newPartners, shareField(i, "partner"))
		if err != nil {
			return nil, err
		}
		p, err := g.preview(ctx, client, &s.Share, view)
		if err != nil {
			return nil, err
		}
		p.Until = s.Until
		if f := p.Filter; f.Rows > 0 && f.Failed == f.Rows && !requests[i].FilterMayFail {
			if p.Refused, err = refusal(g.tryFilter(ctx, client, &s.Share, view, shareField(i, "where"), problem.ShareSheet.For())); err != nil {
				return nil, err
			}
		}
		previews[i] = *p
	}
	return previews, nil
}

// refusal is what a problem says; other errors it returns.
func refusal(err error) (string, error) {
	var p *problem.Problem
	if errors.As(err, &p) && p.Fault == problem.Conflict {
		return p.Detail, nil
	}
	return "", err
}

// view is what a share that is asked for shows. To a new partner it shows hashes by a
// key of this moment. Field is where the request names the partner.
func (g *Registrar) view(s *events.Share, newPartners []string, field string) (*events.View, error) {
	partner := g.Registry.Partner(s.Partner)
	if partner == nil && slices.Contains(newPartners, s.Partner) {
		key := make([]byte, 32)
		rand.Read(key)
		return events.NewView(*s, key)
	}
	if partner == nil {
		return nil, problem.New(problem.Conflict, field, "partner %q was removed in the meantime", s.Partner)
	}
	key, err := g.Registry.Sealer().Open(partner.MaskKey, partner.SealName("maskKey"))
	if err != nil {
		return nil, err
	}
	return events.NewView(*s, key)
}

// preview shows the first rows of a sheet as a share does, and what its filter says
// of so many of them as can be read quickly.
func (g *Registrar) preview(ctx context.Context, client *smartsheet.Client, s *events.Share, view *events.View) (*Preview, error) {
	p := &Preview{Share: *s, Sample: []events.Object{}, Events: []events.Event{}}
	f := &p.Filter
	for sheet, err := range pagesOf(ctx, client, s) {
		if err != nil {
			return nil, err
		}
		types := smartsheet.TypesOf(sheet.Columns)
		f.Total = sheet.TotalRowCount
		for i := range sheet.Rows {
			if err := p.try(view, sheet, &sheet.Rows[i], types); err != nil {
				return nil, err
			}
		}
		if f.Rows >= triedRows && len(p.Sample) >= sampleRows {
			break
		}
	}
	f.Complete = f.Rows >= f.Total
	return p, nil
}

// try adds one row to a preview.
func (p *Preview) try(view *events.View, sheet *smartsheet.Sheet, row *smartsheet.Row, types map[int64]smartsheet.ColumnType) error {
	f := &p.Filter
	f.Rows++
	shown, err := view.Passes(row, types)
	tried := TriedRow{ID: row.ID, Number: row.RowNumber}
	switch {
	case err != nil:
		f.Failed++
		if tried.Error = err.Error(); len(f.FailedRows) < sampleOther {
			tried.Fields = view.Fields(row, types)
			f.FailedRows = append(f.FailedRows, tried)
		}
	case !shown:
		if f.Hidden++; len(f.HiddenRows) < sampleOther {
			tried.Fields = view.Fields(row, types)
			f.HiddenRows = append(f.HiddenRows, tried)
		}
	default:
		if f.Shown++; len(p.Sample) < sampleRows {
			return p.show(view.Fields(row, types), sheet, row)
		}
	}
	return nil
}

// show adds a row that the partner would see, and the event that would bring it.
func (p *Preview) show(fields events.Object, sheet *smartsheet.Sheet, row *smartsheet.Row) error {
	p.Sample = append(p.Sample, fields)
	evs, err := p.Share.Compare(nil, events.Reading{
		Kind: events.KindRow, ID: row.ID, Version: sheet.Version, Time: time.Now(),
		Row: events.RefOf(row), Now: fields, Origin: events.OriginSnapshot,
	})
	p.Events = append(p.Events, evs...)
	return err
}

// pagesOf reads the rows of a share's sheet, with the columns that the share and its
// filter name.
func pagesOf(ctx context.Context, client *smartsheet.Client, s *events.Share) iter.Seq2[*smartsheet.Sheet, error] {
	return func(yield func(*smartsheet.Sheet, error) bool) {
		for page := 1; page <= samplePages; page++ {
			sheet, err := client.Sheet(ctx, s.SheetID, smartsheet.SheetQuery{ColumnIDs: s.ColumnIDs(), Page: page, PageSize: samplePage})
			if err != nil {
				yield(nil, problem.FromSmartsheet("reading the sheet", err))
				return
			}
			if !yield(sheet, nil) || page*samplePage >= sheet.TotalRowCount {
				return
			}
		}
	}
}

// tryFilter refuses a share whose filter cannot be evaluated on a single row of the
// sheet, unless the request says that it may be so, which it can by the call. It reads until there is a row on
// which the filter can be evaluated.
func (g *Registrar) tryFilter(ctx context.Context, client *smartsheet.Client, s *events.Share, view *events.View, field string, by *problem.Action) error {
	if s.Where == "" {
		return nil
	}
	var failed *events.FilterError
	for sheet, err := range pagesOf(ctx, client, s) {
		if err != nil {
			return err
		}
		types := smartsheet.TypesOf(sheet.Columns)
		for i := range sheet.Rows {
			if _, err := view.Passes(&sheet.Rows[i], types); !errors.As(err, &failed) {
				return err
			}
		}
	}
	if failed == nil {
		return nil // there are no rows
	}
	return problem.New(problem.Conflict, field, "it cannot be evaluated on any row of the sheet, so the partner would see nothing: "+
		`try it with POST /v1/webhooks?dryRun=true, which says why. If that is meant, add "filterMayFail": true`).
		Consent(by, "filterMayFail")
}
