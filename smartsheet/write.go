package smartsheet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

const (
	// MaxRowsPerWrite is how many rows one request may add or change.
	MaxRowsPerWrite = 500

	// MaxChangeAgent is how long a change agent may be: Smartsheet cuts a longer
	// one at its front.
	MaxChangeAgent = 512
)

// RowWrite is a row as a request adds or changes it. Rows of one request must
// name the same place. A row that is added without a place goes to the bottom.
type RowWrite struct {
	ID        int64       `json:"id,omitempty"` // of the row to change; 0 when one is added
	ToTop     bool        `json:"toTop,omitempty"`
	ToBottom  bool        `json:"toBottom,omitempty"`
	ParentID  int64       `json:"parentId,omitempty"`
	SiblingID int64       `json:"siblingId,omitempty"`
	Above     bool        `json:"above,omitempty"` // above the sibling, not below it
	Cells     []CellWrite `json:"cells,omitempty"`
}

// CellWrite is a cell as a request sets it, by one of Value, ObjectValue and
// Formula. Other cells of the row stay as they are.
type CellWrite struct {
	ColumnID int64

	// Value is a string, a number, a bool or a [json.RawMessage] of one; "" empties
	// the cell, but for a checkbox, which is unchecked then: its value is false.
	// Text stays text, even if it begins with an equals sign.
	Value any

	// ObjectValue says its type, see [ObjectValue]. Columns of more than one choice
	// or contact take nothing else ([CodeWantsObject]), but for the Value "".
	ObjectValue any

	Formula   string     // begins with =
	Hyperlink *Hyperlink // besides a Value that is text

	// Lenient lets a value that does not fit the column's type in as text. Strict,
	// the request fails with [CodeValueRefused].
	Lenient bool

	// OverrideValidation lets a value in that the column's restriction refuses. It
	// takes an admin of the sheet, and Lenient.
	OverrideValidation bool
}

// MarshalJSON writes the cell with strict said in words: that nobody relies on
// the default of the day.
func (c CellWrite) MarshalJSON() ([]byte, error) {
	type wire struct {
		ColumnID           int64      `json:"columnId"`
		Value              any        `json:"value,omitempty"`
		ObjectValue        any        `json:"objectValue,omitempty"`
		Formula            string     `json:"formula,omitempty"`
		Hyperlink          *Hyperlink `json:"hyperlink,omitempty"`
		Strict             *bool      `json:"strict,omitempty"`
		OverrideValidation bool       `json:"overrideValidation,omitempty"`
	}
	out := wire{
		ColumnID: c.ColumnID, Value: c.Value, ObjectValue: c.ObjectValue, Formula: c.Formula,
		Hyperlink: c.Hyperlink, OverrideValidation: c.OverrideValidation,
	}
	if strict := !c.Lenient; c.Formula == "" {
		out.Strict = &strict
	}
	return json.Marshal(out)
}

// String names the column and leaves out the value.
func (c CellWrite) String() string { return fmt.Sprintf("cell of column %d", c.ColumnID) }

// GoString is String.
func (c CellWrite) GoString() string { return c.String() }

// Hyperlink is where a cell leads: an address, a sheet, a report or a dashboard.
type Hyperlink struct {
	URL      string `json:"url,omitempty"`
	SheetID  int64  `json:"sheetId,omitempty"`
	ReportID int64  `json:"reportId,omitempty"`
	SightID  int64  `json:"sightId,omitempty"`
}

// WriteOptions say how rows are written.
type WriteOptions struct {
	// ChangeAgent comes back in the events of the change; at most
	// [MaxChangeAgent] printable ASCII characters.
	ChangeAgent string

	// PartialSuccess writes the rows that can be written, whatever the others are
	// refused for. Without it one row that cannot be fails the request.
	PartialSuccess bool
}

// RowResult is what became of one row of a write.
type RowResult struct {
	Row *Row   // as it is now; nil if it was refused
	Err *Error // why it was refused; nil if it was not
}

// RowsWritten is what became of a write. Of a request that failed as a whole
// there is an error instead, and nothing was changed; but see [OutcomeUnknown].
type RowsWritten struct {
	Version int64       // of the sheet afterwards
	Rows    []RowResult // in the order of the request
}

// AddRows adds rows to a sheet, at most [MaxRowsPerWrite].
func (c *Client) AddRows(ctx context.Context, sheetID int64, rows []RowWrite, o WriteOptions) (*RowsWritten, error) {
	return c.writeRows(ctx, http.MethodPost, sheetID, rows, o)
}

// UpdateRows changes rows of a sheet, at most [MaxRowsPerWrite], each named once.
func (c *Client) UpdateRows(ctx context.Context, sheetID int64, rows []RowWrite, o WriteOptions) (*RowsWritten, error) {
	return c.writeRows(ctx, http.MethodPut, sheetID, rows, o)
}

