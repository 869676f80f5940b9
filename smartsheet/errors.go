package smartsheet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// ErrTooLarge is wrapped by the error of an answer beyond [Client.MaxBody].
// The same request would fail again; one for a smaller page may not.
var ErrTooLarge = errors.New("answer too large")

// errInvalid marks a request that was never sent because it cannot be right.
var errInvalid = errors.New("invalid request")

// Error codes on which callers decide.
const (
	CodeTokenInvalid   = 1002
	CodeTokenExpired   = 1003
	CodeNotAuthorized  = 1004
	CodeNotFound       = 1006
	CodeCodeExpired    = 1069 // of an OAuth consent, not used in its ten minutes
	CodeGrantInvalid   = 1071 // an OAuth code or refresh token that is not known, or used up
	CodeGrantRevoked   = 1132 // an OAuth token whose user withdrew the consent
	CodeColumnLocked   = 1039 // for those who are no admins of the sheet
	CodeValueRefused   = 1042 // not what the column's type, or its restriction, wants
	CodeReadOnlyCell   = 1046 // of a system column
	CodeRowLocked      = 1050 // for those who are no admins of the sheet
	CodeRowKept        = 1092 // it, or a row under it, is locked: not deleted
	CodeNumberRange    = 1148 // beyond 2^53
	CodeNotAdmin       = 1212 // who is none may not override a restriction
	CodeAppRevoked     = 1153 // the webhook is dead, a new one is wanted
	CodeAdministrative = 1154 // only Smartsheet's support can enable the webhook
	CodeRateLimit      = 4003
	CodeWantsObject    = 5536 // a column of several choices or contacts takes an ObjectValue alone
	CodeSheetBusy      = 4004 // another request writes the sheet: this one changed nothing

	codeUnexpected = 4000
	codeTimeout    = 4002
)

const (
	minSecret     = 8                // bytes; what is shorter is no secret, and redacting it garbles words
	maxMessage    = 300              // bytes of Smartsheet's message kept in an Error
	maxRetryAfter = 10 * time.Minute // a longer Retry-After is not believed
)

// Error is an answer of Smartsheet that refuses a request. It never holds the
// query, the token or the text of a body that is not Smartsheet's JSON.
type Error struct {
	Status     int           // HTTP status
	Code       int           // Smartsheet's errorCode; 0: the answer was not Smartsheet's
	Message    string        // Smartsheet's words, or what came in their place
	RefID      string        // Smartsheet's support asks for it
	Index      *int          // of the row of the request that is to blame; nil: not said
	RowID      int64         // its id; 0: not said
	RetryAfter time.Duration // 0: not said, or not to be believed
	Method     string
	Route      string // path with {id} for each id
}

// Error reads `smartsheet: GET /sheets/{id}: 429: 4003 Rate limit exceeded. (ref 8o1…)`.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "smartsheet: %s %s: %d: ", e.Method, e.Route, e.Status)
	if e.Code != 0 {
		fmt.Fprintf(&b, "%d ", e.Code)
	}
	b.WriteString(e.Message)
	if e.RefID != "" {
		fmt.Fprintf(&b, " (ref %s)", e.RefID)
	}
	return b.String()
}

// RetryAfter is how long to wait before the request is sent again, as the answer
// says that the error is about; 0 where it does not say.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// answerError reads the refusal in resp, whose body may be anything.
func answerError(r request, resp *http.Response, body []byte) *Error {
	var wire errorWire
	if json.Unmarshal(body, &wire) != nil || wire.Code == 0 {
		wire = errorWire{Message: contentHint(resp.Header)}
	}
	e := wire.refusal(r, resp.StatusCode)
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return e
}

// errorWire is an error as Smartsheet writes it: an answer, or the reason why one
// row of a request failed.
type errorWire struct {
	Code    int             `json:"errorCode"`
	Message string          `json:"message"`
	RefID   string          `json:"refId"`
	Detail  json.RawMessage `json:"detail"` // of many shapes
}

// refusal is the error of the request, which was answered with the status.
func (w errorWire) refusal(r request, status int) *Error {
	e := &Error{Status: status, Code: w.Code, Message: r.clean(w.Message), RefID: r.clean(w.RefID), Method: r.method, Route: r.route}
	var row struct {
		Index *int  `json:"index"`
		RowID int64 `json:"rowId"`
	}
	if len(w.Detail) > 0 && json.Unmarshal(w.Detail, &row) == nil {
		e.Index, e.RowID = row.Index, row.RowID
	}
	return e
}

// contentHint says what kind of body came where Smartsheet's JSON should be.
func contentHint(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || len(kind) > 60 {
		return "answer of unknown type"
	}
	return kind + " answer without an error code"
}

// clean makes text from outside fit for one line of a log, without the
// secrets of the request.
func (r request) clean(s string) string {
	for _, secret := range r.secrets {
		if len(secret) >= minSecret {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, s)
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}

// retryAfter reads the header, in seconds or as a date; 0 when it is absent or
// not sane.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		d = time.Duration(s) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	if d <= 0 || d > maxRetryAfter {
		return 0
	}
	return d
}

// brokenError is a request without a readable answer.
type brokenError struct {
	method, route string
	cause         error
}

func (e *brokenError) Unwrap() error { return e.cause }

// Error leaves out whatever the cause quotes: it may come from a body.
func (e *brokenError) Error() string {
	text, _, _ := strings.Cut(e.cause.Error(), `"`)
	return fmt.Sprintf("smartsheet: %s %s: %s", e.method, e.route, strings.TrimSpace(text))
}

// decodeError says what is wrong with a JSON body without quoting it.
func decodeError(err error, h http.Header) error {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		return fmt.Errorf("unreadable answer: field %s is no %s", kind.Field, kind.Type)
	case errors.As(err, &syntax):
		mt, _, mtErr := mime.ParseMediaType(h.Get("Content-Type"))
		if mtErr == nil && !strings.HasSuffix(mt, "json") && len(mt) <= 60 {
			return fmt.Errorf("unreadable answer: %s instead of JSON", mt)
		}
		return fmt.Errorf("unreadable answer: broken JSON at byte %d: %w", syntax.Offset, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("unreadable answer: %w", err)
}

// canceledError is a request whose caller gave up after it was sent.
type canceledError struct{ cause error }

func (e *canceledError) Unwrap() error { return e.cause }
func (e *canceledError) Error() string { return e.cause.Error() }

// canceled is the error of a request whose caller gave up.
func canceled(ctx context.Context, r request) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return &canceledError{fmt.Errorf("smartsheet: %s %s: %w: %w", r.method, r.route, ctx.Err(), cause)}
	}
	return &canceledError{fmt.Errorf("smartsheet: %s %s: %w", r.method, r.route, ctx.Err())}
}
