package registrar

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// Bounds of the values that Columns shows.
const (
	columnRows    = 100 // rows that are looked through
	columnSamples = 3   // values of one column
	maxSample     = 200 // bytes of one value
)

// SheetColumns are the columns of a sheet, shared or not.
type SheetColumns struct {
	ID      int64
	Name    string
	Version int64
	Rows    int
	Columns []SheetColumn
}

// SheetColumn is one column, and how a share that names only it would show it.
type SheetColumn struct {
	smartsheet.Column
	As      string            // the field's name
	Samples []json.RawMessage // values that differ, as an event has them
}

// Columns reads the columns of a sheet in the name of an owner, with some values of
// each where samples are wanted.
func (g *Registrar) Columns(ctx context.Context, owner string, sheetID int64, samples bool) (*SheetColumns, error) {
	_, client, err := g.owner(owner)
	if err != nil {
		return nil, err
	}
	rows := 1
	if samples {
		rows = columnRows
	}
	sheet, err := client.Sheet(ctx, sheetID, smartsheet.SheetQuery{PageSize: rows})
	switch class := smartsheet.Classify(err); class {
	case smartsheet.OK:
	case smartsheet.NotFound, smartsheet.Forbidden:
		p := problem.FromSmartsheet("reading the sheet", err)
		p.Fault = problem.NotFound
		p.Detail += ". Is the sheet shared with the owner?"
		return nil, p
	default:
		return nil, problem.FromSmartsheet("reading the sheet", err)
	}
	shown := &SheetColumns{ID: sheet.ID, Name: sheet.Name, Version: sheet.Version, Rows: sheet.TotalRowCount}
	request := events.Request{Partner: "preview", Sheet: "preview"}
	for _, c := range sheet.Columns {
		request.Columns = append(request.Columns, events.RequestColumn{ColumnID: strconv.FormatInt(c.ID, 10)})
	}
	share, err := request.Resolve(*sheet)
	if err != nil {
		return nil, err
	}
	view, err := events.NewView(share, nil)
	if err != nil {
		return nil, err
	}
	for i, c := range sheet.Columns {
		shown.Columns = append(shown.Columns, SheetColumn{Column: c, As: share.Fields[i].Name})
	}
	if samples {
		shown.sample(view, sheet)
	}
	return shown, nil
}

// sample takes the first values that differ of each column.
func (s *SheetColumns) sample(view *events.View, sheet *smartsheet.Sheet) {
	types := smartsheet.TypesOf(sheet.Columns)
	for i := range sheet.Rows {
		for k, field := range view.Fields(&sheet.Rows[i], types) {
			have := &s.Columns[k].Samples
			known := slices.ContainsFunc(*have, func(v json.RawMessage) bool { return string(v) == string(field.JSON) })
			if known || len(*have) >= columnSamples || len(field.JSON) > maxSample || string(field.JSON) == "null" {
				continue
			}
			*have = append(*have, slices.Clone(field.JSON))
		}
	}
}
