package problem

import (
	"net/url"
	"strings"
)

// Action is a call of the admin API that leads out of what is wrong, for programs.
// What stands beside it says the same for people.
type Action struct {
	Method string         `json:"method" enum:"GET,POST,PUT,PATCH,DELETE"`
	Path   string         `json:"path" example:"/v1/owners"`
	Add    map[string]any `json:"add,omitempty" doc:"Members to add to the body of the same request, which consent to what was refused"`
}

// Call is a call of the admin API that leads out of something.
type Call int

// The calls that lead out of something.
const (
	ListOwners Call = iota
	AddOwner
	ShowOwner
	ListSheets
	ReplaceToken
	AskConsent
	ListPartners
	AddPartner
	ChangePartner
	SetContact
	ShowReading
	ListCredentials
	MakeCredentials
	ListInvitations
	Invite
	ListWebhooks
	ShareSheet
	ShowWebhook
	EnableWebhook
	Reconcile
	ChangeShare
	ExplainRow
	ListDead
	RetryDead
	Examine
)

var calls = [...]struct{ method, path string }{
	ListOwners:      {"GET", "/v1/owners"},
	AddOwner:        {"POST", "/v1/owners"},
	ShowOwner:       {"GET", "/v1/owners/{name}"},
	ListSheets:      {"GET", "/v1/owners/{name}/sheets"},
	ReplaceToken:    {"PUT", "/v1/owners/{name}/token"},
	AskConsent:      {"POST", "/v1/owners/{name}/authorize"},
	ListPartners:    {"GET", "/v1/partners"},
	AddPartner:      {"POST", "/v1/partners"},
	ChangePartner:   {"PATCH", "/v1/partners/{name}"},
	SetContact:      {"PUT", "/v1/partners/{name}/contact"},
	ShowReading:     {"GET", "/v1/partners/{name}/reading"},
	ListCredentials: {"GET", "/v1/partners/{name}/credentials"},
	MakeCredentials: {"POST", "/v1/partners/{name}/credentials"},
	ListInvitations: {"GET", "/v1/partners/{name}/invitations"},
	Invite:          {"POST", "/v1/partners/{name}/invitations"},
	ListWebhooks:    {"GET", "/v1/webhooks"},
	ShareSheet:      {"POST", "/v1/webhooks"},
	ShowWebhook:     {"GET", "/v1/webhooks/{id}"},
	EnableWebhook:   {"POST", "/v1/webhooks/{id}/enable"},
	Reconcile:       {"POST", "/v1/webhooks/{id}/reconcile"},
	ChangeShare:     {"PUT", "/v1/webhooks/{id}/shares/{partner}/{sheet}"},
	ExplainRow:      {"GET", "/v1/webhooks/{id}/shares/{partner}/{sheet}/rows/{row}/explain"},
	ListDead:        {"GET", "/v1/dead"},
	RetryDead:       {"POST", "/v1/dead/{id}/retry"},
	Examine:         {"GET", "/v1/doctor"},
}

// Calls returns every call that an action may be, with its path as the OpenAPI document
// has it.
func Calls() []Action {
	list := make([]Action, len(calls))
	for i, c := range calls {
		list[i] = Action{Method: c.method, Path: c.path}
	}
	return list
}

// For returns the call with the names that its path needs, in their order.
func (c Call) For(names ...string) *Action {
	steps := strings.Split(calls[c].path, "/")
	for i, step := range steps {
		if strings.HasPrefix(step, "{") {
			steps[i], names = url.PathEscape(names[0]), names[1:]
		}
	}
	return &Action{Method: calls[c].method, Path: strings.Join(steps, "/")}
}

// Next gives a problem the call that leads out of it.
func (p *Problem) Next(action *Action) *Problem {
	p.Action = action
	return p
}

// Consent gives a problem the member of the body that consents to what was refused,
// and the call to make with it.
func (p *Problem) Consent(action *Action, member string) *Problem {
	p.Action = &Action{Method: action.Method, Path: action.Path, Add: map[string]any{member: true}}
	return p
}
