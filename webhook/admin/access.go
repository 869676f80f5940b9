package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
)

// Access is what an owner's token can reach, against what is shared through it.
type Access owner.Reach

func (a *API) routeAccess(api huma.API) {
	register(api, operation{
		method: http.MethodGet, path: "/v1/owners/{name}/access", id: "getOwnerAccess", tag: "owners",
		summary: "Compare what an owner can reach with what is shared",
		description: "Asks Smartsheet who the user is and which sheets it sees, a request for each 1,000 of them, " +
			"and says what is more than needed and how to have less.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.getAccess)
}

func (a *API) getAccess(ctx context.Context, in *named) (*out[Access], error) {
	o, err := a.owner(in.Name)
	if err != nil {
		return nil, err
	}
	reach, err := a.owners().Reach(ctx, o, budget.Reconcile)
	if err != nil {
		return nil, err
	}
	return &out[Access]{Access(*reach)}, nil
}
