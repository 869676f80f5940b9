package diagnose

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// maxDeadLooked is how many hints that were given up are looked through for a row.
const maxDeadLooked = 100

// What a share's filter says of a row.
const (
	filterNone   = "none"   // the share has none: every row is shown
	filterShows  = "shows"  //
	filterHides  = "hides"  //
	filterFails  = "fails"  // it cannot be evaluated on the row, which is hidden then
	filterUnread = "unread" // there is no row to ask it about
)

// Explanation says why a partner has seen a row so, or not at all.
type Explanation struct {
	Partner string `json:"partner"`
	Sheet   string `json:"sheet"`
	SheetID string `json:"sheetId"`
	Row     string `json:"row" doc:"Its id"`

	Verdict string   `json:"verdict" doc:"In one sentence" example:"hidden: the share's filter is false for this row"`
	Steps   []string `json:"steps" nullable:"false" doc:"What to do, where something is to be done"`

	Action *problem.Action `json:"action,omitempty" doc:"The call of the first step that has one"`

	Source  ExplainedRow    `json:"source" doc:"The row at Smartsheet, read just now"`
	Filter  ExplainedFilter `json:"filter"`
	Cells   []ExplainedCell `json:"cells" nullable:"false" doc:"The shared columns, in the share's order. Of a row that is hidden they have no values"`
	Last    *ExplainedEvent `json:"last,omitempty" doc:"The last event of the row in the partner's stream; absent: there is none"`
	Differs []string        `json:"differs" nullable:"false" doc:"Fields in which that event differs from what the share shows now"`

	State      string             `json:"state" enum:"loading,live,stale,suspended,ended,unknown" doc:"Of the share, as the partner was told"`
	Reason     string             `json:"reason,omitempty" doc:"Why the share is not live"`
	CompleteTo *events.CompleteTo `json:"-"` // as a nullable object in the API
	Backlog    *int               `json:"backlog" doc:"Hints that wait for the sheet; null: unknown"`
	Dead       []inbox.Dead       `json:"-"` // hints for this row, or for its whole sheet, that were given up
}

// ExplainedRow is a row as it was read.
type ExplainedRow struct {
	State      string     `json:"state" enum:"there,gone,unread" doc:"unread: Smartsheet could not be asked"`
	Reason     string     `json:"reason,omitempty" doc:"Why it could not be read"`
	Number     int        `json:"number,omitempty"`
	ModifiedAt *time.Time `json:"modifiedAt,omitempty"`
	Version    int64      `json:"version,omitempty" doc:"Of the sheet when it was read"`
}

// ExplainedFilter is the share's filter and what it says of the row.
type ExplainedFilter struct {
	Where      string            `json:"where,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty" doc:"What where names of the partner's attributes"`

	Result string `json:"result" enum:"none,shows,hides,fails,unread"`
}

// ExplainedCell is one field as the partner would see it.
type ExplainedCell struct {
	As     string `json:"as"`
	Title  string `json:"title" doc:"Of the column, when the share was made"`
	Type   string `json:"type"`
	Mask   string `json:"mask,omitempty"`
	Value  any    `json:"value,omitempty" doc:"As the partner sees it, masked where the share masks it; absent where the row is hidden"`
	Column string `json:"column" enum:"there,deleted,unread" doc:"Whether the sheet still has it"`
}

// ExplainedEvent is the last event of the row.
type ExplainedEvent struct {
	Type     string `json:"type" example:"sheetbridge.row.updated"`
	Sequence string `json:"sequence" doc:"In the partner's stream"`
	Version  int64  `json:"version" doc:"Of the sheet when it was read"`
	Visible  bool   `json:"visible" doc:"The partner has the row since"`
}

