package inbox_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func fromBody(t testing.TB, body string) *inbox.Hint {
	t.Helper()
	cb, err := smartsheet.ParseCallback([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return inbox.FromCallback("r1", cb, noon)
}

func TestFromCallback(t *testing.T) {
	t.Parallel()
	whole := &inbox.Hint{Whole: true}
	full := &inbox.Hint{Whole: true, Full: true}
	row := func(r inbox.Row) *inbox.Hint { return &inbox.Hint{Rows: map[int64]inbox.Row{71: r}} }
	for name, tt := range map[string]struct {
		events string
		want   *inbox.Hint
	}{
		"nothing":              {``, nil},
		"sheet updated":        {`{"objectType":"sheet","eventType":"updated","id":7}`, whole},
		"row created":          {`{"objectType":"row","eventType":"created","id":71}`, row(inbox.Row{})},
		"row updated":          {`{"objectType":"row","eventType":"updated","id":71}`, row(inbox.Row{})},
		"row deleted":          {`{"objectType":"row","eventType":"deleted","id":71}`, row(inbox.Row{Deleted: true})},
		"row deleted and back": {`{"objectType":"row","eventType":"deleted","id":71},{"objectType":"row","eventType":"created","id":71}`, row(inbox.Row{Deleted: true})},
		"row with its sheet":   {`{"objectType":"sheet","eventType":"updated","id":7},{"objectType":"row","eventType":"updated","id":71}`, row(inbox.Row{})},
		"row by an agent":      {`{"objectType":"row","eventType":"updated","id":71,"changeAgent":"erp, crm"}`, row(inbox.Row{By: []inbox.Agent{{Name: "erp", Columns: []int64{0}}, {Name: "crm", Columns: []int64{0}}}})},
		"cells by agents": {`{"objectType":"row","eventType":"updated","id":71,"changeAgent":"erp"},{"objectType":"cell","eventType":"updated","rowId":71,"columnId":3,"changeAgent":"erp"},{"objectType":"cell","eventType":"updated","rowId":71,"columnId":2,"changeAgent":"erp,crm"}`,
			row(inbox.Row{By: []inbox.Agent{{Name: "erp", Columns: []int64{2, 3}}, {Name: "crm", Columns: []int64{2}}}})},
		"row made by an agent": {`{"objectType":"cell","eventType":"created","rowId":71,"columnId":3},{"objectType":"row","eventType":"created","id":71,"changeAgent":"erp"}`,
			row(inbox.Row{By: []inbox.Agent{{Name: "erp", Columns: []int64{0}}}})},
		"row by a write": {`{"objectType":"row","eventType":"updated","id":71,"changeAgent":"sheetbridge:acme:1","timestamp":"2026-11-20T12:00:01Z"},{"objectType":"cell","eventType":"updated","rowId":71,"columnId":2,"changeAgent":"sheetbridge:acme:1","timestamp":"2026-11-20T12:00:02Z"}`,
			&inbox.Hint{ChangedAt: noon.Add(time.Second), Rows: map[int64]inbox.Row{71: {By: []inbox.Agent{{Name: "sheetbridge:acme:1", Columns: []int64{2}}}, Echo: noon.Add(2 * time.Second)}}}},
		"row by a write and a person": {`{"objectType":"row","eventType":"updated","id":71,"changeAgent":"sheetbridge:acme:1","timestamp":"2026-11-20T12:00:01Z"},{"objectType":"row","eventType":"updated","id":71,"timestamp":"2026-11-20T12:00:02Z"}`,
			&inbox.Hint{ChangedAt: noon.Add(time.Second), Rows: map[int64]inbox.Row{71: {By: []inbox.Agent{{Name: "sheetbridge:acme:1", Columns: []int64{0}}}}}}},
		"row by a write within a program": {`{"objectType":"row","eventType":"updated","id":71,"changeAgent":"erp,sheetbridge:acme:1","timestamp":"2026-11-20T12:00:01Z"}`,
			&inbox.Hint{ChangedAt: noon.Add(time.Second), Rows: map[int64]inbox.Row{71: {By: []inbox.Agent{{Name: "erp", Columns: []int64{0}}, {Name: "sheetbridge:acme:1", Columns: []int64{0}}}}}}},
		"row without id":           {`{"objectType":"row","eventType":"updated"}`, whole},
		"cell created":             {`{"objectType":"cell","eventType":"created","rowId":71,"columnId":2}`, row(inbox.Row{})},
		"cell updated":             {`{"objectType":"cell","eventType":"updated","rowId":71,"columnId":2}`, row(inbox.Row{})},
		"cell deleted":             {`{"objectType":"cell","eventType":"deleted","rowId":71,"columnId":2}`, row(inbox.Row{})},
		"cell without row":         {`{"objectType":"cell","eventType":"updated","columnId":2}`, whole},
		"column created":           {`{"objectType":"column","eventType":"created","id":2}`, full},
		"column updated":           {`{"objectType":"column","eventType":"updated","id":2}`, full},
		"column deleted":           {`{"objectType":"column","eventType":"deleted","id":2}`, full},
		"attachment created":       {`{"objectType":"attachment","eventType":"created","id":5}`, &inbox.Hint{Attachments: []int64{5}}},
		"attachment deleted":       {`{"objectType":"attachment","eventType":"deleted","id":5}`, &inbox.Hint{Attachments: []int64{5}}},
		"attachment without id":    {`{"objectType":"attachment","eventType":"deleted"}`, full},
		"comment updated":          {`{"objectType":"comment","eventType":"updated","id":5}`, &inbox.Hint{Comments: []int64{5}}},
		"comment without id":       {`{"objectType":"comment","eventType":"updated"}`, full},
		"discussion deleted":       {`{"objectType":"discussion","eventType":"deleted","id":5}`, &inbox.Hint{Discussions: []int64{5}}},
		"discussion without id":    {`{"objectType":"discussion","eventType":"deleted"}`, full},
		"an object of the future":  {`{"objectType":"formula","eventType":"updated","id":5}`, full},
		"an event of the future":   {`{"objectType":"row","eventType":"moved","id":71}`, row(inbox.Row{})},
		"no object type":           {`{"eventType":"updated","id":71}`, full},
		"ids twice":                {`{"objectType":"comment","eventType":"updated","id":5},{"objectType":"comment","eventType":"deleted","id":5}`, &inbox.Hint{Comments: []int64{5}}},
		"null between":             {`null,{"objectType":"row","eventType":"updated","id":71}`, &inbox.Hint{Whole: true, Full: true, Rows: map[int64]inbox.Row{71: {}}}},
		"a number instead of text": {`{"objectType":"row","eventType":1,"id":71}`, &inbox.Hint{Whole: true, Full: true, Rows: map[int64]inbox.Row{71: {}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.want != nil {
				tt.want.Registration, tt.want.Why, tt.want.ReceivedAt = "r1", inbox.WhyCallback, noon
			}
			if diff := cmp.Diff(tt.want, fromBody(t, `{"webhookId":1,"events":[`+tt.events+`]}`)); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromCapturedCallbacks(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"event-callback-row-created.official-docs.json":                        "rows",
		"event-callback-row-created-cell-updated.captured-2022-prismatic.json": "rows",
		"SYNTHETIC-all-object-types.json":                                      "whole",
	} {
		body, err := os.ReadFile(filepath.Join("..", "..", "smartsheet", "testdata", "callbacks", file))
		if err != nil {
			t.Fatal(err)
		}
		h := fromBody(t, string(body))
		if h == nil || h.ChangedAt.IsZero() || (want == "whole") != h.Whole || len(h.Rows) == 0 {
			t.Errorf("%s: got %+v, want %s and when it changed", file, h, want)
		}
	}
}

// anyHint makes hints over few ids, so that they meet.
func anyHint(t *rapid.T, name string) inbox.Hint {
	ids := rapid.SliceOfN(rapid.Int64Range(1, 6), 0, 4)
	h := inbox.Hint{
		Registration: "r1",
		Why:          rapid.SampledFrom([]inbox.Why{inbox.WhyCallback, inbox.WhyReconcile, inbox.WhyAdmin, inbox.WhyShare}).Draw(t, name+" why"),
		Whole:        rapid.Bool().Draw(t, name+" whole"), Full: rapid.Bool().Draw(t, name+" full"), Webhook: rapid.Bool().Draw(t, name+" webhook"),
		Attachments: ids.Draw(t, name+" attachments"), Comments: ids.Draw(t, name+" comments"), Discussions: ids.Draw(t, name+" discussions"),
		Attempt:    rapid.IntRange(0, 3).Draw(t, name+" attempt"),
		ReceivedAt: noon.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, name+" received")) * time.Second),
	}
	if s := rapid.IntRange(0, 5).Draw(t, name+" changed"); s > 0 {
		h.ChangedAt = noon.Add(time.Duration(-s) * time.Second)
	}
	for _, id := range ids.Draw(t, name+" rows") {
		if h.Rows == nil {
			h.Rows = map[int64]inbox.Row{}
		}
		row := inbox.Row{Deleted: rapid.Bool().Draw(t, name+" deleted")}
		if s := rapid.IntRange(0, 2).Draw(t, name+" echo"); s > 0 {
			row.Echo = noon.Add(time.Duration(s) * time.Second)
		}
		for _, agent := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b"}), 0, 2, rapid.ID[string]).Draw(t, name+" agents") {
			columns := rapid.SliceOfNDistinct(rapid.Int64Range(0, 3), 1, 3, rapid.ID[int64]).Draw(t, name+" columns")
			slices.Sort(columns)
			row.By = append(row.By, inbox.Agent{Name: agent, Columns: columns})
		}
		h.Rows[id] = row
	}
	return h
}

func copyOf(t *rapid.T, h inbox.Hint) *inbox.Hint {
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	c := &inbox.Hint{}
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// effect is what a hint makes the relay do: the order of names does not count.
func effect(h *inbox.Hint) string {
	rows := ""
	for _, id := range slices.Sorted(maps.Keys(h.Rows)) {
		by := slices.Clone(h.Rows[id].By)
		slices.SortFunc(by, func(a, b inbox.Agent) int { return strings.Compare(a.Name, b.Name) })
		rows += fmt.Sprintf(" %d:%v%v", id, h.Rows[id].Deleted, by)
	}
	return fmt.Sprint(h.Why, h.Whole, h.Full, h.Webhook, rows, h.Attachments, h.Comments, h.Discussions, h.Attempt, h.ReceivedAt.UTC(), h.ChangedAt.UTC())
}

func merged(t *rapid.T, hints ...inbox.Hint) *inbox.Hint {
	all := copyOf(t, hints[0])
	for _, h := range hints[1:] {
		all.Merge(copyOf(t, h))
	}
	return all
}

func TestMerge(t *testing.T) {
	t.Parallel()
	eventstest.Property(t, 40, func(t *rapid.T) {
		a, b, c := anyHint(t, "a"), anyHint(t, "b"), anyHint(t, "c")
		if x, y := effect(merged(t, a, b)), effect(merged(t, b, a)); x != y {
			t.Errorf("the order of two matters:\n%s\n%s", x, y)
		}
		ab, bc := merged(t, a, b), merged(t, b, c)
		if x, y := effect(merged(t, *ab, c)), effect(merged(t, a, *bc)); x != y {
			t.Errorf("the grouping of three matters:\n%s\n%s", x, y)
		}
		if x, y := effect(merged(t, *ab, *ab)), effect(ab); x != y {
			t.Errorf("merging with itself changes it:\n%s\n%s", x, y)
		}
		for _, h := range []inbox.Hint{a, b} {
			if x, y := effect(merged(t, *ab, h)), effect(ab); x != y {
				t.Errorf("something of a part was forgotten:\n%s\n%s", x, y)
			}
		}
	})
}

func TestHintsAreBounded(t *testing.T) {
	t.Parallel()
	agent := make([]byte, 1000)
	for i := range agent {
		agent[i] = 'a'
	}
	many := func(n int, agents ...string) *inbox.Hint {
		h := &inbox.Hint{Registration: "r1", Rows: map[int64]inbox.Row{}}
		for i := range n {
			var row inbox.Row
			for _, name := range agents {
				row.By = append(row.By, inbox.Agent{Name: name, Columns: []int64{0}})
			}
			h.Rows[int64(i+1)] = row
		}
		return h
	}
	for name, tt := range map[string]struct {
		hint  *inbox.Hint
		whole bool
		rows  int
	}{
		"as many as may be":       {many(inbox.MaxRows), false, inbox.MaxRows},
		"more rows":               {many(inbox.MaxRows + 1), true, 0},
		"more rows with agents":   {many(inbox.MaxRows+1, "erp"), true, 0},
		"agents that fill a book": {many(100, string(agent)), false, 100},
	} {
		t.Run(name, func(t *testing.T) {
			h := &inbox.Hint{Registration: "r1"}
			h.Merge(tt.hint)
			if h.Whole != tt.whole || len(h.Rows) != tt.rows {
				t.Errorf("got whole %v and %d rows, want %v and %d", h.Whole, len(h.Rows), tt.whole, tt.rows)
			}
			text, err := json.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > 128<<10 {
				t.Errorf("got a hint of %d bytes, want a bounded one", len(text))
			}
		})
	}
	h := &inbox.Hint{Registration: "r1"}
	for i := range 2 * inbox.MaxRows {
		h.Merge(&inbox.Hint{Attachments: []int64{int64(i + 1)}})
	}
	if !h.Whole || !h.Full || len(h.Attachments) > inbox.MaxRows {
		t.Errorf("got whole %v and %d attachments, want the whole sheet", h.Whole, len(h.Attachments))
	}
}

// TestAgents: who wrote a cell is told to those alone who see its column.
func TestAgents(t *testing.T) {
	t.Parallel()
	h := fromBody(t, `{"webhookId":1,"events":[
		{"objectType":"row","eventType":"updated","id":71,"changeAgent":"erp,margin-bot"},
		{"objectType":"cell","eventType":"updated","rowId":71,"columnId":2,"changeAgent":"erp"},
		{"objectType":"cell","eventType":"updated","rowId":71,"columnId":3,"changeAgent":"margin-bot"}]}`)
	for name, c := range map[string]struct {
		columns []int64
		want    []string
	}{
		"both":    {[]int64{2, 3}, []string{"erp", "margin-bot"}},
		"one":     {[]int64{2}, []string{"erp"}},
		"neither": {[]int64{4}, nil},
	} {
		got := h.Rows[71].Agents(func(id int64) bool { return slices.Contains(c.columns, id) })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
