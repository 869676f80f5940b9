package smartsheet

import (
	"context"
	"iter"
	"net/url"
)

// Comment is one comment of a discussion. Alone it does not tell its row: its
// discussion does.
type Comment struct {
	ID           int64  `json:"id"`
	DiscussionID int64  `json:"discussionId,omitempty"`
	Text         string `json:"text"`
	CreatedAt    Time   `json:"createdAt,omitzero"`
	ModifiedAt   Time   `json:"modifiedAt,omitzero"`
	CreatedBy    *Actor `json:"createdBy,omitempty"`
}

// Discussion is a thread of comments on a sheet or a row.
type Discussion struct {
	ID         int64     `json:"id"`
	ParentType string    `json:"parentType,omitempty"` // ParentSheet or ParentRow
	ParentID   int64     `json:"parentId,omitempty"`
	Comments   []Comment `json:"comments,omitempty"`
}

// Comment reads one comment of a sheet.
func (c *Client) Comment(ctx context.Context, sheetID, commentID int64) (*Comment, error) {
	r := request{route: "/sheets/{id}/comments/{id}", ids: []int64{sheetID, commentID}}
	return get(ctx, c, r, func(m *Comment) bool { return m.ID == commentID })
}

// Discussion reads one discussion of a sheet with its comments.
func (c *Client) Discussion(ctx context.Context, sheetID, discussionID int64) (*Discussion, error) {
	r := request{route: "/sheets/{id}/discussions/{id}", ids: []int64{sheetID, discussionID}, query: withComments()}
	d, err := get(ctx, c, r, func(d *Discussion) bool { return d.ID == discussionID })
	if err != nil {
		return nil, err
	}
	d.own()
	return d, nil
}

// Discussions lists all discussions of a sheet and its rows with their
// comments. An error ends the list.
func (c *Client) Discussions(ctx context.Context, sheetID int64) iter.Seq2[Discussion, error] {
	return c.discussions(ctx, request{route: "/sheets/{id}/discussions", ids: []int64{sheetID}})
}

// RowDiscussions lists the discussions of a row with their comments. An error
// ends the list.
func (c *Client) RowDiscussions(ctx context.Context, sheetID, rowID int64) iter.Seq2[Discussion, error] {
	return c.discussions(ctx, request{route: "/sheets/{id}/rows/{id}/discussions", ids: []int64{sheetID, rowID}})
}

func (c *Client) discussions(ctx context.Context, r request) iter.Seq2[Discussion, error] {
	r.query = withComments()
	return func(yield func(Discussion, error) bool) {
		for d, err := range pages[Discussion](ctx, c, r) {
			d.own()
			if !yield(d, err) {
				return
			}
		}
	}
}

func withComments() url.Values { return url.Values{"include": {"comments"}} }

// own names the discussion in its comments, where Smartsheet leaves that out.
func (d *Discussion) own() {
	for i := range d.Comments {
		d.Comments[i].DiscussionID = d.ID
	}
}
