package webhook_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// withChildren is undrafted with attachments and comments.
func withChildren() events.Request {
	r := undrafted()
	r.Kinds = []string{"row", "attachment", "comment"}
	return r
}

// told are the types of events since acme was last looked at, in their order,
// with the text or name that each tells.
func (w *world) told() []string {
	w.t.Helper()
	var list []string
	all := w.stream("acme")
	for _, m := range all {
		kind, _, ok := events.ParseSubject(m.Subject)
		if !ok || m.Sequence <= w.at["acme"] {
			continue
		}
		line := strings.TrimPrefix(m.Type, "sheetbridge.")
		for _, name := range map[events.Kind][]string{events.KindRow: {"no"}, events.KindAttachment: {"name"}, events.KindComment: {"text"}}[kind] {
			object := m.Data.After
			if object == nil {
				object = m.Data.Before
			}
			line += " " + strings.Trim(string(object.Get(name)), `"`)
		}
		list = append(list, strings.TrimSpace(line+" "+string(m.Data.Reason)))
	}
	w.at["acme"] = last(all)
	w.check("acme")
	return list
}

func (w *world) tells(doing string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.told()); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", doing, diff)
	}
}

func TestAttachmentsAndComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, withChildren())
	jane, row, draft := w.sim.As(w.jane), w.sheet.Rows[0], w.sheet.Rows[1]

	file, err := jane.AttachLink(w.sheet.ID, row, "plan.pdf", "https://canary.example/plan.pdf")
	must(t, err)
	w.settle()
	w.tells("attached", "attachment.created plan.pdf")

	thread, first, err := jane.Discuss(w.sheet.ID, row, "first")
	must(t, err)
	second, err := jane.Comment(w.sheet.ID, thread, "second")
	must(t, err)
	w.settle()
	created := w.told()
	if len(created) != 2 || !strings.HasPrefix(created[0], "comment.created") {
		t.Errorf("discussed: got %v, want two comments created", created)
	}
	must(t, jane.EditComment(w.sheet.ID, second, "second, edited"))
	w.settle()
	w.tells("edited", "comment.updated second, edited")

	_, err = jane.AttachLinkToComment(w.sheet.ID, first, "photo.png", "https://canary.example/photo.png")
	must(t, err)
	w.settle()
	w.tells("attached to a comment", "attachment.created photo.png")

	_, err = jane.AttachLink(w.sheet.ID, 0, "canary-sheet.pdf", "https://canary.example/x")
	must(t, err)
	_, _, err = jane.Discuss(w.sheet.ID, 0, "canary on the sheet")
	must(t, err)
	_, err = jane.AttachLink(w.sheet.ID, draft, "canary-draft.pdf", "https://canary.example/y")
	must(t, err)
	_, _, err = jane.Discuss(w.sheet.ID, draft, "canary on a draft")
	must(t, err)
	w.settle()
	w.tells("on the sheet and on a hidden row")

	must(t, jane.DeleteAttachment(w.sheet.ID, file))
	must(t, jane.DeleteComment(w.sheet.ID, second))
	w.settle()
	if diff := cmp.Diff([]string{"attachment.deleted plan.pdf deleted", "comment.deleted second, edited deleted"}, w.told()); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	must(t, jane.DeleteDiscussion(w.sheet.ID, thread))
	w.settle()
	w.tells("a discussion deleted", "attachment.deleted photo.png deleted", "comment.deleted first deleted")
	w.hides("acme", "canary", "example/")
}

func TestChildrenFollowTheirRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, withChildren())
	jane, row := w.sim.As(w.jane), w.sheet.Rows[0]
	_, err := jane.AttachLink(w.sheet.ID, row, "plan.pdf", "https://canary.example/plan.pdf")
	must(t, err)
	thread, _, err := jane.Discuss(w.sheet.ID, row, "hello")
	must(t, err)
	w.settle()
	w.told()

	w.edit(0, cells{"Status": "Draft"})
	w.settle()
	w.tells("left the view", "comment.deleted hello left-view", "attachment.deleted plan.pdf left-view", "row.deleted SO-1 left-view")
	_, err = jane.Comment(w.sheet.ID, thread, "again")
	must(t, err)
	w.settle()
	w.tells("commented out of sight")
	w.edit(0, cells{"Status": "Open"})
	w.settle()
	got := w.told()
	if len(got) != 4 || got[0] != "row.created SO-1" || got[1] != "attachment.created plan.pdf" {
		t.Errorf("came back: got %v, want the row, its attachment and both comments", got)
	}
	must(t, jane.DeleteRows(w.sheet.ID, row))
	w.settle()
	got = w.told()
	if len(got) != 4 || got[3] != "row.deleted SO-1 deleted" {
		t.Errorf("deleted: got %v, want what hangs on the row and then the row", got)
	}
	w.hides("acme", "canary")
}

func TestDiscussionDeletedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, withChildren())
	jane := w.sim.As(w.jane)
	thread, _, err := jane.Discuss(w.sheet.ID, w.sheet.Rows[0], "one")
	must(t, err)
	for _, text := range []string{"two", "three", "four"} {
		_, err := jane.Comment(w.sheet.ID, thread, text)
		must(t, err)
	}
	w.settle()
	w.told()
	// As if Smartsheet told of the discussion alone.
	w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	must(t, jane.DeleteDiscussion(w.sheet.ID, thread))
	must(t, w.sim.Wait(t.Context()))
	w.sim.SetCallbackFault(nil)
	hint := hintFor(w, `{"events":[{"objectType":"discussion","eventType":"deleted","id":`+itoa(thread)+`}]}`)
	must(t, w.inbox.Put(t.Context(), hint))
	w.settle()
	if got := w.told(); len(got) != 4 {
		t.Errorf("got %v, want four comments deleted", got)
	}
}

func TestKindsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, withChildren())
	jane := w.sim.As(w.jane)
	_, err := jane.AttachLink(w.sheet.ID, w.sheet.Rows[0], "canary.pdf", "https://a.example/")
	must(t, err)
	_, _, err = jane.Discuss(w.sheet.ID, w.sheet.Rows[0], "kept")
	must(t, err)
	w.settle()
	w.told()
	fewer := undrafted()
	fewer.Kinds = []string{"row", "comment"}
	w.put(fewer)
	w.hides("acme", "canary")
	w.tells("attachments are no longer shown", "attachment.deleted  share", "row.updated SO-1", "comment.updated kept")
	w.put(withChildren())
	w.tells("attachments are shown again", "attachment.created canary.pdf")
}

// TestManyChildren goes beyond what is asked for one by one.
func TestManyChildren(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, withChildren())
	jane := w.sim.As(w.jane)
	var rows []smartsheettest.Row
	for range 30 {
		rows = append(rows, smartsheettest.Row{Cells: cells{"No": "many", "Status": "Open"}})
	}
	ids, err := jane.AddRows(w.sheet.ID, rows...)
	must(t, err)
	for _, id := range ids {
		_, _, err := jane.Discuss(w.sheet.ID, id, "on "+itoa(id))
		must(t, err)
	}
	w.settle()
	w.check("acme")
	must(t, jane.DeleteRows(w.sheet.ID, ids...))
	w.settle()
	w.check("acme")
}
