package smartsheet

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// SheetsIn reads a place page by page, then the folders in it.
func TestSheetsIn(t *testing.T) {
	const of = "?childrenResourceTypes=sheets,folders"
	pages := map[string]string{
		"/2.0/workspaces/7/children" + of + "&maxItems=1000":           `{"data":[{"resourceType":"sheet","id":1,"name":"A","accessLevel":"VIEWER"},{"resourceType":"report","id":2,"name":"R"}],"lastKey":"k"}`,
		"/2.0/workspaces/7/children" + of + "&lastKey=k&maxItems=1000": `{"data":[{"resourceType":"folder","id":8,"name":"F"}]}`,
		"/2.0/folders/8/children" + of + "&maxItems=1000":              `{"data":[{"resourceType":"folder","id":9,"name":"G"},{"resourceType":"sheet","id":3,"name":"B"}]}`,
		"/2.0/folders/9/children" + of + "&maxItems=1000":              `{"data":[]}`,
		"/2.0/folders/10/children" + of + "&maxItems=1000":             `{"data":[{"resourceType":"folder","id":10,"name":"in itself"}]}`,
		"/2.0/folders/11/children" + of + "&maxItems=1000":             `{}`,
		"/2.0/folders/12/children" + of + "&maxItems=1000":             `{"data":[],"lastKey":"k"}`,
		"/2.0/folders/12/children" + of + "&lastKey=k&maxItems=1000":   `{"data":[],"lastKey":"k"}`,
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, ok := pages[r.URL.RequestURI()]
		if !ok {
			t.Errorf("got a request for %s", r.URL.RequestURI())
		}
		answer(200, body)(w, r)
	})
	sheets, err := c.SheetsIn(t.Context(), true, 7)
	want := []SheetInfo{{ID: 1, Name: "A", AccessLevel: "VIEWER"}, {ID: 3, Name: "B"}}
	if diff := cmp.Diff(want, sheets); diff != "" || err != nil {
		t.Errorf("got error %v, sheets (-want +got):\n%s", err, diff)
	}
	for folder, words := range map[int64]string{10: "more than 1000 folders", 11: "not about what was asked for", 12: "does not end"} {
		if got, err := c.SheetsIn(t.Context(), false, folder); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("folder %d: got %v, %v, want an error with %q", folder, got, err, words)
		}
	}
}
