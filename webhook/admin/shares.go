package admin

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// NewColumn is a column to be shared, found by its title or its id.
type NewColumn struct {
	Title    string `json:"title,omitempty" maxLength:"200" example:"Status"`
	ColumnID string `json:"columnId,omitempty" maxLength:"20" example:"7318427511613316"`
	As       string `json:"as,omitempty" maxLength:"200" doc:"The field's name; default: a slug of the title" example:"status"`
	Mask     string `json:"mask,omitempty" enum:"hash,redact" doc:"What the partner gets instead of the value"`
}

// ShareChange is what may be changed of a share.
type ShareChange struct {
	Columns []NewColumn `json:"columns" minItems:"1" maxItems:"400" nullable:"false" doc:"What is shared, and nothing else"`
	Where   string      `json:"where,omitempty" maxLength:"4096" doc:"CEL over the fields, cells[\"Title\"] and the partner's attributes, as in region == partner.region; default: every row" example:"status != 'Draft'"`
	Kinds   []string    `json:"kinds,omitempty" nullable:"false" enum:"row,attachment,comment" doc:"Kinds of object that are shared; default: rows"`
	Write   *WriteTerms `json:"write,omitempty" doc:"What the partner may have changed of the sheet; default: nothing"`

	FilterMayFail bool       `json:"filterMayFail,omitempty" doc:"Take a where that cannot be evaluated on any row of the sheet, so that no row is shown"`
	Until         *time.Time `json:"until,omitempty" doc:"When the share ends by itself; left out: never"`
}

// NewShare is a share to be made.
type NewShare struct {
	Partner string `json:"partner" doc:"Who may see it" example:"acme"`
	Sheet   string `json:"sheet,omitempty" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" doc:"The partner's name for the sheet; default: a slug of the sheet's name" example:"orders"`
	ShareChange
}

// ShareDefinition is what a share shows, with all that was left to be found.
type ShareDefinition struct {
	Owner   string      `json:"owner" doc:"In whose name the sheet is read"`
	Columns []Column    `json:"columns" nullable:"false"`
	Where   string      `json:"where,omitempty"`
	Kinds   []string    `json:"kinds" nullable:"false"`
	Until   *time.Time  `json:"until,omitempty" doc:"When it ends by itself; absent: never"`
	Write   *WriteTerms `json:"write,omitempty" doc:"What the partner may have changed of the sheet; absent: nothing"`
}

// SharePreview is what a change would make of a share.
type SharePreview struct {
	Same     bool            `json:"same" doc:"Nothing would change"`
	Breaking []string        `json:"breaking" nullable:"false" doc:"What the partner's consumers would lose, which needs breaking"`
	Share    ShareDefinition `json:"share" doc:"The share as it would be"`
}

// NewShareDefinition replaces what a share shows.
type NewShareDefinition struct {
	ShareChange
	Breaking bool   `json:"breaking,omitempty" doc:"The partner agrees to lose fields, or to get them with another type"`
	Owner    string `json:"owner,omitempty" maxLength:"32" doc:"In whose name the sheet is read from then on, which does not end the share; left out: as before" example:"jane"`
}

// Column is a column that is shared.
type Column struct {
	ColumnID string `json:"columnId"`
	Title    string `json:"title" doc:"As it was when the share was made"`
	As       string `json:"as" doc:"The field's name"`
	Type     string `json:"type" doc:"As it was when the share was made"`
	Mask     string `json:"mask,omitempty"`
}

// Share is a share as the API shows it.
type Share struct {
	Partner string   `json:"partner"`
	Sheet   string   `json:"sheet"`
	Columns []Column `json:"columns" nullable:"false"`
	Where   string   `json:"where,omitempty"`

	Attributes    map[string]string `json:"attributes,omitempty" doc:"What where names of the partner's attributes"`
	FilterMayFail bool              `json:"filterMayFail,omitempty" doc:"A where that cannot be evaluated on any row was agreed to"`

	Kinds        []string      `json:"kinds" nullable:"false"`
	Until        *time.Time    `json:"until,omitempty" doc:"When it ends by itself; absent: never"`
	Write        *WriteTerms   `json:"write,omitempty" doc:"What the partner may have changed of the sheet; absent: nothing"`
	Revision     int64         `json:"revision" doc:"Counts its changes from 1"`
	State        string        `json:"state" enum:"loading,live,stale,suspended,ended,unknown" doc:"As the partner was told, or stale where the bridge cannot publish to it, as in a full stream; unknown: its stream could not be read now"`
	Reason       string        `json:"reason,omitempty"`
	SheetColumns int           `json:"sheetColumns,omitempty" doc:"How many columns the sheet had when the share was made or changed"`
	Filter       *FilterResult `json:"filter,omitempty" doc:"What where said of the rows when all were last read; absent: no filter, or not known yet"`
	CompleteTo   *CompleteTo   `json:"completeTo" doc:"How far the partner's stream is complete; null: not yet, or unknown"`
	Progress     *Progress     `json:"progress" doc:"How far the load of the share is; null: it is not being loaded, or by another replica"`
}

