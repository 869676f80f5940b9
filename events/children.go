package events

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// Attachment returns an attachment as partners see it, on the row with the id.
// No URL is in it: neither the temporary one of a file, nor the URL of a link,
// which Smartsheet may give as its name.
func (v *View) Attachment(a *smartsheet.Attachment, rowID int64) Object {
	name, size := textOrNull(a.Name), json.RawMessage(strconv.FormatInt(a.SizeInKb, 10))
	if a.AttachmentType != "FILE" {
		if strings.Contains(a.Name, "://") {
			name = null()
		}
		if a.SizeInKb == 0 {
			size = null() // a link has none
		}
	}
	return Object{
		{Name: "name", JSON: name},
		{Name: "mimeType", JSON: textOrNull(a.MimeType)},
		{Name: "sizeInKb", JSON: size},
		{Name: "attachmentType", JSON: textOrNull(a.AttachmentType)},
		{Name: "createdAt", JSON: moment(a.CreatedAt)},
		{Name: "rowId", JSON: jsonID(rowID)},
	}
}

// Comment returns a comment as partners see it, on the row with the id.
func (v *View) Comment(c *smartsheet.Comment, rowID int64) Object {
	return Object{
		{Name: "text", JSON: textOrNull(c.Text)},
		{Name: "createdAt", JSON: moment(c.CreatedAt)},
		{Name: "createdBy", JSON: actor(c.CreatedBy)},
		{Name: "rowId", JSON: jsonID(rowID)},
	}
}

// moment is a time in RFC 3339, in UTC; null if it is not known.
func moment(t smartsheet.Time) json.RawMessage {
	if t.IsZero() {
		return null()
	}
	return textOrNull(timeOr(t.Time, ""))
}

// jsonID is an id as a JSON string: as a number, ids beyond 2^53 would lose
// digits in many languages.
func jsonID(id int64) json.RawMessage { return jsonString(strconv.FormatInt(id, 10)) }
