package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/notice"
)

// NewContact is where a partner is to be told what concerns it.
type NewContact struct {
	URL    string `json:"url" maxLength:"2048" doc:"Address to which notices are posted: https, or http to this machine. It must not lead into our own network. Sealed, and never shown again, since it may have a secret in it" example:"https://hooks.b.example/sheetbridge"`
	Secret string `json:"secret,omitempty" maxLength:"128" doc:"That signs them, as Standard Webhooks: whsec_ and base64 of 24 to 64 bytes; left out: one is made. Sealed"`
}

// MadeContact is a contact that was just given.
type MadeContact struct {
	Host   string `json:"host" doc:"Of the address" example:"hooks.b.example"`
	Secret string `json:"secret,omitempty" doc:"One that was made, for the partner to check signatures with. Shown this once"`
}

type contactRequest struct {
	Name string `path:"name" doc:"The partner's name"`
	Body NewContact
}

func (a *API) routeContact(api huma.API) {
	const tag, path = "partners", "/v1/partners/{name}/contact"
	register(api, operation{
		method: http.MethodPut, path: path, id: "setContact", tag: tag, body: smallBody,
		summary:     "Say where a partner is told what concerns it",
		description: "Its shares ending, suspended and back, its credentials expiring: one CloudEvent each, posted and signed as Standard Webhooks, sent again for a day until it is answered with 2xx. Nothing in it is a cell's value.",
		errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, a.setContact)
	register(api, operation{
		method: http.MethodDelete, path: path, id: "removeContact", tag: tag, status: http.StatusNoContent,
		summary: "Tell a partner nothing any more", description: "What was not sent yet is not sent.",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.removeContact)
}

func (a *API) setContact(ctx context.Context, in *contactRequest) (*out[MadeContact], error) {
	if _, err := a.Accounts.Find(in.Name); err != nil {
		return nil, err
	}
	secret, err := notice.SetContact(ctx, a.Registry, in.Name, in.Body.URL, seal.Secret(in.Body.Secret))
	if err != nil {
		return nil, err
	}
	p, err := a.Accounts.Find(in.Name)
	if err != nil {
		return nil, err
	}
	made := MadeContact{Host: a.partnerOf(p).Contact}
	if in.Body.Secret == "" {
		made.Secret = string(secret)
	}
	return &out[MadeContact]{made}, nil
}

func (a *API) removeContact(ctx context.Context, in *named) (*none, error) {
	if _, err := a.Accounts.Find(in.Name); err != nil {
		return nil, err
	}
	return nil, notice.RemoveContact(ctx, a.Registry, in.Name)
}
