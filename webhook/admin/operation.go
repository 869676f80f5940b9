package admin

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	smallBody = 64 << 10
	largeBody = 1 << 20 // shares of all columns of a sheet
	// bodyTime is how long a body may take to arrive.
	bodyTime = 10 * time.Second
	// quick bounds what an operation takes, verified one in which Smartsheet
	// calls us before it answers.
	quick    = 50 * time.Second
	verified = 210 * time.Second
)

// operation is what the OpenAPI document says of one call.
type operation struct {
	method, path string
	id           string
	tag          string
	summary      string
	description  string
	status       int // when all is well
	body         int64
	within       time.Duration          // 0: quick
	also         map[int][]reflect.Type // answers that the function's type does not tell
	answers      map[int]*huma.Response // answers that are no JSON
	errors       []int                  // besides those that any call may have
}

// register routes a call to the function that does it.
func register[I, O any](api huma.API, o operation, do func(context.Context, *I) (*O, error)) {
	within := o.within
	if within == 0 {
		within = quick
	}
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Tags: []string{o.tag},
		Summary: o.summary, Description: o.description, DefaultStatus: o.status,
		MaxBodyBytes: o.body, BodyReadTimeout: bodyTime, Responses: map[string]*huma.Response{},
		Errors: append([]int{http.StatusUnauthorized, http.StatusMisdirectedRequest, http.StatusTooManyRequests, http.StatusUnprocessableEntity}, o.errors...),
	}
	if o.method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusForbidden)
		if !slices.Contains(op.Errors, http.StatusServiceUnavailable) {
			op.Errors = append(op.Errors, http.StatusServiceUnavailable) // the audit log does not take it
		}
	}
	if o.body > 0 {
		op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	for status, answer := range o.answers {
		op.Responses[strconv.Itoa(status)] = answer
	}
	for status, types := range o.also {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: oneOf(api.OpenAPI().Components.Schemas, types)}},
		}
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		recordOf(ctx).allow(within)
		out, err := do(ctx, in)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		return out, nil
	})
}

// oneOf is the schema of an answer that has one of the types.
func oneOf(known huma.Registry, types []reflect.Type) *huma.Schema {
	schemas := make([]*huma.Schema, len(types))
	for i, t := range types {
		schemas[i] = known.Schema(t, true, t.Name())
	}
	if len(schemas) == 1 {
		return schemas[0]
	}
	return &huma.Schema{OneOf: schemas}
}

// list is how every list is answered.
type list[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

// listOf makes a list of a slice, which may be nil.
func listOf[T any](items []T) list[T] {
	if items == nil {
		items = []T{}
	}
	return list[T]{items}
}

// out is an answer with a body.
type out[T any] struct{ Body T }

// none is an answer without a body, or a request without parameters.
type none struct{}

// named is a request about the thing with the name.
type named struct {
	Name string `path:"name" doc:"Its name"`
}

// accepted is the answer to what is done later.
type accepted struct {
	Accepted string `json:"accepted" doc:"What will be done" example:"reconcile"`
}
