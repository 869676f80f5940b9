package smartsheet

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// Headers of callbacks and of their answers.
const (
	HeaderChallenge         = "Smartsheet-Hook-Challenge"
	HeaderChallengeResponse = "Smartsheet-Hook-Response"
)

// Kinds of object and of change in a callback event. Both lists are open.
const (
	ObjectSheet      = "sheet"
	ObjectRow        = "row"
	ObjectCell       = "cell"
	ObjectColumn     = "column"
	ObjectAttachment = "attachment"
	ObjectDiscussion = "discussion"
	ObjectComment    = "comment"

	EventCreated = "created"
	EventUpdated = "updated"
	EventDeleted = "deleted"
)

// Callback is what Smartsheet posts to a webhook: events, or a new status.
type Callback struct {
	Nonce            string
	Timestamp        Time
	WebhookID        int64
	Scope            string // sheet, or plan
	ScopeObjectID    int64
	NewWebhookStatus WebhookStatus // only of a status change callback
	Events           []CallbackEvent

	// Partial: some part was not what it should be and is missing here, so
	// more may have changed than Events tells.
	Partial bool
}

// CallbackEvent says that an object changed, and neither from what nor to
// what. Ids that Smartsheet leaves out are 0.
type CallbackEvent struct {
	ObjectType  string // ObjectRow, …
	EventType   string // EventCreated, …
	ID          int64  // of the object; a cell has none
	RowID       int64  // of a cell
	ColumnID    int64  // of a cell
	UserID      int64  // who did it
	Timestamp   Time   // zero: not told, or in no known form
	ChangeAgent string // comma list, see ChangeAgents
}

// ChangeAgents returns the programs that took part in the change, as they
// named themselves when they wrote, the last one last.
func (e CallbackEvent) ChangeAgents() []string {
	var agents []string
	for agent := range strings.SplitSeq(e.ChangeAgent, ",") {
		if agent = strings.TrimSpace(agent); agent != "" {
			agents = append(agents, agent)
		}
	}
	return agents
}

var errCallback = errors.New("smartsheet: callback is not a JSON object")

// ParseCallback reads the body of a callback. It fails only on what is not a
// JSON object; anything odd in one is left out and marks the callback
// Partial, except that a time in an unknown form is just the zero Time.
func ParseCallback(body []byte) (*Callback, error) {
	if !isObject(body) {
		return nil, errCallback
	}
	var wire wireCallback
	var mistyped *json.UnmarshalTypeError
	// A field of another type than ours ends nothing: the decoder reads on.
	err := json.Unmarshal(body, &wire)
	if err != nil && !errors.As(err, &mistyped) {
		return nil, errCallback // its cause may quote the body
	}
	cb := &Callback{
		Nonce:            wire.Nonce,
		Timestamp:        wire.Timestamp.Time,
		WebhookID:        wire.WebhookID.n,
		Scope:            wire.Scope,
		ScopeObjectID:    wire.ScopeObjectID.n,
		NewWebhookStatus: wire.NewWebhookStatus,
		Partial:          err != nil || wire.WebhookID.odd || wire.ScopeObjectID.odd,
	}
	for _, e := range wire.Events {
		cb.add(e)
	}
	return cb, nil
}

func (cb *Callback) add(e wireEvent) {
	if e.ObjectType == "" || e.ID.odd || e.RowID.odd || e.ColumnID.odd {
		cb.Partial = true
	}
	if e == (wireEvent{}) {
		return // null, or no object at all
	}
	cb.Events = append(cb.Events, CallbackEvent{
		ObjectType:  e.ObjectType,
		EventType:   e.EventType,
		ID:          e.ID.n,
		RowID:       e.RowID.n,
		ColumnID:    e.ColumnID.n,
		UserID:      e.UserID.n,
		Timestamp:   e.Timestamp.Time,
		ChangeAgent: e.ChangeAgent,
	})
}

// The names are matched whatever their case: rowid and newWebHookStatus, as
// some of Smartsheet's own texts spell them, are read too.
type wireCallback struct {
	Nonce            string        `json:"nonce"`
	Timestamp        wireTime      `json:"timestamp"`
	WebhookID        wireID        `json:"webhookId"`
	Scope            string        `json:"scope"`
	ScopeObjectID    wireID        `json:"scopeObjectId"`
	NewWebhookStatus WebhookStatus `json:"newWebhookStatus"`
	Events           []wireEvent   `json:"events"`
}

