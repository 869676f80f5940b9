package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// Types of event, as the attribute `type` has them.
const (
	RowCreated        = "sheetbridge.row.created"
	RowUpdated        = "sheetbridge.row.updated"
	RowDeleted        = "sheetbridge.row.deleted"
	AttachmentCreated = "sheetbridge.attachment.created"
	AttachmentDeleted = "sheetbridge.attachment.deleted"
	CommentCreated    = "sheetbridge.comment.created"
	CommentUpdated    = "sheetbridge.comment.updated"
	CommentDeleted    = "sheetbridge.comment.deleted"
	SchemaChanged     = "sheetbridge.schema.changed"
	StatusChanged     = "sheetbridge.status.changed"
)

// StreamName is the name of the one stream that a partner's account has.
const StreamName = "EVENTS"

// ContentType is the media type of every message: a CloudEvents 1.0 event in
// structured mode.
const ContentType = "application/cloudevents+json"

// Origin says what made the bridge look.
type Origin string

// Origins of an event.
const (
	OriginSnapshot  Origin = "snapshot"  // the first load of a share, or a resend
	OriginCallback  Origin = "callback"  // Smartsheet reported a change
	OriginReconcile Origin = "reconcile" // a comparison of the whole sheet
	OriginShare     Origin = "share"     // the share itself changed
	OriginWrite     Origin = "write"     // the partner's own write
)

// Reason says why an object is no longer there for a partner.
type Reason string

// Reasons of a deletion.
const (
	ReasonDeleted  Reason = "deleted"   // gone from the sheet
	ReasonLeftView Reason = "left-view" // still in the sheet, no longer shown by the share
	ReasonShare    Reason = "share"     // hidden by a change of the share
)

// Event is a CloudEvents 1.0 event as it is published.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`     // UUIDv7, new for every event
	Source          string    `json:"source"` // /smartsheet/<region>/sheets/<id>
	Type            string    `json:"type"`
	Subject         string    `json:"subject"` // <sheet>/<kind>/<id>, <sheet>/schema or <sheet>/status
	Time            time.Time `json:"time"`    // when Smartsheet was read
	DataContentType string    `json:"datacontenttype"`
	TraceParent     string    `json:"traceparent,omitempty"`
	Data            any       `json:"data"` // ObjectData, SchemaData, StatusData or WriteData
}

// SheetRef names the sheet of an event: its id and version at Smartsheet, and
// the partner's name for it.
type SheetRef struct {
	ID      int64  `json:"id,string"`
	Name    string `json:"name"`
	Version int64  `json:"version"`
}

// RowRef is where a row stood when it was read. ParentID is nil at the top level.
type RowRef struct {
	ID         int64            `json:"id,string"`
	Number     int              `json:"number"`
	ParentID   *string          `json:"parentId"`
	ModifiedAt *smartsheet.Time `json:"modifiedAt"`
}

// RefOf returns the reference of a row that was read.
func RefOf(r *smartsheet.Row) *RowRef {
	ref := &RowRef{ID: r.ID, Number: r.RowNumber}
	if r.ParentID != 0 {
		parent := strconv.FormatInt(r.ParentID, 10)
		ref.ParentID = &parent
	}
	if !r.ModifiedAt.IsZero() {
		ref.ModifiedAt = &r.ModifiedAt
	}
	return ref
}

// sameParent tells whether two rows hang under the same parent; what is no row
// hangs nowhere.
func sameParent(a, b *RowRef) bool {
	if a == nil || b == nil || a.ParentID == nil || b.ParentID == nil {
		return (a == nil || a.ParentID == nil) == (b == nil || b.ParentID == nil)
	}
	return *a.ParentID == *b.ParentID
}

// ChildRef names an attachment or a comment.
type ChildRef struct {
	ID int64 `json:"id,string"`
}