// DeleteRows deletes rows with all rows under them, in one request: at most
// [MaxRowIDs] are named. Rows that are not there are passed over. It returns the
// ids that were deleted; PartialSuccess changes nothing here: one row that is
// locked fails the request.
func (c *Client) DeleteRows(ctx context.Context, sheetID int64, rowIDs []int64, o WriteOptions) ([]int64, error) {
	r := request{method: http.MethodDelete, route: "/sheets/{id}/rows", ids: []int64{sheetID}, agent: o.ChangeAgent}
	if len(rowIDs) == 0 || len(rowIDs) > MaxRowIDs {
		return nil, fmt.Errorf("smartsheet: DELETE %s: %w: %d row ids, want 1 to %d", r.route, errInvalid, len(rowIDs), MaxRowIDs)
	}
	r.query = url.Values{"ids": {joinIDs(rowIDs)}, "ignoreRowsNotFound": {"true"}}
	var a result[*[]int64]
	if err := c.do(ctx, r, &a); err != nil {
		return nil, err
	}
	if a.Result == nil {
		return nil, r.broken(ctx, errNoList)
	}
	return *a.Result, nil
}

// rowsAnswer is the answer to a write of rows.
type rowsAnswer struct {
	Version     int64  `json:"version"`
	Result      *[]Row `json:"result"`
	FailedItems []struct {
		Index int        `json:"index"`
		RowID int64      `json:"rowId"`
		Error *errorWire `json:"error"`
	} `json:"failedItems"`
}

// validAgent reports whether a header can carry the change agent whole.
func validAgent(agent string) bool {
	for _, c := range []byte(agent) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(agent) <= MaxChangeAgent && strings.TrimSpace(agent) == agent
}

var errOtherRows = errors.New("unreadable answer: its rows are not those of the request")

func (c *Client) writeRows(ctx context.Context, method string, sheetID int64, rows []RowWrite, o WriteOptions) (*RowsWritten, error) {
	r := request{method: method, route: "/sheets/{id}/rows", ids: []int64{sheetID}, body: rows, agent: o.ChangeAgent, query: cellQuery()}
	if len(rows) == 0 || len(rows) > MaxRowsPerWrite {
		return nil, fmt.Errorf("smartsheet: %s %s: %w: %d rows, want 1 to %d", method, r.route, errInvalid, len(rows), MaxRowsPerWrite)
	}
	if o.PartialSuccess {
		r.query.Set("allowPartialSuccess", "true")
	}
	var a rowsAnswer
	if err := c.do(ctx, r, &a); err != nil {
		return nil, err
	}
	results, ok := a.results(r, rows)
	if !ok {
		return nil, r.broken(ctx, errOtherRows)
	}
	return &RowsWritten{Version: a.Version, Rows: results}, nil
}

// results gives each row of the request its result: Smartsheet lists the rows
// written in the order of the request, without those that failed.
func (a rowsAnswer) results(r request, rows []RowWrite) ([]RowResult, bool) {
	out := make([]RowResult, len(rows))
	for _, failed := range a.FailedItems {
		if failed.Index < 0 || failed.Index >= len(rows) || out[failed.Index].Err != nil || failed.Error == nil {
			return nil, false
		}
		out[failed.Index].Err = failed.Error.refusal(r, http.StatusBadRequest) // its own status is not told
		out[failed.Index].Err.RowID = rows[failed.Index].ID
	}
	if a.Result == nil || len(*a.Result)+len(a.FailedItems) != len(rows) {
		return nil, false
	}
	written := *a.Result
	for i := range out {
		if out[i].Err != nil {
			continue
		}
		row := &written[0]
		written = written[1:]
		if row.ID == 0 || rows[i].ID != 0 && row.ID != rows[i].ID {
			return nil, false
		}
		out[i].Row = row
	}
	return out, true
}

// OutcomeUnknown reports whether a write that failed with the error may have
// changed the sheet all the same: the answer was lost, was not Smartsheet's, or
// came from a server that gave up. Look before the same is sent again.
func OutcomeUnknown(err error) bool {
	var answer *Error
	var broken *brokenError
	var dial *net.OpError
	switch {
	case err == nil, errors.Is(err, errInvalid):
		return false
	case errors.As(err, &answer):
		switch answer.Code {
		case 0:
			return answer.Status >= 500 || answer.Status == http.StatusRequestTimeout
		case codeUnexpected, codeTimeout:
			return true
		}
		return false
	case errors.As(err, &broken):
		return !errors.As(broken.cause, &dial) || dial.Op != "dial"
	}
	var sent *canceledError
	return errors.As(err, &sent)
}
