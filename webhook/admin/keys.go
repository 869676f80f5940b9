package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Key is a key of the keyset that the stored tokens, secrets and seeds are
// sealed under.
type Key struct {
	ID     string `json:"id" example:"3f9a01c7" doc:"Not secret"`
	State  string `json:"state" enum:"primary,coming,old,disabled" doc:"primary: seals; coming: opens, and will seal when all replicas have it; old: opens; disabled: neither"`
	Sealed int    `json:"sealed" doc:"How many stored values are sealed under it"`
}

// Keys are the keys, oldest first.
type Keys struct {
	Items    []Key `json:"items" nullable:"false"`
	Replicas int   `json:"replicas,omitempty" doc:"After a rotation: how many replicas use the new key"`
	Resealed int   `json:"resealed,omitempty" doc:"After a rotation: how many records were sealed under the new key"`
}

func (a *API) routeKeys(api huma.API) {
	const tag = "keys"
	register(api, operation{
		method: http.MethodGet, path: "/v1/keys", id: "listKeys", tag: tag,
		summary: "List the keys", description: "Under which the stored tokens, secrets and seeds are sealed, without what is secret of them.",
		errors: []int{http.StatusBadGateway},
	}, a.listKeys)
	register(api, operation{
		method: http.MethodPost, path: "/v1/keys/rotate", id: "rotateKeys", tag: tag, within: verified,
		summary: "Replace the key",
		description: "Adds a key, waits until every replica has it, makes it the primary one, seals everything under it and disables the old one. " +
			"Nothing stands still. After a failure, the same call continues where it stopped. The master key stays.",
		errors: []int{http.StatusBadGateway},
	}, a.rotateKeys)
	register(api, operation{
		method: http.MethodPost, path: "/v1/keys/rotate-master", id: "rotateMasterKey", tag: tag, within: verified,
		summary: "Bring everything under the new master key",
		description: "For a bridge that was started with a new master key and the old one: waits until every replica has both, and seals the keyset under the new one. " +
			"After that the old one opens nothing. An embedded store comes under the new one when the bridge starts.",
		errors: []int{http.StatusConflict, http.StatusBadGateway},
	}, a.rotateMaster)
}

// MasterKey is the master key that everything is under now.
type MasterKey struct {
	Replicas int    `json:"replicas" doc:"How many replicas have it"`
	Next     string `json:"next" doc:"What is left to do"`
}

func (a *API) rotateMaster(ctx context.Context, _ *none) (*out[MasterKey], error) {
	n, err := a.Registry.RotateMaster(ctx)
	switch {
	case errors.Is(err, registry.ErrOneMaster):
		return nil, httpProblem(http.StatusConflict, "the bridge was started with one master key, and everything is under that: to change it, start every replica with the new one as SHEETBRIDGE_MASTER_KEY and the old one as SHEETBRIDGE_MASTER_KEY_OLD, and ask again")
	case err != nil:
		return nil, upstream("changing the master key", err)
	}
	return &out[MasterKey]{MasterKey{Replicas: n, Next: "take SHEETBRIDGE_MASTER_KEY_OLD out of the settings of every replica, start them again, and destroy the old key"}}, nil
}

func (a *API) listKeys(ctx context.Context, _ *none) (*out[Keys], error) {
	shown, err := a.keys(ctx)
	if err != nil {
		return nil, upstream("listing the keys", err)
	}
	return &out[Keys]{*shown}, nil
}

func (a *API) rotateKeys(ctx context.Context, _ *none) (*out[Keys], error) {
	done, err := a.Registry.RotateKeys(ctx)
	if err != nil {
		return nil, upstream("rotating the keys", err)
	}
	shown, err := a.keys(ctx)
	if err != nil {
		return nil, upstream("listing the keys", err)
	}
	shown.Replicas, shown.Resealed = done.Replicas, done.Resealed
	return &out[Keys]{*shown}, nil
}

func (a *API) keys(ctx context.Context) (*Keys, error) {
	count, err := a.Registry.SealedUnder(ctx)
	if err != nil {
		return nil, err
	}
	shown := &Keys{}
	state := "old"
	for _, k := range a.Registry.Keys() {
		if k.Primary {
			state = "primary"
		}
		shown.Items = append(shown.Items, Key{ID: fmt.Sprintf("%08x", k.ID), State: keyState(k, state), Sealed: count[k.ID]})
		if k.Primary {
			state = "coming"
		}
	}
	return shown, nil
}

func keyState(k seal.Key, place string) string {
	if !k.Enabled {
		return "disabled"
	}
	return place
}
