package admin

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// Action is the call of this API that leads out of a problem, for programs: a
// problem's detail says the same for people.
type Action struct {
	Method string         `json:"method" enum:"GET,POST,PUT,PATCH,DELETE"`
	Path   string         `json:"path" example:"/v1/owners"`
	Add    map[string]any `json:"add,omitempty" doc:"Members to add to the body of the same request, which consent to what was refused"`
}

// next gives a problem the call that leads out of it.
func (p *answer) next(method, path string) *answer {
	p.Action = &Action{Method: method, Path: path}
	return p
}

// actionOf is the action of a problem of the packages that act, nil for none.
func actionOf(a *problem.Action) *Action {
	if a == nil {
		return nil
	}
	return &Action{Method: a.Method, Path: a.Path, Add: a.Add}
}

// describeAction adds the action to the framework's description of problems.
func describeAction(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	action := schemas.Schema(reflect.TypeFor[Action](), true, "Action")
	model := schemas.Map()["ErrorModel"]
	model.Properties["action"] = &huma.Schema{Ref: action.Ref, Description: "The call that leads out of it, where there is one"}
}
