package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
)

// SheetColumns are the columns of a sheet that an owner can read.
type SheetColumns struct {
	SheetID string        `json:"sheetId" example:"4509506114742148"`
	Name    string        `json:"name"`
	Version int64         `json:"version"`
	Rows    int           `json:"rows" doc:"How many the sheet has"`
	Items   []SheetColumn `json:"items" nullable:"false"`
}

// SheetColumn is one column, as it can be shared.
type SheetColumn struct {
	ID       string `json:"id" example:"7318427511613316"`
	Title    string `json:"title"`
	Type     string `json:"type" example:"PICKLIST"`
	As       string `json:"as" doc:"The field's name, unless a share gives it another" example:"status"`
	Primary  bool   `json:"primary"`
	System   string `json:"system,omitempty" doc:"What Smartsheet itself writes into it" example:"MODIFIED_DATE"`
	ReadOnly string `json:"readOnly,omitempty" doc:"Why no share can let its partner write it; absent: one can" example:"a formula fills its column"`

	Samples []json.RawMessage `json:"samples" nullable:"false" doc:"Up to three values that differ, of the first rows, as an event would have them. A read-only token gets none"`
}

type columnsRequest struct {
	Name string `path:"name" doc:"The owner's name"`
	ID   string `path:"id" doc:"The sheet's id" example:"4509506114742148"`
}

func (a *API) routeColumns(api huma.API) {
	register(api, operation{
		method: http.MethodGet, path: "/v1/owners/{name}/sheets/{id}/columns", id: "listSheetColumns", tag: "owners",
		summary: "List the columns of a sheet", description: "With their types and some values, before anything of the sheet is shared. Costs one request of the owner's budget.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.listColumns)
	column := api.OpenAPI().Components.Schemas.Map()["SheetColumn"]
	column.Properties["samples"].Items = &huma.Schema{Description: "A value of any type"}
}

func (a *API) listColumns(ctx context.Context, in *columnsRequest) (*out[SheetColumns], error) {
	if _, err := a.owner(in.Name); err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return nil, httpProblem(http.StatusNotFound, "%q is no sheet's id: GET /v1/owners/%s/sheets lists what the owner can read", clip(in.ID), in.Name).
			next(problem.ListSheets.For(in.Name))
	}
	samples := !recordOf(ctx).readOnly
	sheet, err := a.Registrar.Columns(ctx, in.Name, id, samples)
	if err != nil {
		return nil, err
	}
	if samples {
		if err := a.auditPreview(ctx, "GET /v1/owners/:name/sheets/:id/columns", in.Name+"/"+in.ID, nil); err != nil {
			return nil, err
		}
	}
	return &out[SheetColumns]{sheetColumnsOf(sheet)}, nil
}

func sheetColumnsOf(s *registrar.SheetColumns) SheetColumns {
	shown := SheetColumns{SheetID: strconv.FormatInt(s.ID, 10), Name: s.Name, Version: s.Version, Rows: s.Rows, Items: []SheetColumn{}}
	for _, c := range s.Columns {
		shown.Items = append(shown.Items, SheetColumn{
			ID: strconv.FormatInt(c.ID, 10), Title: c.Title, Type: string(c.Type), As: c.As, Primary: c.Primary, System: c.SystemColumnType, ReadOnly: events.ReadOnly(c.Column),
			Samples: append([]json.RawMessage{}, c.Samples...),
		})
	}
	return shown
}