// Explain says why the partner of a share has got a row or not. What Smartsheet
// refuses is part of the explanation; an error is what kept us from asking.
func (d *Doctor) Explain(ctx context.Context, reg *registry.Registration, share *registry.Share, row int64) (*Explanation, error) {
	x := &explanation{doctor: d, reg: reg, share: share, id: row, shown: Explanation{
		Partner: share.Partner, Sheet: share.Sheet, SheetID: strconv.FormatInt(reg.SheetID, 10), Row: strconv.FormatInt(row, 10),
		Steps: []string{}, Differs: []string{},
		Source: ExplainedRow{State: "unread"}, Filter: ExplainedFilter{Where: share.Where, Attributes: share.Attributes, Result: filterUnread},
	}}
	x.shareState(ctx)
	if err := x.last(ctx); err != nil {
		x.shown.Steps = append(x.shown.Steps, "the partner's stream could not be read for this row: "+err.Error())
	}
	if err := x.read(ctx); err != nil {
		return nil, err
	}
	x.hints(ctx)
	x.judge()
	return &x.shown, nil
}

// explanation is being made.
type explanation struct {
	doctor *Doctor
	reg    *registry.Registration
	share  *registry.Share
	id     int64

	seen   *events.Seen  // by the partner; nil: never
	now    events.Object // what the share shows; nil: nothing
	seenOK bool          // the stream could be read
	shown  Explanation
}

// shareState enters the state of the share.
func (x *explanation) shareState(ctx context.Context) {
	state := x.doctor.Webhooks(ctx, []*registry.Registration{x.reg})[0]
	x.shown.Backlog, x.shown.State = state.Backlog, string(StateUnknown)
	for _, s := range state.Shares {
		if s.Share.Key() == x.share.Key() {
			x.shown.State, x.shown.Reason, x.shown.CompleteTo = string(s.State), s.Reason, s.CompleteTo
		}
	}
}

// last finds the last event of the row.
func (x *explanation) last(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	stream, err := x.doctor.stream(ctx, x.share.Partner)
	if err != nil {
		return err
	}
	state, err := stream.State(ctx, &x.share.Share, nil)
	if err != nil {
		return err
	}
	x.seenOK = true
	if state.Schema == nil {
		return nil // nothing was published yet
	}
	subject := x.share.SubjectOf(events.KindRow, x.id)
	found, err := stream.Last(ctx, &x.share.Share, []string{subject}, state.Lock)
	if err != nil {
		x.seenOK = false
		return err
	}
	if x.seen = found[subject]; x.seen != nil {
		x.shown.Last = &ExplainedEvent{x.seen.Type, strconv.FormatUint(x.seen.Sequence, 10), x.seen.Version, x.seen.Living()}
	}
	return nil
}

// read reads the row as a pass does. What Smartsheet refuses is part of the
// explanation.
func (x *explanation) read(ctx context.Context) error {
	o := x.doctor.Registry.Owner(x.reg.Owner)
	if o == nil || o.State != registry.OwnerOK {
		x.unread("nothing can be read in the name of owner "+x.reg.Owner, "")
		if o != nil {
			x.shown.Steps = append(x.shown.Steps, owner.AccessError(o))
		}
		return nil
	}
	client, err := x.doctor.Access.Client(o, budget.Callback)
	if err != nil {
		return err
	}
	types, columns, err := x.columns(ctx, client)
	if err != nil {
		return x.unanswered("reading the columns", err, o)
	}
	row, version, err := x.readRow(ctx, client, columns)
	switch {
	case err != nil:
		return x.unanswered("reading the row", err, o)
	case row == nil:
		x.shown.Source = ExplainedRow{State: "gone", Version: version}
		x.shown.Cells = x.cells(types)
		return nil
	}
	x.shown.Source = ExplainedRow{State: "there", Number: row.RowNumber, Version: version}
	if at := row.ModifiedAt.Time; !at.IsZero() {
		x.shown.Source.ModifiedAt = &at
	}
	return x.show(row, types)
}

// unanswered enters why Smartsheet did not tell. Where that is for want of budget
// it is no part of the explanation: it can be had in a moment.
func (x *explanation) unanswered(doing string, err error, o *registry.Owner) error {
	if tight := (*owner.BudgetError)(nil); errors.As(err, &tight) {
		return err
	}
	x.unread(problem.FromSmartsheet(doing, err).Error(), adviceOr(err, o))
	return nil
}

