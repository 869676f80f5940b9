package admin

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// Action is the call of this API that leads out of what is wrong.
type Action = problem.Action

// next gives a problem the call that leads out of it.
func (p *answer) next(action *Action) *answer {
	p.Action = action
	return p
}

// describeAction adds the action to the framework's description of problems.
func describeAction(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	action := schemas.Schema(reflect.TypeFor[Action](), true, "Action")
	model := schemas.Map()["ErrorModel"]
	model.Properties["action"] = &huma.Schema{Ref: action.Ref, Description: "The call that leads out of it, where there is one"}
}
