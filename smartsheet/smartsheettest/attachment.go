package smartsheettest

import (
	"bytes"
	"cmp"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"time"
)

type attachment struct {
	id          int64
	name        string
	description string
	kind        string // attachmentType
	url         string // of those that are not files
	mimeType    string
	content     []byte
	secret      string // in the temporary URL of a file
	expires     time.Time
	created     time.Time
	by          int64
	parentType  string // SHEET, ROW or COMMENT
	parentID    int64
}

// temporary is how long the URL of a file can be fetched.
const temporary = 2 * time.Minute

func (s *Server) attachmentJSON(a *attachment) map[string]any {
	out := map[string]any{
		"id": a.id, "name": a.name, "attachmentType": a.kind, "parentType": a.parentType, "parentId": a.parentID,
		"createdAt": wire(a.created), "createdBy": s.person(a.by),
	}
	if a.description != "" {
		out["description"] = a.description
	}
	if a.kind == "FILE" {
		out["mimeType"], out["sizeInKb"] = a.mimeType, (len(a.content)+1023)/1024
	}
	return out
}

func (s *Server) attachmentsOf(sh *sheet, parentType string, parent int64) []map[string]any {
	list := []map[string]any{}
	for _, a := range sh.attachments {
		if a.parentType == parentType && a.parentID == parent {
			list = append(list, s.attachmentJSON(a))
		}
	}
	return list
}

// listAttachments answers those of the sheet, or of a row with those of its
// comments, or of a discussion.
func (s *Server) listAttachments(c *call) (any, error) {
	sh := c.sheet
	wanted := func(a *attachment, d *discussion) bool {
		switch {
		case c.row != nil:
			return a.parentType == "ROW" && a.parentID == c.row.id || d != nil && d.row == c.row.id
		case c.discussion != nil:
			return d == c.discussion
		}
		return true
	}
	list := []map[string]any{}
	for _, a := range sh.attachments {
		if wanted(a, sh.discussionOfComment(a)) {
			list = append(list, s.attachmentJSON(a))
		}
	}
	return paged(c, list)
}

// discussionOfComment is the discussion whose comment the attachment is on.
func (sh *sheet) discussionOfComment(a *attachment) *discussion {
	if a.parentType != "COMMENT" {
		return nil
	}
	if found := sh.comment(a.parentID); found != nil {
		return found.of
	}
	return nil
}

func (s *Server) getAttachment(c *call) (any, error) {
	a := c.attachment
	out := s.attachmentJSON(a)
	out["url"] = a.url
	if a.kind == "FILE" {
		delete(s.files, a.secret)
		a.secret, a.expires = randomText(48, alphanumeric), c.now.Add(temporary)
		s.files[a.secret] = a
		out["url"], out["urlExpiresInMillis"] = c.base+"/files/"+a.secret, temporary.Milliseconds()
	}
	return out, nil
}

// file answers the contents behind a temporary URL.
func (s *Server) file(secret string) reply {
	s.lock()
	defer s.mu.Unlock()
	a := s.files[secret]
	if a == nil || s.now().After(a.expires) {
		return htmlReply(http.StatusForbidden)
	}
	return reply{status: http.StatusOK, kind: a.mimeType, body: a.content}
}

var linkTypes = []string{"LINK", "BOX_COM", "DROPBOX", "EGNYTE", "EVERNOTE", "GOOGLE_DRIVE", "ONEDRIVE"}

func (s *Server) attach(c *call) (any, error) {
	sh := c.sheet
	a := &attachment{created: c.now, by: c.user.ID, parentType: "SHEET", parentID: sh.id}
	switch {
	case c.row != nil:
		a.parentType, a.parentID = "ROW", c.row.id
	case c.comment != nil:
		a.parentType, a.parentID = "COMMENT", c.comment.id
	}
	var err error
	switch {
	case c.multipart() != "":
		err = a.uploadForm(c)
	case c.disposition != "":
		err = a.upload(c)
	default:
		err = a.link(c)
	}
	if err != nil {
		return nil, err
	}
	a.id = s.ids.next()
	sh.attachments = append(sh.attachments, a)
	s.changed(c, sh, event{kind: "attachment", what: "created", id: a.id})
	out := s.attachmentJSON(a)
	if a.url != "" {
		out["url"] = a.url
	}
	return success(out, sh.version), nil
}

func (a *attachment) upload(c *call) error {
	_, parameters, err := mime.ParseMediaType(c.disposition)
	if err != nil || parameters["filename"] == "" {
		return failf(400, 1011, "A required header was missing or invalid: Content-Disposition.")
	}
	if c.contentType == "" {
		return failf(400, 1091, "Invalid Content-Type: %s.", c.contentType)
	}
	return a.file(parameters["filename"], c.contentType, c.body)
}

// multipart is the boundary of a body that is a form with files in it, as some
// of the SDKs upload them; empty for any other.
func (c *call) multipart() string {
	kind, parameters, err := mime.ParseMediaType(c.contentType)
	if err != nil || kind != "multipart/form-data" {
		return ""
	}
	return parameters["boundary"]
}

// uploadForm takes the first file of a form.
func (a *attachment) uploadForm(c *call) error {
	form := multipart.NewReader(bytes.NewReader(c.body), c.multipart())
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			return errMissing("file")
		}
		if err != nil {
			return errUnparsable("malformed multipart body")
		}
		if part.FileName() == "" {
			continue
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return errUnparsable("the body ended early")
		}
		return a.file(part.FileName(), cmp.Or(part.Header.Get("Content-Type"), "application/octet-stream"), content)
	}
}

func (a *attachment) file(name, mimeType string, content []byte) error {
	if len(content) > maxFile {
		return errTooLarge(len(content))
	}
	a.kind, a.name, a.mimeType, a.content = "FILE", path.Base(name), mimeType, content
	return nil
}

func errTooLarge(size int) *Error {
	return failf(400, 1074, "You are trying to upload a file of %d bytes or more, but the API currently only supports %d.", size, maxFile)
}

func (a *attachment) link(c *call) error {
	var in struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Type        string `json:"attachmentType"`
		SubType     string `json:"attachmentSubType"`
		URL         string `json:"url"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	switch {
	case in.Type == "FILE":
		return failf(400, 1051, "Attachments of type FILE cannot be created using JSON.")
	case !slices.Contains(linkTypes, in.Type):
		return errAttribute(in.Type, "attachment.attachmentType")
	case in.URL == "":
		return errMissing("attachment.url")
	}
	a.kind, a.url, a.name, a.description = in.Type, in.URL, in.Name, in.Description
	if a.name == "" {
		a.name = in.URL
	}
	return nil
}

func (s *Server) deleteAttachment(c *call) (any, error) {
	sh, a := c.sheet, c.attachment
	delete(s.files, a.secret)
	sh.attachments = slices.DeleteFunc(sh.attachments, func(other *attachment) bool { return other == a })
	s.changed(c, sh, event{kind: "attachment", what: "deleted", id: a.id})
	return success(nil, sh.version), nil
}
