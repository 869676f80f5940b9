// Package problem says what an administrator can do about an error.
package problem

import (
	"errors"
	"fmt"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Fault says whose an error is, and so what an admin's client is answered.
type Fault int

// Faults.
const (
	Invalid  Fault = iota // the request cannot be: 422
	NotFound              // no such thing: 404
	Conflict              // taken, in use, or against what is there: 409
	Upstream              // Smartsheet or NATS refused: 502
)

// Problem is an error that an admin can do something about.
type Problem struct {
	Fault  Fault
	Field  string  // of the request, where one is to blame
	Detail string  // what is wrong and what to do
	Err    error   // what caused it, nil for nothing else
	Action *Action // the call that leads out of it, nil for none
}

func (p *Problem) Error() string {
	if p.Field != "" {
		return p.Field + ": " + p.Detail
	}
	return p.Detail
}

func (p *Problem) Unwrap() error { return p.Err }

// New returns a problem with a detail as fmt.Sprintf makes it.
func New(fault Fault, field, format string, args ...any) *Problem {
	return &Problem{Fault: fault, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// FromRequest turns what is wrong with the request of a share, which stands at a
// place in the body, into a problem.
func FromRequest(at string, err error) error {
	var re *events.RequestError
	if errors.As(err, &re) {
		return &Problem{Fault: Invalid, Field: at + re.Field, Detail: re.Detail}
	}
	return err
}

// FromSmartsheet turns what kept Smartsheet from doing something into a problem:
// its refusal, in its words, or what kept us from asking.
func FromSmartsheet(doing string, err error) *Problem {
	var e *smartsheet.Error
	words := err.Error()
	if errors.As(err, &e) {
		words = fmt.Sprintf("Smartsheet answered: %s (errorCode %d, HTTP %d)", e.Message, e.Code, e.Status)
	}
	return &Problem{Fault: Upstream, Detail: doing + ": " + words, Err: err}
}

// FromRegistry turns the registry's sentinels into problems.
func FromRegistry(what string, err error) error {
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return &Problem{Fault: NotFound, Detail: "there is no " + what, Err: err}
	case errors.Is(err, registry.ErrConflict):
		return &Problem{Fault: Conflict, Detail: "the " + what + " was changed by somebody else in the meantime: look at it and try again", Err: err}
	}
	return err
}
