package events

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

func TestChildren(t *testing.T) {
	at := smartsheet.Time{Time: time.Date(2026, 11, 20, 12, 0, 4, 0, time.FixedZone("", 7200))}
	view, err := NewView(Share{Partner: "acme", Sheet: "orders"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const row = 9007199254740993
	for name, test := range map[string]struct {
		got    Object
		schema json.RawMessage
		want   string
	}{
		"file": {
			view.Attachment(&smartsheet.Attachment{ID: 1, Name: "a <b>.pdf", MimeType: "application/pdf", AttachmentType: "FILE", SizeInKb: 12, CreatedAt: at}, row),
			AttachmentSchema(),
			`{"name":"a <b>.pdf","mimeType":"application/pdf","sizeInKb":12,"attachmentType":"FILE","createdAt":"2026-11-20T10:00:04Z","rowId":"9007199254740993"}`,
		},
		"empty file": {
			view.Attachment(&smartsheet.Attachment{Name: "a", AttachmentType: "FILE"}, 1),
			AttachmentSchema(),
			`{"name":"a","mimeType":null,"sizeInKb":0,"attachmentType":"FILE","createdAt":null,"rowId":"1"}`,
		},
		"link named by its URL": {
			view.Attachment(&smartsheet.Attachment{Name: "https://example.com/secret", AttachmentType: "LINK", CreatedAt: at}, 1),
			AttachmentSchema(),
			`{"name":null,"mimeType":null,"sizeInKb":null,"attachmentType":"LINK","createdAt":"2026-11-20T10:00:04Z","rowId":"1"}`,
		},
		"comment": {
			view.Comment(&smartsheet.Comment{Text: "Why?", CreatedAt: at, CreatedBy: &smartsheet.Actor{Email: "a@example.com"}}, row),
			CommentSchema(),
			`{"text":"Why?","createdAt":"2026-11-20T10:00:04Z","createdBy":{"email":"a@example.com","name":null},"rowId":"9007199254740993"}`,
		},
		"comment of nobody": {
			view.Comment(&smartsheet.Comment{Text: "Why?", CreatedAt: at, CreatedBy: &smartsheet.Actor{}}, 1),
			CommentSchema(),
			`{"text":"Why?","createdAt":"2026-11-20T10:00:04Z","createdBy":null,"rowId":"1"}`,
		},
		"comment of unknown": {
			view.Comment(&smartsheet.Comment{}, 1),
			CommentSchema(),
			`{"text":null,"createdAt":null,"createdBy":null,"rowId":"1"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want+"\n", encode(t, test.got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			satisfies(t, compileSchema(t, test.schema), test.got)
		})
	}
}
