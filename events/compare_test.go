package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCompare is the table of what a partner is told, by what it last saw and what the
// share shows now. An event stands as: type, what it is about, before → after, what
// changed, and why.
func TestCompare(t *testing.T) {
	type side struct {
		version int64
		object  string // JSON; empty: nothing
		parent  string
	}
	never := side{version: -1}
	for _, test := range []struct {
		name        string
		kind        Kind
		last, now   side
		reason      Reason
		origin      Origin
		changeAgent []string
		want        string // events, with "; " between
	}{
		{"row that is new", KindRow, never, side{5, `{"a":1,"b":null}`, ""}, "", OriginCallback, nil,
			`row.created 7: null → {"a":1,"b":null} [a b] callback`},
		{"row that is new and hidden", KindRow, never, side{5, "", ""}, ReasonLeftView, OriginCallback, nil, ``},
		{"row that is as it was", KindRow, side{4, `{"a":1}`, ""}, side{5, `{"a":1}`, ""}, "", OriginReconcile, nil, ``},
		{"cell that changed", KindRow, side{4, `{"a":1,"b":"x"}`, ""}, side{5, `{"a":2,"b":"x"}`, ""}, "", OriginCallback, nil,
			`row.updated 7: {"a":1,"b":"x"} → {"a":2,"b":"x"} [a] callback`},
		{"cell that was emptied", KindRow, side{4, `{"a":1}`, ""}, side{5, `{"a":null}`, ""}, "", OriginCallback, nil,
			`row.updated 7: {"a":1} → {"a":null} [a] callback`},
		{"field that is new", KindRow, side{4, `{"a":1}`, ""}, side{5, `{"a":1,"b":2}`, ""}, "", OriginShare, nil,
			`row.updated 7: {"a":1} → {"a":1,"b":2} [b] share`},
		{"row of the same version", KindRow, side{5, `{"a":1}`, ""}, side{5, `{"a":2}`, ""}, "", OriginCallback, nil,
			`row.updated 7: {"a":1} → {"a":2} [a] callback`},
		{"reading that is older than what was seen", KindRow, side{6, `{"a":2}`, ""}, side{5, `{"a":1}`, ""}, "", OriginCallback, nil, ``},
		{"older reading of a row that was gone", KindRow, side{6, "", ""}, side{5, `{"a":1}`, ""}, "", OriginCallback, nil, ``},
		{"row that moved below another one", KindRow, side{4, `{"a":1}`, ""}, side{5, `{"a":1}`, "3"}, "", OriginCallback, nil,
			`row.updated 7 below 3: {"a":1} → {"a":1} [] callback`},
		{"row that moved from below another one", KindRow, side{4, `{"a":1}`, "3"}, side{5, `{"a":1}`, ""}, "", OriginCallback, nil,
			`row.updated 7: {"a":1} → {"a":1} [] callback`},
		{"row that was deleted", KindRow, side{4, `{"a":1}`, "3"}, side{5, "", ""}, ReasonDeleted, OriginCallback, nil,
			`row.deleted 7 below 3: {"a":1} → null [a] callback, deleted`},
		{"row that the filter hides", KindRow, side{4, `{"a":1}`, ""}, side{5, "", ""}, ReasonLeftView, OriginCallback, nil,
			`row.deleted 7: {"a":1} → null [a] callback, left-view`},
		{"row that a changed share hides", KindRow, side{4, `{"a":1}`, ""}, side{5, "", ""}, ReasonShare, OriginShare, nil,
			`row.deleted 7: {"a":1} → null [a] share, share`},
		{"row that is gone still", KindRow, side{4, "", ""}, side{5, "", ""}, ReasonDeleted, OriginReconcile, nil, ``},
		{"row that is back", KindRow, side{4, "", ""}, side{5, `{"a":1}`, ""}, "", OriginReconcile, nil,
			`row.created 7: null → {"a":1} [a] reconcile`},
		{"change by programs, and by us", KindRow, side{4, `{"a":1}`, ""}, side{5, `{"a":2}`, ""}, "", OriginCallback, []string{"sheetbridge:acme:1", "erp"},
			`row.updated 7: {"a":1} → {"a":2} [a] callback by erp`},
		{"attachment that is new", KindAttachment, never, side{5, `{"name":"a"}`, ""}, "", OriginCallback, nil,
			`attachment.created 7: null → {"name":"a"} [name] callback`},
		{"attachment that was replaced", KindAttachment, side{4, `{"name":"a"}`, ""}, side{5, `{"name":"b"}`, ""}, "", OriginCallback, nil,
			`attachment.deleted 7: {"name":"a"} → null [name] callback, deleted; attachment.created 7: null → {"name":"b"} [name] callback`},
		{"comment that changed", KindComment, side{4, `{"text":"a"}`, ""}, side{5, `{"text":"b"}`, ""}, "", OriginCallback, nil,
			`comment.updated 7: {"text":"a"} → {"text":"b"} [text] callback`},
		{"comment that was deleted", KindComment, side{4, `{"text":"a"}`, ""}, side{5, "", ""}, ReasonDeleted, OriginReconcile, nil,
			`comment.deleted 7: {"text":"a"} → null [text] reconcile, deleted`},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := func(text string) (o Object) {
				if text != "" {
					if err := json.Unmarshal([]byte(text), &o); err != nil {
						t.Fatal(err)
					}
				}
				return o
			}
			row := func(s side) *RowRef {
				if test.kind != KindRow || s.object == "" {
					return nil
				}
				ref := &RowRef{ID: 7}
				if s.parent != "" {
					ref.ParentID = &s.parent
				}
				return ref
			}
			var last *Seen
			if test.last != never {
				last = &Seen{Version: test.last.version, After: object(test.last.object), Row: row(test.last)}
			}
			share := &Share{Partner: "acme", Sheet: "orders", SheetID: 1}
			got, err := share.Compare(last, Reading{
				Kind: test.kind, ID: 7, Version: test.now.version, Time: time.Unix(1, 0).UTC(), Row: row(test.now), Now: object(test.now.object),
				Reason: test.reason, Origin: test.origin, ChangeAgent: test.changeAgent,
			})
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, e := range got {
				told = append(told, inWords(t, e))
			}
			if text := strings.Join(told, "; "); text != test.want {
				t.Errorf("got  %s\nwant %s", text, test.want)
			}
		})
	}
}

// inWords is an event in one line.
func inWords(t *testing.T, e Event) string {
	t.Helper()
	d, ok := e.Data.(ObjectData)
	if !ok {
		t.Fatalf("got data %T of %s", e.Data, e.Type)
	}
	text := strings.TrimPrefix(e.Type, "sheetbridge.") + " " + e.Subject[strings.LastIndex(e.Subject, "/")+1:]
	if d.Row != nil && d.Row.ParentID != nil {
		text += " below " + *d.Row.ParentID
	}
	before, err := json.Marshal(d.Before)
	if err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(d.After)
	if err != nil {
		t.Fatal(err)
	}
	text += fmt.Sprintf(": %s → %s %v %s", before, after, d.Changed, d.Origin)
	if d.Reason != "" {
		text += ", " + string(d.Reason)
	}
	if len(d.ChangeAgent) > 0 {
		text += " by " + strings.Join(d.ChangeAgent, ", ")
	}
	return text
}
