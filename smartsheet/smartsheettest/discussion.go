package smartsheettest

import (
	"slices"
	"time"
)

type discussion struct {
	id       int64
	title    string
	row      int64 // 0: the sheet itself
	by       int64
	comments []*comment
}

type comment struct {
	id                int64
	of                *discussion
	text              string
	by                int64
	created, modified time.Time
}

func (s *Server) commentJSON(sh *sheet, on *comment, attachments bool) map[string]any {
	out := map[string]any{
		"id": on.id, "text": on.text, "createdBy": s.person(on.by), "createdAt": wire(on.created), "modifiedAt": wire(on.modified),
	}
	if list := s.attachmentsOf(sh, "COMMENT", on.id); attachments && len(list) > 0 {
		out["attachments"] = list
	}
	return out
}

func (s *Server) discussionJSON(sh *sheet, d *discussion, comments, attachments bool) map[string]any {
	out := map[string]any{
		"id": d.id, "title": d.title, "parentType": "SHEET", "parentId": sh.id, "accessLevel": AccessOwner, "readOnly": false,
		"commentCount": len(d.comments), "createdBy": s.person(d.by),
	}
	if d.row != 0 {
		out["parentType"], out["parentId"] = "ROW", d.row
	}
	if n := len(d.comments); n > 0 {
		out["lastCommentedAt"], out["lastCommentedUser"] = wire(d.comments[n-1].created), s.person(d.comments[n-1].by)
	}
	if comments {
		list := []any{}
		for _, on := range d.comments {
			list = append(list, s.commentJSON(sh, on, attachments))
		}
		out["comments"] = list
	}
	return out
}

// discussionsOf are those of a row, or of the sheet itself for 0.
func (s *Server) discussionsOf(sh *sheet, row int64, comments bool) []map[string]any {
	list := []map[string]any{}
	for _, d := range sh.discussions {
		if d.row == row {
			list = append(list, s.discussionJSON(sh, d, comments, false))
		}
	}
	return list
}

func (s *Server) listDiscussions(c *call) (any, error) {
	sh, only := c.sheet, c.row
	list := []map[string]any{}
	for _, d := range sh.discussions {
		if only == nil || d.row == only.id {
			list = append(list, s.discussionJSON(sh, d, c.includes("comments"), c.includes("attachments")))
		}
	}
	return paged(c, list)
}

func (sh *sheet) comment(id int64) *comment {
	for _, d := range sh.discussions {
		for _, on := range d.comments {
			if on.id == id {
				return on
			}
		}
	}
	return nil
}

func (s *Server) getDiscussion(c *call) (any, error) {
	return s.discussionJSON(c.sheet, c.discussion, true, true), nil
}

func (s *Server) getComment(c *call) (any, error) {
	out := s.commentJSON(c.sheet, c.comment, true)
	out["discussionId"] = c.comment.of.id
	return out, nil
}

type commentIn struct {
	Text string `json:"text"`
}

func (s *Server) createDiscussion(c *call) (any, error) {
	sh := c.sheet
	d := &discussion{by: c.user.ID}
	if c.row != nil {
		d.row = c.row.id
	}
	var in struct {
		Title   string    `json:"title"`
		Comment commentIn `json:"comment"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Comment.Text == "" {
		return nil, errMissing("discussion.comment")
	}
	d.id, d.title = s.ids.next(), in.Title
	if d.title == "" {
		runes := []rune(in.Comment.Text)
		d.title = string(runes[:min(len(runes), 100)])
	}
	on := s.newComment(c, d, in.Comment.Text)
	sh.discussions = append(sh.discussions, d)
	s.changed(c, sh, event{kind: "discussion", what: "created", id: d.id}, event{kind: "comment", what: "created", id: on.id})
	return success(s.discussionJSON(sh, d, true, false), sh.version), nil
}

func (s *Server) newComment(c *call, d *discussion, text string) *comment {
	on := &comment{id: s.ids.next(), of: d, text: text, by: c.user.ID, created: c.now, modified: c.now}
	d.comments = append(d.comments, on)
	return on
}

func (s *Server) addComment(c *call) (any, error) {
	sh, d := c.sheet, c.discussion
	var in commentIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Text == "" {
		return nil, errMissing("comment.text")
	}
	on := s.newComment(c, d, in.Text)
	s.changed(c, sh, event{kind: "comment", what: "created", id: on.id}, event{kind: "discussion", what: "updated", id: d.id})
	return success(s.commentJSON(sh, on, false), sh.version), nil
}

func (s *Server) updateComment(c *call) (any, error) {
	sh, on := c.sheet, c.comment
	var in commentIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if on.by != c.user.ID {
		return nil, failf(403, 1081, "You cannot delete or update another user's discussions, comments, or comment attachments.")
	}
	if in.Text == "" {
		return nil, errMissing("comment.text")
	}
	on.text, on.modified = in.Text, c.now
	s.changed(c, sh, event{kind: "comment", what: "updated", id: on.id})
	return success(s.commentJSON(sh, on, true), sh.version), nil
}

func (s *Server) deleteComment(c *call) (any, error) {
	sh, on := c.sheet, c.comment
	if on.by != c.user.ID {
		return nil, failf(403, 1081, "You cannot delete or update another user's discussions, comments, or comment attachments.")
	}
	events := s.removeComments(sh, on)
	on.of.comments = slices.DeleteFunc(on.of.comments, func(other *comment) bool { return other == on })
	if len(on.of.comments) == 0 {
		sh.discussions = slices.DeleteFunc(sh.discussions, func(d *discussion) bool { return d == on.of })
		events = append(events, event{kind: "discussion", what: "deleted", id: on.of.id})
	}
	s.changed(c, sh, events...)
	return success(nil, sh.version), nil
}

// removeComments takes away what is attached to comments that go.
func (s *Server) removeComments(sh *sheet, gone ...*comment) []event {
	var events []event
	for _, on := range gone {
		events = append(events, event{kind: "comment", what: "deleted", id: on.id})
		sh.attachments = slices.DeleteFunc(sh.attachments, func(a *attachment) bool {
			if a.parentType != "COMMENT" || a.parentID != on.id {
				return false
			}
			delete(s.files, a.secret)
			events = append(events, event{kind: "attachment", what: "deleted", id: a.id})
			return true
		})
	}
	return events
}

func (s *Server) deleteDiscussion(c *call) (any, error) {
	sh, d := c.sheet, c.discussion
	if level := sh.accessOf(c.user.ID); d.by != c.user.ID && !administers(level) {
		return nil, failf(403, 1081, "You cannot delete or update another user's discussions, comments, or comment attachments.")
	}
	events := append(s.removeComments(sh, d.comments...), event{kind: "discussion", what: "deleted", id: d.id})
	sh.discussions = slices.DeleteFunc(sh.discussions, func(other *discussion) bool { return other == d })
	s.changed(c, sh, events...)
	return success(nil, sh.version), nil
}