type wireEvent struct {
	ObjectType  string   `json:"objectType"`
	EventType   string   `json:"eventType"`
	ID          wireID   `json:"id"`
	RowID       wireID   `json:"rowId"`
	ColumnID    wireID   `json:"columnId"`
	UserID      wireID   `json:"userId"`
	Timestamp   wireTime `json:"timestamp"`
	ChangeAgent string   `json:"changeAgent"`
}

// wireID is an id as a number or as a string of digits, or odd.
type wireID struct {
	n   int64
	odd bool
}

func (id *wireID) UnmarshalJSON(data []byte) error {
	text := string(data)
	if text == "null" {
		return nil
	}
	if len(text) > 1 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 64)
	*id = wireID{n: n, odd: err != nil}
	if err != nil {
		id.n = 0
	}
	return nil
}

// wireTime is a time, or the zero Time where it cannot be read.
type wireTime struct{ Time }

func (t *wireTime) UnmarshalJSON(data []byte) error {
	if err := t.Time.UnmarshalJSON(data); err != nil {
		t.Time = Time{}
	}
	return nil
}

// maxChallengeBody bounds what is parsed before anything has proved whose it is.
// Smartsheet's are of some hundred bytes; a challenge has no length of its own
// that is documented, and one in the header is bounded by the listener.
const maxChallengeBody = 64 << 10

// Challenge is a verification request: Smartsheet asks whether the receiver
// wants the callbacks of a webhook. It bears no signature.
type Challenge struct {
	Value     string // to be sent back
	WebhookID int64
}

// ParseChallenge tells whether a callback is a verification request. Its body
// has a challenge and a webhookId and nothing else, and its header repeats the
// challenge; so nothing that tells of a change passes for one.
func ParseChallenge(header http.Header, body []byte) (Challenge, bool) {
	values := header.Values(HeaderChallenge)
	if len(values) != 1 || values[0] == "" || len(body) > maxChallengeBody {
		return Challenge{}, false
	}
	var fields map[string]json.RawMessage
	if !isObject(body) || json.Unmarshal(body, &fields) != nil || len(fields) != 2 {
		return Challenge{}, false
	}
	var value string
	var id wireID
	if json.Unmarshal(fields["challenge"], &value) != nil || json.Unmarshal(fields["webhookId"], &id) != nil {
		return Challenge{}, false
	}
	if value != values[0] || id.odd || id.n <= 0 {
		return Challenge{}, false
	}
	return Challenge{Value: value, WebhookID: id.n}, true
}

func isObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

// HeaderSignature carries the signature of a callback.
const HeaderSignature = "Smartsheet-Hmac-SHA256"

// Reasons why a callback is not believed.
var (
	ErrNoSignature  = errors.New("smartsheet: callback is not signed")
	ErrBadSignature = errors.New("smartsheet: callback signature does not match")
)

// Sign returns the signature of a callback's body as Smartsheet makes it: the
// HMAC-SHA256 under the webhook's shared secret, 64 hex digits.
func Sign(secret string, body []byte) string {
	return hex.EncodeToString(sum(secret, body))
}

// VerifySignature returns nil if signature, the value of [HeaderSignature], is
// the signature of body under secret. body is what came over the wire, before any
// decoding. Case does not matter, nor do missing leading zeros: Smartsheet's own
// sample drops them. With an empty secret nothing verifies. The time it takes does
// not depend on the secret.
func VerifySignature(secret string, body []byte, signature string) error {
	signature = strings.TrimSpace(signature)
	if signature == "" {
		return ErrNoSignature
	}
	if secret == "" || len(signature) > hex.EncodedLen(sha256.Size) {
		return ErrBadSignature
	}
	padded := strings.Repeat("0", hex.EncodedLen(sha256.Size)-len(signature)) + signature
	got, err := hex.DecodeString(padded)
	if err != nil || !hmac.Equal(got, sum(secret, body)) {
		return ErrBadSignature
	}
	return nil
}

func sum(secret string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return mac.Sum(nil)
}