// ObjectData is the data of a row, attachment or comment event.
type ObjectData struct {
	Sheet       SheetRef  `json:"sheet"`
	Row         *RowRef   `json:"row,omitempty"`
	Attachment  *ChildRef `json:"attachment,omitempty"`
	Comment     *ChildRef `json:"comment,omitempty"`
	Before      Object    `json:"before"`
	After       Object    `json:"after"`
	Changed     []string  `json:"changed"`
	Origin      Origin    `json:"origin"`
	Reason      Reason    `json:"reason,omitempty"`
	Write       string    `json:"write,omitempty"` // id of the partner's write, with OriginWrite
	ChangeAgent []string  `json:"changeAgent,omitempty"`
	Truncated   bool      `json:"truncated,omitempty"`
}

// SchemaData is the data of a schema event: what a share shows from here on.
// Reset says that the share showed more before; what stood below this message
// is removed from the stream.
type SchemaData struct {
	Revision int64           `json:"revision"`
	Reset    bool            `json:"reset,omitempty"`
	Schema   json.RawMessage `json:"schema"`
}

// State is how a share's stream stands.
type State string

// States of a share's stream.
const (
	StateLoading   State = "loading"   // the first load has not come to its end
	StateLive      State = "live"      // complete up to CompleteTo, and followed
	StateStale     State = "stale"     // something keeps the bridge from following
	StateSuspended State = "suspended" // the owner's token is refused
	StateEnded     State = "ended"     // the share was ended; nothing will follow
)

// CompleteTo is how far a stream is complete: it shows every state that the
// sheet had at that version.
type CompleteTo struct {
	Version int64     `json:"version"`
	Time    time.Time `json:"time"`
}

// StatusData is the data of a status event.
type StatusData struct {
	State      State       `json:"state"`
	Reason     string      `json:"reason"`
	Since      time.Time   `json:"since"`
	Mode       string      `json:"mode"` // webhook or polling
	CompleteTo *CompleteTo `json:"completeTo"`
	NextBefore *time.Time  `json:"nextBefore"` // no newer status by then: take the stream as stale
	Epoch      string      `json:"epoch"`
	Revision   int64       `json:"revision"` // of the share that CompleteTo speaks of
	ReadAt     *time.Time  `json:"readAt"`   // when the whole sheet was last read, not only its version
}

// NewEvent returns an event about what the share has under the subject's last
// tokens ("row", "7"), ("schema"), ("status").
func (s *Share) NewEvent(typ string, at time.Time, data any, tokens ...string) (Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Event{}, fmt.Errorf("making an event id: %w", err)
	}
	return Event{
		SpecVersion:     "1.0",
		ID:              id.String(),
		Source:          "/smartsheet/" + string(s.Region) + "/sheets/" + strconv.FormatInt(s.SheetID, 10),
		Type:            typ,
		Subject:         s.Sheet + "/" + strings.Join(tokens, "/"),
		Time:            at.UTC().Truncate(time.Millisecond),
		DataContentType: "application/json",
		Data:            data,
	}, nil
}

// SubjectAll is the NATS subject that covers all of the share.
func (s *Share) SubjectAll() string { return s.subject(">") }

// SubjectSchema is the NATS subject of the share's schema.
func (s *Share) SubjectSchema() string { return s.subject("schema") }

// SubjectStatus is the NATS subject of the share's status.
func (s *Share) SubjectStatus() string { return s.subject("status") }

// SubjectOf is the NATS subject of one object.
func (s *Share) SubjectOf(kind Kind, id int64) string {
	return s.subject(string(kind) + "." + strconv.FormatInt(id, 10))
}

// SubjectRow is the NATS subject of a row by its id in decimal.
func (s *Share) SubjectRow(id string) string { return s.subject("row." + id) }

// SubjectKind is the NATS subject that covers all objects of a kind.
func (s *Share) SubjectKind(kind Kind) string { return s.subject(string(kind) + ".*") }

func (s *Share) subject(rest string) string {
	return "smartsheet." + s.Partner + "." + s.Sheet + "." + rest
}

// ParseSubject returns kind and id of an object's subject; ok is false for any
// other subject: schema, status and the answers to writes.
func ParseSubject(subject string) (kind Kind, id int64, ok bool) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 5 || tokens[3] == answerToken {
		return "", 0, false
	}
	id, err := strconv.ParseInt(tokens[4], 10, 64)
	return Kind(tokens[3]), id, err == nil
}

// answerToken stands where an object's subject has its kind, in the subjects of
// answers to writes.
const answerToken = "write"
