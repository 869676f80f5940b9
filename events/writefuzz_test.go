package events

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzCellWrite converts whatever value into a cell of each type. What is taken is there
// afterwards as it was asked for, or as nothing; and no text becomes a formula.
func FuzzCellWrite(f *testing.F) {
	for _, seed := range []string{
		`null`, `""`, `"=1+1"`, `"Done"`, `9007199254740993`, `-0`, `1.50`, `1e3`, `true`, `"2026-11-30"`, `"2026-02-30"`, `"2026-11-30T10:00:00Z"`, `"P4DT6H"`, `"PT"`,
		`{"email":"jane@a.example","name":"Jane"}`, `{"name":"Jane","email":null}`, `[{"email":"jane@a.example","name":null}]`, `["a","b","a"]`, `[]`, `[{"rowId":"1","type":"FS","lag":null}]`, `"\u0000"`,
	} {
		f.Add([]byte(seed))
	}
	columns := writableColumns()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		value := Canonical(raw)
		for _, column := range columns {
			ct := column.Type
			cell, err := CellWrite(column, value)
			if err != nil {
				if err.Error() == "" {
					t.Fatalf("%s: refused without words", ct)
				}
				continue
			}
			if body, err := json.Marshal(cell); err != nil {
				t.Fatalf("%s: %s makes a cell that is no JSON: %v", ct, value, err)
			} else if bytes.Contains(body, []byte(`"formula"`)) {
				t.Fatalf("%s: %s makes a formula: %s", ct, value, body)
			}
			after := CellAfter(cell)
			if !SameValue(after, column, value) && !bytes.Equal(fieldValue(&after, ct), null()) {
				t.Fatalf("%s: %s makes the cell %+v, which reads as %s", ct, value, cell, fieldValue(&after, ct))
			}
		}
	})
}