// FilterResult is what a share's filter said of the rows of its sheet.
type FilterResult struct {
	Rows   int       `json:"rows" doc:"Of the sheet"`
	Shown  int       `json:"shown" doc:"Rows that pass it"`
	Failed int       `json:"failed" doc:"Rows on which it cannot be evaluated, which hides them"`
	At     time.Time `json:"at" doc:"When these numbers were first found so"`
}

// Progress is how far the load of a share is.
type Progress partner.Progress

// Schema is the schema of an object that may be null.
func (Progress) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true, AdditionalProperties: false, Required: []string{"done", "of"},
		Description: "How far the load of the share is; null: it is not being loaded, or by another replica",
		Properties: map[string]*huma.Schema{
			"done": {Type: huma.TypeInteger, Format: "int64", Description: "Rows that were compared"},
			"of":   {Type: huma.TypeInteger, Format: "int64", Description: "Rows that the sheet has"},
		},
	}
}

// CompleteTo is how far a stream is complete: to a version of the sheet, and to
// the time at which it had that.
type CompleteTo events.CompleteTo

// Schema is the schema of an object that may be null.
func (CompleteTo) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true, AdditionalProperties: false, Required: []string{"version", "time"},
		Description: "How far the partner's stream is complete; null: not yet, or unknown",
		Properties: map[string]*huma.Schema{
			"version": {Type: huma.TypeInteger, Format: "int64", Description: "Of the sheet"},
			"time":    {Type: huma.TypeString, Format: "date-time", Description: "When it had that version"},
		},
	}
}

func (c ShareChange) request() events.Request {
	r := events.Request{Where: c.Where, Kinds: c.Kinds, Until: c.Until, FilterMayFail: c.FilterMayFail, Write: c.Write.terms()}
	for _, column := range c.Columns {
		r.Columns = append(r.Columns, events.RequestColumn(column))
	}
	return r
}

func (s NewShare) request() events.Request {
	r := s.ShareChange.request()
	r.Partner, r.Sheet = s.Partner, s.Sheet
	return r
}

func shareOf(state diagnose.ShareState) Share {
	s := state.Share
	shown := Share{
		Partner: s.Partner, Sheet: s.Sheet, Where: s.Where, Attributes: s.Attributes, FilterMayFail: s.FilterMayFail, Revision: s.Revision, SheetColumns: s.SheetColumns,
		Columns: columnsOf(&s.Share), Kinds: kindsOf(&s.Share),
		Until: s.Until, State: string(state.State), Reason: state.Reason, CompleteTo: (*CompleteTo)(state.CompleteTo), Progress: (*Progress)(state.Progress), Write: writeTermsOf(s.Write),
	}
	if f := state.Filter; f != nil {
		shown.Filter = &FilterResult{f.Rows, f.Shown, f.Failed, f.At}
	}
	return shown
}

type shareRequest struct {
	ID      string `path:"id" doc:"The webhook's id, as POST /v1/webhooks answered"`
	Partner string `path:"partner" doc:"Who may see it"`
	Sheet   string `path:"sheet" doc:"The partner's name for the sheet"`
}

type putShareRequest struct {
	ID      string `path:"id" doc:"The webhook's id, as POST /v1/webhooks answered"`
	Partner string `path:"partner" doc:"Who may see it"`
	Sheet   string `path:"sheet" doc:"The partner's name for the sheet"`
	DryRun  bool   `query:"dryRun" doc:"Show what would become of the share, and change nothing"`
	PlannedAttributes
	Body NewShareDefinition
}

// changedShareAnswer has a body of two kinds.
type changedShareAnswer struct{ Body any }

const pathShare = pathWebhooks + "/{id}/shares/{partner}/{sheet}"

