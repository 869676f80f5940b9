package events

import (
	"encoding/json"
	"strconv"
)

// predecessors is a list of {"rowId","type","lag"}, one for each link of a
// PREDECESSOR_LIST object; nil for what is none. A link to no row has nothing
// to tell and is left out.
func predecessors(raw json.RawMessage) json.RawMessage {
	var o struct {
		ObjectType   string `json:"objectType"`
		Predecessors []struct {
			RowID json.Number     `json:"rowId"` // a number, or digits in a string
			Type  string          `json:"type"`
			Lag   json.RawMessage `json:"lag"`
		} `json:"predecessors"`
	}
	if json.Unmarshal(raw, &o) != nil || o.ObjectType != "PREDECESSOR_LIST" {
		return nil
	}
	list := make([]json.RawMessage, 0, len(o.Predecessors))
	for _, p := range o.Predecessors {
		if p.RowID == "" {
			continue
		}
		id, err := strconv.ParseInt(p.RowID.String(), 10, 64)
		if err != nil || !linkType(p.Type) {
			return nil
		}
		lag := null()
		if iso, ok := isoDuration(p.Lag); ok {
			lag = jsonString(iso)
		}
		b := append([]byte(`{"rowId":"`), strconv.FormatInt(id, 10)...)
		b = append(append(b, `","type":"`...), p.Type...)
		b = append(append(b, `","lag":`...), lag...)
		list = append(list, append(b, '}'))
	}
	return listOrNull(list)
}

// linkType tells whether a word says how two rows depend on each other: finish
// or start of the one, finish or start of the other.
func linkType(s string) bool {
	switch s {
	case "FF", "FS", "SF", "SS":
		return true
	}
	return false
}
