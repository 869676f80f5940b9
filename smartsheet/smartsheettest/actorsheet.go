package smartsheettest

import "fmt"

// AddColumn adds a column at the right end and returns its id.
func (a Actor) AddColumn(sheetID int64, col Column) (int64, error) {
	a.server.lock()
	sh, index := a.server.sheets[sheetID], 0
	if sh != nil {
		index = len(sh.columns)
	}
	a.server.mu.Unlock()
	body := col.body()
	body["index"] = index
	var out result[identified]
	err := a.Do("POST", fmt.Sprintf("sheets/%d/columns", sheetID), body, &out)
	return out.Result.ID, err
}

// body is the column as requests hold it.
func (col Column) body() map[string]any {
	kind := col.Type
	if kind == "" {
		kind = "TEXT_NUMBER"
	}
	out := map[string]any{"title": col.Title, "type": kind}
	if col.Options != nil {
		out["options"] = col.Options
	}
	for name, text := range map[string]string{"symbol": col.Symbol, "systemColumnType": col.SystemType, "description": col.Description, "formula": col.Formula} {
		if text != "" {
			out[name] = text
		}
	}
	for name, yes := range map[string]bool{"validation": col.Validation, "hidden": col.Hidden, "locked": col.Locked} {
		if yes {
			out[name] = true
		}
	}
	return out
}

// RenameColumn gives a column another title.
func (a Actor) RenameColumn(sheetID, columnID int64, title string) error {
	return a.Do("PUT", fmt.Sprintf("sheets/%d/columns/%d", sheetID, columnID), map[string]any{"title": title}, nil)
}

// RetypeColumn gives a column another type, and options if it has any; its
// cells keep what they hold as far as the type can say it, and as text else.
func (a Actor) RetypeColumn(sheetID, columnID int64, kind string, options ...string) error {
	body := map[string]any{"type": kind}
	if len(options) > 0 {
		body["options"] = options
	}
	return a.Do("PUT", fmt.Sprintf("sheets/%d/columns/%d", sheetID, columnID), body, nil)
}

// DeleteColumn deletes a column with its cells.
func (a Actor) DeleteColumn(sheetID, columnID int64) error {
	return a.Do("DELETE", fmt.Sprintf("sheets/%d/columns/%d", sheetID, columnID), nil, nil)
}

// AttachLink attaches a link to a row, or to the sheet if rowID is zero, and
// returns the attachment's id.
func (a Actor) AttachLink(sheetID, rowID int64, name, url string) (int64, error) {
	return a.attachTo(under(sheetID, rowID, "attachments"), name, url)
}

// AttachLinkToComment attaches a link to a comment.
func (a Actor) AttachLinkToComment(sheetID, commentID int64, name, url string) (int64, error) {
	return a.attachTo(fmt.Sprintf("sheets/%d/comments/%d/attachments", sheetID, commentID), name, url)
}

func (a Actor) attachTo(path, name, url string) (int64, error) {
	var out result[identified]
	err := a.Do("POST", path, map[string]any{"attachmentType": "LINK", "name": name, "url": url}, &out)
	return out.Result.ID, err
}

func under(sheetID, rowID int64, what string) string {
	if rowID == 0 {
		return fmt.Sprintf("sheets/%d/%s", sheetID, what)
	}
	return fmt.Sprintf("sheets/%d/rows/%d/%s", sheetID, rowID, what)
}

// DeleteAttachment deletes an attachment.
func (a Actor) DeleteAttachment(sheetID, attachmentID int64) error {
	return a.Do("DELETE", fmt.Sprintf("sheets/%d/attachments/%d", sheetID, attachmentID), nil, nil)
}

// Discuss opens a discussion on a row, or on the sheet if rowID is zero, with
// its first comment, and returns the ids of both.
func (a Actor) Discuss(sheetID, rowID int64, text string) (discussionID, commentID int64, err error) {
	var out result[struct {
		ID       int64        `json:"id"`
		Comments []identified `json:"comments"`
	}]
	body := map[string]any{"comment": map[string]any{"text": text}}
	if err := a.Do("POST", under(sheetID, rowID, "discussions"), body, &out); err != nil {
		return 0, 0, err
	}
	for _, on := range out.Result.Comments {
		commentID = on.ID
	}
	return out.Result.ID, commentID, nil
}

// Comment adds a comment to a discussion and returns its id.
func (a Actor) Comment(sheetID, discussionID int64, text string) (int64, error) {
	var out result[identified]
	err := a.Do("POST", fmt.Sprintf("sheets/%d/discussions/%d/comments", sheetID, discussionID), map[string]any{"text": text}, &out)
	return out.Result.ID, err
}

// EditComment gives a comment of the user another text.
func (a Actor) EditComment(sheetID, commentID int64, text string) error {
	return a.Do("PUT", fmt.Sprintf("sheets/%d/comments/%d", sheetID, commentID), map[string]any{"text": text}, nil)
}

// DeleteComment deletes a comment of the user, and its discussion if it was
// the last one there.
func (a Actor) DeleteComment(sheetID, commentID int64) error {
	return a.Do("DELETE", fmt.Sprintf("sheets/%d/comments/%d", sheetID, commentID), nil, nil)
}

// DeleteDiscussion deletes a discussion with its comments.
func (a Actor) DeleteDiscussion(sheetID, discussionID int64) error {
	return a.Do("DELETE", fmt.Sprintf("sheets/%d/discussions/%d", sheetID, discussionID), nil, nil)
}

// Share gives another user access to a sheet, or another level of it.
func (a Actor) Share(sheetID int64, with *User, level string) error {
	if id := a.server.shareID(sheetID, with); id != "" {
		return a.Do("PATCH", fmt.Sprintf("shares/%s?assetType=sheet&assetId=%d", id, sheetID), map[string]any{"accessLevel": level}, nil)
	}
	body := []map[string]any{{"email": with.Email, "accessLevel": level}}
	return a.Do("POST", fmt.Sprintf("shares?assetType=sheet&assetId=%d", sheetID), body, nil)
}

// Unshare takes a user's access to a sheet away.
func (a Actor) Unshare(sheetID int64, with *User) error {
	id := a.server.shareID(sheetID, with)
	return a.Do("DELETE", fmt.Sprintf("shares/%s?assetType=sheet&assetId=%d", id, sheetID), nil, nil)
}

func (s *Server) shareID(sheetID int64, u *User) string {
	s.lock()
	defer s.mu.Unlock()
	if sh := s.sheets[sheetID]; sh != nil && sh.access[u.ID] != nil {
		return sh.access[u.ID].id
	}
	return ""
}

// RenameSheet gives a sheet another name.
func (a Actor) RenameSheet(sheetID int64, name string) error {
	return a.Do("PUT", fmt.Sprintf("sheets/%d", sheetID), map[string]any{"name": name}, nil)
}

// DeleteSheet deletes a sheet; [Server.RestoreSheet] brings it back.
func (a Actor) DeleteSheet(sheetID int64) error {
	return a.Do("DELETE", fmt.Sprintf("sheets/%d", sheetID), nil, nil)
}

// RestoreSheet brings a deleted sheet back, with its webhooks. It reports
// whether there was such a sheet.
func (s *Server) RestoreSheet(sheetID int64) bool {
	s.lock()
	defer s.mu.Unlock()
	sh := s.sheets[sheetID]
	if sh == nil || !sh.deleted {
		return false
	}
	sh.deleted = false
	s.scopeChanged(sh)
	return true
}
