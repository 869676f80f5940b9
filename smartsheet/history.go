package smartsheet

import (
	"context"
	"encoding/json"
	"net/url"
)

// PastValue is what a cell once held.
type PastValue struct {
	Value       json.RawMessage `json:"value,omitempty"`
	ObjectValue json.RawMessage `json:"objectValue,omitempty"`
	ModifiedAt  Time            `json:"modifiedAt"`
	ModifiedBy  *Actor          `json:"modifiedBy,omitempty"`
}

// CellHistory reads what a cell held lately, newest first, the present value
// included. Smartsheet counts it as ten requests and allows thirty a minute: it is
// for what nothing else tells.
func (c *Client) CellHistory(ctx context.Context, sheetID, rowID, columnID int64) ([]PastValue, error) {
	r := request{
		route: "/sheets/{id}/rows/{id}/columns/{id}/history", ids: []int64{sheetID, rowID, columnID},
		query: url.Values{"level": {cellLevel}, "include": {"objectValue"}, "page": {"1"}, "pageSize": {"100"}},
	}
	type answer struct {
		Data *[]PastValue `json:"data"`
	}
	a, err := get(ctx, c, r, func(a *answer) bool { return a.Data != nil })
	if err != nil {
		return nil, err
	}
	return *a.Data, nil
}