func (a *API) routeShares(api huma.API) {
	const tag, path = "shares", pathShare
	register(api, operation{
		method: http.MethodPut, path: path, id: "changeShare", tag: tag, body: largeBody, within: verified,
		summary: "Change a share", description: "What the partner would lose of it needs breaking. Where it shows less than before, what had been published is taken back. " +
			"With another owner the share is moved to the webhook of that owner and the sheet, which is made where there is none; the partner gets nothing twice. " +
			"With dryRun the answer is what would become of the share, and nothing is changed.",
		also:   map[int][]reflect.Type{http.StatusOK: {reflect.TypeFor[Share](), reflect.TypeFor[SharePreview]()}},
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.changeShare)
	register(api, operation{
		method: http.MethodDelete, path: path, id: "endShare", tag: tag, status: http.StatusNoContent,
		summary: "End a share", description: "The partner is told, and what had been published of it is removed.",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.endShare)
	register(api, operation{
		method: http.MethodPost, path: path + "/resend", id: "resendShare", tag: tag, status: http.StatusAccepted,
		summary: "Publish a share again", description: "Its subjects are purged, and the sheet is published as in the first load.",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.resendShare)
	register(api, operation{
		method: http.MethodPost, path: path + "/erase", id: "eraseRow", tag: tag, status: http.StatusAccepted, body: smallBody,
		summary: "Erase a row from a partner's stream",
		description: "The row, its history and what hangs on it are removed from the partner's stream, and stay away until the row changes at Smartsheet. " +
			"What the partner has read cannot be recalled: tell it.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.eraseRow)
}

// EraseRow names a row to be erased.
type EraseRow struct {
	Row string `json:"row" pattern:"^[0-9]{1,19}$" patternDescription:"a row's id: digits, in a string" example:"7129509179746180"`
}

type eraseRequest struct {
	ID      string `path:"id" doc:"The webhook's id, as POST /v1/webhooks answered"`
	Partner string `path:"partner" doc:"Who may see it"`
	Sheet   string `path:"sheet" doc:"The partner's name for the sheet"`
	Body    EraseRow
}

func (a *API) eraseRow(ctx context.Context, in *eraseRequest) (*out[accepted], error) {
	row, err := strconv.ParseInt(in.Body.Row, 10, 64)
	if err != nil || row <= 0 {
		return nil, invalid("row", "is no row's id")
	}
	share, err := a.Registrar.Share(in.ID, in.Partner, in.Sheet)
	if err != nil {
		return nil, err
	}
	if err := a.Relay.Erase(ctx, share, row); err != nil {
		return nil, err
	}
	return &out[accepted]{accepted{"erase"}}, nil
}

func (a *API) changeShare(ctx context.Context, in *putShareRequest) (*changedShareAnswer, error) {
	id, request := in.ID, in.Body.request()
	if in.DryRun {
		planned, err := in.attributes()
		if err != nil {
			return nil, err
		}
		request.Attributes = planned[in.Partner]
		return a.previewChange(ctx, in, request)
	}
	if in.Body.Owner == "" {
		if err := a.Registrar.PutShare(ctx, id, in.Partner, in.Sheet, request, in.Body.Breaking); err != nil {
			return nil, err
		}
	} else {
		reg, err := a.Registrar.MoveShare(ctx, id, in.Partner, in.Sheet, in.Body.Owner, request, in.Body.Breaking)
		if err != nil {
			return nil, err
		}
		id = reg.ID
	}
	reg, err := a.Registrar.Registration(id)
	if err != nil {
		return nil, err
	}
	for _, s := range a.webhooksOf(ctx, []*registry.Registration{reg})[0].Shares {
		if s.Partner == in.Partner && s.Sheet == in.Sheet {
			return &changedShareAnswer{s}, nil
		}
	}
	return nil, registry.ErrConflict // it was ended at once
}

// previewChange shows no value of a sheet, so it is not in the audit log.
func (a *API) previewChange(ctx context.Context, in *putShareRequest, request events.Request) (*changedShareAnswer, error) {
	p, err := a.Registrar.PreviewChange(ctx, in.ID, in.Partner, in.Sheet, in.Body.Owner, request)
	if err != nil {
		return nil, err
	}
	reg, err := a.Registrar.Registration(in.ID)
	if err != nil {
		return nil, err
	}
	return &changedShareAnswer{SharePreview{
		Same: p.Same, Breaking: append([]string{}, p.Breaking...),
		Share: ShareDefinition{
			Owner: cmp.Or(in.Body.Owner, reg.Owner), Columns: columnsOf(&p.Share), Where: p.Share.Where,
			Kinds: kindsOf(&p.Share), Until: p.Until, Write: writeTermsOf(p.Share.Write),
		},
	}}, nil
}

func columnsOf(s *events.Share) []Column {
	list := make([]Column, len(s.Fields))
	for i, f := range s.Fields {
		list[i] = Column{
			ColumnID: strconv.FormatInt(f.ColumnID, 10), Title: f.Title, As: f.Name, Type: string(f.Type), Mask: string(f.Mask),
		}
	}
	return list
}

func kindsOf(s *events.Share) []string {
	list := make([]string, len(s.Kinds))
	for i, k := range s.Kinds {
		list[i] = string(k)
	}
	return list
}

func (a *API) endShare(ctx context.Context, in *shareRequest) (*none, error) {
	return nil, a.Registrar.EndShare(ctx, in.ID, in.Partner, in.Sheet)
}

func (a *API) resendShare(ctx context.Context, in *shareRequest) (*out[accepted], error) {
	if err := a.Registrar.Resend(ctx, in.ID, in.Partner, in.Sheet); err != nil {
		return nil, err
	}
	return &out[accepted]{accepted{"resend"}}, nil
}
