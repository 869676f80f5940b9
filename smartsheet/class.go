package smartsheet

import (
	"context"
	"errors"
	"net/http"
)

// Class says what the caller of a failed request does next.
type Class int

// Classes of errors.
const (
	OK        Class = iota // no error
	Retry                  // the same again later: Smartsheet or the way to it is unwell
	Wait                   // too many requests: nobody uses this token for a while
	Refused                // the token or its user is dead: suspend the owner
	Expired                // the OAuth token has run out: refresh it, then the same again
	Forbidden              // the owner may not do that to this object, or the account may not
	NotFound               // the object does not exist, says Smartsheet itself
	Invalid                // the request is wrong and stays wrong
	Canceled               // the caller's context ended
)

// String names the class in lower case, as a metric's label.
func (c Class) String() string {
	switch c {
	case OK:
		return "ok"
	case Retry:
		return "retry"
	case Wait:
		return "wait"
	case Refused:
		return "refused"
	case Expired:
		return "expired"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not_found"
	case Invalid:
		return "invalid"
	case Canceled:
		return "canceled"
	}
	return "unknown"
}

// Classify returns the class of an error of a [Client]: by Smartsheet's error
// code where there is one, else by the HTTP status. What it does not know,
// the network's errors and errors of [Client.Before] among them, is Retry.
func Classify(err error) Class {
	var answer *Error
	var broken *brokenError
	switch {
	case err == nil:
		return OK
	case errors.As(err, &answer):
		if class := classOfCode(answer.Code); class != OK {
			return class
		}
		return classOfStatus(answer.Status, answer.Code)
	case errors.Is(err, errInvalid), errors.Is(err, ErrTooLarge):
		return Invalid
	case errors.As(err, &broken):
		return Retry // even where its cause is a deadline: it was not the caller's
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	}
	return Retry
}

// classOfCode returns OK for a code that says no more than its status.
func classOfCode(code int) Class {
	switch {
	case code == CodeTokenExpired:
		return Expired
	case code == CodeNotAuthorized:
		return Forbidden // for this object; the token itself is good
	case code == CodeNotFound:
		return NotFound
	case code == CodeRateLimit:
		return Wait
	case code == 1001, code == 1002, code == 1005:
		return Refused
	case code >= 1361 && code <= 1363: // policies on SSO, MFA and data egress, of one workspace maybe
		return Forbidden
	case code == 1030, code == 1044, code == 1188, code >= 1269 && code <= 1275: // Assume-User
		return Refused
	case code == CodeColumnLocked, code == CodeRowLocked, code == CodeRowKept, code == CodeNotAdmin:
		return Forbidden // whatever the status: one row's refusal has none
	case code >= 1067 && code <= 1073, code == 1132, code >= 1236 && code <= 1238: // OAuth
		return Refused
	case code == codeUnexpected, code == 4001, code == codeTimeout, code == CodeSheetBusy:
		return Retry
	case code == CodeWantsObject:
		return Invalid // the one of its range that is not about the account
	case code >= 5000 && code <= 5999: // the account's plan or limits
		return Forbidden
	}
	return OK
}

func classOfStatus(status, code int) Class {
	switch {
	case status == http.StatusTooManyRequests:
		return Wait
	case status == http.StatusUnauthorized:
		return Refused
	case status == http.StatusForbidden:
		return Forbidden
	case status == http.StatusNotFound && code == 0:
		// Some gateway's page, not Smartsheet's word: taken as NotFound it
		// would delete rows that are there.
		return Retry
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly:
		return Retry
	case status >= 400 && status < 500:
		return Invalid
	}
	return Retry
}
