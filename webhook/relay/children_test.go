package relay_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// withChildren is undrafted with attachments and comments.
func withChildren() events.Request {
	r := webhooktest.Undrafted()
	r.Kinds = []string{"row", "attachment", "comment"}
	return r
}

func TestAttachmentsAndComments(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, withChildren())
	jane, row, draft := w.Sim.As(w.Jane), w.Sheet.Rows[0], w.Sheet.Rows[1]

	file, err := jane.AttachLink(w.Sheet.ID, row, "plan.pdf", "https://canary.example/plan.pdf")
	webhooktest.Must(t, err)
	w.Settle()
	w.WantNewEvents("attached", "attachment.created plan.pdf")

	thread, first, err := jane.Discuss(w.Sheet.ID, row, "first")
	webhooktest.Must(t, err)
	second, err := jane.Comment(w.Sheet.ID, thread, "second")
	webhooktest.Must(t, err)
	w.Settle()
	created := w.NewEvents()
	if len(created) != 2 || !strings.HasPrefix(created[0], "comment.created") {
		t.Errorf("discussed: got %v, want two comments created", created)
	}
	webhooktest.Must(t, jane.EditComment(w.Sheet.ID, second, "second, edited"))
	w.Settle()
	w.WantNewEvents("edited", "comment.updated second, edited")

	_, err = jane.AttachLinkToComment(w.Sheet.ID, first, "photo.png", "https://canary.example/photo.png")
	webhooktest.Must(t, err)
	w.Settle()
	w.WantNewEvents("attached to a comment", "attachment.created photo.png")

	_, err = jane.AttachLink(w.Sheet.ID, 0, "canary-sheet.pdf", "https://canary.example/x")
	webhooktest.Must(t, err)
	_, _, err = jane.Discuss(w.Sheet.ID, 0, "canary on the sheet")
	webhooktest.Must(t, err)
	_, err = jane.AttachLink(w.Sheet.ID, draft, "canary-draft.pdf", "https://canary.example/y")
	webhooktest.Must(t, err)
	_, _, err = jane.Discuss(w.Sheet.ID, draft, "canary on a draft")
	webhooktest.Must(t, err)
	w.Settle()
	w.WantNewEvents("on the sheet and on a hidden row")

	webhooktest.Must(t, jane.DeleteAttachment(w.Sheet.ID, file))
	webhooktest.Must(t, jane.DeleteComment(w.Sheet.ID, second))
	w.Settle()
	if diff := cmp.Diff([]string{"attachment.deleted plan.pdf deleted", "comment.deleted second, edited deleted"}, w.NewEvents()); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	webhooktest.Must(t, jane.DeleteDiscussion(w.Sheet.ID, thread))
	w.Settle()
	w.WantNewEvents("a discussion deleted", "attachment.deleted photo.png deleted", "comment.deleted first deleted")
	w.WantNoWords("acme", "canary", "example/")
}

func TestChildrenFollowTheirRow(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, withChildren())
	jane, row := w.Sim.As(w.Jane), w.Sheet.Rows[0]
	_, err := jane.AttachLink(w.Sheet.ID, row, "plan.pdf", "https://canary.example/plan.pdf")
	webhooktest.Must(t, err)
	thread, _, err := jane.Discuss(w.Sheet.ID, row, "hello")
	webhooktest.Must(t, err)
	w.Settle()
	w.NewEvents()

	w.Edit(0, webhooktest.Cells{"Status": "Draft"})
	w.Settle()
	w.WantNewEvents("left the view", "comment.deleted hello left-view", "attachment.deleted plan.pdf left-view", "row.deleted SO-1 left-view")
	_, err = jane.Comment(w.Sheet.ID, thread, "again")
	webhooktest.Must(t, err)
	w.Settle()
	w.WantNewEvents("commented out of sight")
	w.Edit(0, webhooktest.Cells{"Status": "Open"})
	w.Settle()
	got := w.NewEvents()
	if len(got) != 4 || got[0] != "row.created SO-1" || got[1] != "attachment.created plan.pdf" {
		t.Errorf("came back: got %v, want the row, its attachment and both comments", got)
	}
	webhooktest.Must(t, jane.DeleteRows(w.Sheet.ID, row))
	w.Settle()
	got = w.NewEvents()
	if len(got) != 4 || got[3] != "row.deleted SO-1 deleted" {
		t.Errorf("deleted: got %v, want what hangs on the row and then the row", got)
	}
	w.WantNoWords("acme", "canary")
}

func TestDiscussionDeletedWhole(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, withChildren())
	jane := w.Sim.As(w.Jane)
	thread, _, err := jane.Discuss(w.Sheet.ID, w.Sheet.Rows[0], "one")
	webhooktest.Must(t, err)
	for _, text := range []string{"two", "three", "four"} {
		_, err := jane.Comment(w.Sheet.ID, thread, text)
		webhooktest.Must(t, err)
	}
	w.Settle()
	w.NewEvents()
	// As if Smartsheet told of the discussion alone.
	w.Sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	webhooktest.Must(t, jane.DeleteDiscussion(w.Sheet.ID, thread))
	webhooktest.Must(t, w.Sim.Wait(t.Context()))
	w.Sim.SetCallbackFault(nil)
	hint := webhooktest.HintFor(w, `{"events":[{"objectType":"discussion","eventType":"deleted","id":`+webhooktest.FormatID(thread)+`}]}`)
	webhooktest.Must(t, w.Inbox.Put(t.Context(), hint))
	w.Settle()
	if got := w.NewEvents(); len(got) != 4 {
		t.Errorf("got %v, want four comments deleted", got)
	}
}

func TestKindsRemoved(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, withChildren())
	jane := w.Sim.As(w.Jane)
	_, err := jane.AttachLink(w.Sheet.ID, w.Sheet.Rows[0], "canary.pdf", "https://a.example/")
	webhooktest.Must(t, err)
	_, _, err = jane.Discuss(w.Sheet.ID, w.Sheet.Rows[0], "kept")
	webhooktest.Must(t, err)
	w.Settle()
	w.NewEvents()
	fewer := webhooktest.Undrafted()
	fewer.Kinds = []string{"row", "comment"}
	w.Put(fewer)
	w.WantNoWords("acme", "canary")
	w.WantNewEvents("attachments are no longer shown", "attachment.deleted  share", "row.updated SO-1", "comment.updated kept")
	w.Put(withChildren())
	w.WantNewEvents("attachments are shown again", "attachment.created canary.pdf")
}

// TestManyChildren goes beyond what is asked for one by one.
func TestManyChildren(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, withChildren())
	jane := w.Sim.As(w.Jane)
	var rows []smartsheettest.Row
	for range 30 {
		rows = append(rows, smartsheettest.Row{Cells: webhooktest.Cells{"No": "many", "Status": "Open"}})
	}
	ids, err := jane.AddRows(w.Sheet.ID, rows...)
	webhooktest.Must(t, err)
	for _, id := range ids {
		_, _, err := jane.Discuss(w.Sheet.ID, id, "on "+webhooktest.FormatID(id))
		webhooktest.Must(t, err)
	}
	w.Settle()
	w.Check("acme")
	webhooktest.Must(t, jane.DeleteRows(w.Sheet.ID, ids...))
	w.Settle()
	w.Check("acme")
}
