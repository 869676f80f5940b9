package smartsheet

import (
	"context"
	"iter"
)

// Kinds of object that an attachment or a discussion hangs on.
const (
	ParentSheet   = "SHEET"
	ParentRow     = "ROW"
	ParentComment = "COMMENT"
)

// Attachment is a file or link attached to a sheet, a row or a comment. Its
// address is left out: it opens the file for anyone who has it.
type Attachment struct {
	ID             int64  `json:"id"`
	Name           string `json:"name"`
	MimeType       string `json:"mimeType,omitempty"`
	AttachmentType string `json:"attachmentType,omitempty"` // FILE, LINK, GOOGLE_DRIVE, …
	SizeInKb       int64  `json:"sizeInKb,omitempty"`
	CreatedAt      Time   `json:"createdAt,omitzero"`
	ParentType     string `json:"parentType,omitempty"`
	ParentID       int64  `json:"parentId,omitempty"`
}

// Attachment reads one attachment of a sheet.
func (c *Client) Attachment(ctx context.Context, sheetID, attachmentID int64) (*Attachment, error) {
	r := request{route: "/sheets/{id}/attachments/{id}", ids: []int64{sheetID, attachmentID}}
	return get(ctx, c, r, func(a *Attachment) bool { return a.ID == attachmentID })
}

// Attachments lists all attachments of a sheet, of its rows and of their
// comments. An error ends the list.
func (c *Client) Attachments(ctx context.Context, sheetID int64) iter.Seq2[Attachment, error] {
	return pages[Attachment](ctx, c, request{route: "/sheets/{id}/attachments", ids: []int64{sheetID}})
}

// RowAttachments lists the attachments of a row and of its comments. An error
// ends the list.
func (c *Client) RowAttachments(ctx context.Context, sheetID, rowID int64) iter.Seq2[Attachment, error] {
	return pages[Attachment](ctx, c, request{route: "/sheets/{id}/rows/{id}/attachments", ids: []int64{sheetID, rowID}})
}
