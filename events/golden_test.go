package events

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// testKey masks in tests.
const testKey = "a key of the partner in the tests"

// golden runs check on each archive of a folder below testdata, and compares
// what it returns with the files of the same names in the archive. With
// UPDATE_GOLDEN set they are written instead.
func golden(t *testing.T, folder string, check func(t *testing.T, in map[string][]byte) map[string]string) {
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := map[string][]byte{}
			for _, f := range archive.Files {
				in[f.Name] = f.Data
			}
			got := check(t, in)
			for i, f := range archive.Files {
				text, ok := got[f.Name]
				if !ok {
					continue
				}
				delete(got, f.Name)
				if os.Getenv("UPDATE_GOLDEN") != "" {
					archive.Files[i].Data = []byte(text)
				} else if diff := cmp.Diff(string(f.Data), text); diff != "" {
					t.Errorf("%s: (-want +got)\n%s", f.Name, diff)
				}
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// decode reads JSON strictly.
func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decoding %.60s: %v", data, err)
	}
	return v
}

// encode writes JSON in one line.
func encode(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func allTypes(t testing.TB) smartsheet.Sheet {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "sheet-all-types.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sheet smartsheet.Sheet
	if err := json.Unmarshal(data, &sheet); err != nil {
		t.Fatal(err)
	}
	return sheet
}

// TestViewGolden shows the rows of sheet.json (or, without it, of the sheet
// with all types) as request.json wants them: one line each in rows.jsonl.
func TestViewGolden(t *testing.T) {
	golden(t, "view", func(t *testing.T, in map[string][]byte) map[string]string {
		sheet := allTypes(t)
		if raw, ok := in["sheet.json"]; ok {
			sheet = decode[smartsheet.Sheet](t, raw)
		}
		share, err := decode[Request](t, in["request.json"]).Resolve(sheet)
		if err != nil {
			t.Fatal(err)
		}
		view, err := NewView(share, []byte(testKey))
		if err != nil {
			t.Fatal(err)
		}
		types := map[int64]smartsheet.ColumnType{}
		if raw, ok := in["types.json"]; ok {
			types = decode[map[int64]smartsheet.ColumnType](t, raw)
		}
		rows := ""
		for i := range sheet.Rows {
			after, shown := view.Row(&sheet.Rows[i], types)
			if shown != (after != nil) {
				t.Errorf("row %d: got shown %v of %v", i, shown, after)
			}
			if shown {
				rows += encode(t, after)
			} else {
				rows += "hidden\n"
			}
		}
		return map[string]string{"rows.jsonl": rows, "schema.json": string(share.Schema()) + "\n"}
	})
}

// TestChangeGolden resolves old.json and new.json over the sheet with all
// types, and says what the change means and what it leaves of the rows as the
// old share shows them, and of stored.jsonl.
func TestChangeGolden(t *testing.T) {
	golden(t, "change", func(t *testing.T, in map[string][]byte) map[string]string {
		sheet := allTypes(t)
		old, err := decode[Request](t, in["old.json"]).Resolve(sheet)
		if err != nil {
			t.Fatal(err)
		}
		next, err := decode[Request](t, in["new.json"]).Resolve(sheet)
		if err != nil {
			t.Fatal(err)
		}
		before, err := NewView(old, []byte(testKey))
		if err != nil {
			t.Fatal(err)
		}
		now, err := NewView(next, []byte(testKey))
		if err != nil {
			t.Fatal(err)
		}
		change, rows := DiffShares(old, next), ""
		for i := range sheet.Rows {
			was, shown := before.Row(&sheet.Rows[i], nil)
			if !shown {
				continue
			}
			if narrow, keep := change.Narrow(now, was); keep {
				rows += encode(t, narrow)
			} else {
				rows += "hidden\n"
			}
		}
		return map[string]string{"change.json": encode(t, change), "narrow.jsonl": rows}
	})
}