// unread enters that Smartsheet could not be asked.
func (x *explanation) unread(why, todo string) {
	x.shown.Source.Reason = why
	x.shown.Cells = x.cells(nil)
	if todo != "" {
		x.shown.Steps = append(x.shown.Steps, todo)
	}
}

// columns reads the sheet's columns, and returns those that the share needs and
// the sheet still has.
func (x *explanation) columns(ctx context.Context, client *smartsheet.Client) (map[int64]smartsheet.ColumnType, []int64, error) {
	existing, err := client.Columns(ctx, x.reg.SheetID)
	if err != nil {
		return nil, nil, err
	}
	return smartsheet.TypesOf(existing), smartsheet.Existing(x.share.ColumnIDs(), existing), nil
}

// readRow returns nil for a row that is not in the sheet.
func (x *explanation) readRow(ctx context.Context, client *smartsheet.Client, columns []int64) (*smartsheet.Row, int64, error) {
	sheet, err := client.Sheet(ctx, x.reg.SheetID, smartsheet.SheetQuery{RowIDs: []int64{x.id}, ColumnIDs: columns, PageSize: 1})
	if err != nil {
		return nil, 0, err
	}
	for i := range sheet.Rows {
		if sheet.Rows[i].ID == x.id {
			return &sheet.Rows[i], sheet.Version, nil
		}
	}
	return nil, sheet.Version, nil
}

// show enters what the share shows of the row, and what its filter says.
func (x *explanation) show(row *smartsheet.Row, types map[int64]smartsheet.ColumnType) error {
	p := x.doctor.Registry.Partner(x.share.Partner)
	if p == nil {
		return registry.ErrNotFound
	}
	key, err := x.doctor.Registry.Sealer().Open(p.MaskKey, p.SealName("maskKey"))
	if err != nil {
		return err
	}
	view, err := events.NewView(x.share.Share, key)
	if err != nil {
		return err
	}
	object, visible := view.Row(row, types)
	x.shown.Cells = x.cells(types)
	x.shown.Filter.Result = filterShows
	switch {
	case x.share.Where == "":
		x.shown.Filter.Result = filterNone
	case !visible:
		x.shown.Filter.Result = hiddenBy(x.share.Share, key, row, types)
	}
	if !view.FilterFits(types) {
		x.shown.Steps = append(x.shown.Steps, "A column that the filter names is gone from the sheet or holds another kind of value than when the share was made, so no row is shown: change the share's where, or PUT the share as it is if the filter still says what you mean")
	}
	if !visible || !x.share.Has(events.KindRow) {
		return nil
	}
	x.now = object
	for i, f := range x.share.Fields {
		x.shown.Cells[i].Value = json.RawMessage(object.Get(f.Name))
	}
	return nil
}

// hiddenBy tells a filter that is false from one that fails: of these, only the
// first shows the row when it is turned round.
func hiddenBy(s events.Share, key []byte, row *smartsheet.Row, types map[int64]smartsheet.ColumnType) string {
	s.Where = "!(" + s.Where + "\n)" // it may end in a comment
	turned, err := events.NewView(s, key)
	if err != nil {
		return filterHides // as large as can be: it has no room for more
	}
	if _, hides := turned.Row(row, types); hides {
		return filterHides
	}
	return filterFails
}

// cells are the shared columns without values.
func (x *explanation) cells(types map[int64]smartsheet.ColumnType) []ExplainedCell {
	cells := make([]ExplainedCell, len(x.share.Fields))
	for i, f := range x.share.Fields {
		cells[i] = ExplainedCell{As: f.Name, Title: f.Title, Type: string(f.Type), Mask: string(f.Mask), Column: "unread"}
		if types == nil {
			continue
		}
		if cells[i].Column = "there"; types[f.ColumnID] == "" {
			cells[i].Column = "deleted"
		}
	}
	return cells
}
