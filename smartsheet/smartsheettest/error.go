package smartsheettest

import (
	"fmt"
	"maps"
)

// Error is an answer of the API that is not 200: what its body says, and what
// operations from Go return.
type Error struct {
	Status  int    // of HTTP
	Code    int    // errorCode
	Message string // of the service; may quote what the request held
	Detail  map[string]any

	word string // of RFC 6749, for errors of OAuth
}

func (e *Error) Error() string {
	return fmt.Sprintf("smartsheet answers %d, error %d", e.Status, e.Code)
}

func (e *Error) body() map[string]any {
	out := map[string]any{"errorCode": e.Code, "message": e.Message, "refId": randomText(12, lowerAlphanumeric)}
	if e.Detail != nil {
		out["detail"] = e.Detail
	}
	if e.word != "" {
		out["error"] = e.word
	}
	return out
}

// with returns the error about one item of a request.
func (e *Error) with(detail map[string]any) *Error {
	out := *e
	out.Detail = maps.Clone(e.Detail)
	if out.Detail == nil {
		out.Detail = map[string]any{}
	}
	maps.Copy(out.Detail, detail)
	return &out
}

func failf(status, code int, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func errForbidden() *Error {
	return failf(403, 1004, "You are not authorized to perform this action.")
}

func errNotFound() *Error { return failf(404, 1006, "Not Found") }

// codeNotSimulated is none of the service's.
const codeNotSimulated = 9501

// errNotSimulated is the answer to what the service may have and this one has
// not: it must not be taken for the service's word.
func errNotSimulated(what string) *Error {
	return failf(501, codeNotSimulated, "%s is not simulated: this is a Smartsheet in memory, which has a part of the API.", what)
}

func errUnparsable(cause string) *Error {
	return failf(400, 1008, "Unable to parse request. The following error occurred: %s", cause)
}

func errMissing(attribute string) *Error {
	return failf(400, 1012, "Required object attribute(s) are missing from your request: %s.", attribute)
}

func errParameter(value, parameter string) *Error {
	return failf(400, 1018, "The value '%s' was not valid for the parameter '%s'.", value, parameter)
}

func errAttribute(value any, attribute string) *Error {
	return failf(400, 1031, "The value %v was not valid for the attribute %s.", value, attribute)
}

func errNotAllowed(attributes string) *Error {
	return failf(400, 1032, "The attribute(s) %s are not allowed for this operation.", attributes)
}
