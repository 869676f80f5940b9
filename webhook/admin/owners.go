package admin

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Owner is an owner as the API shows it.
type Owner struct {
	Name       string    `json:"name" example:"ops"`
	Email      string    `json:"email" doc:"Whom the token speaks for" example:"jane@a.example"`
	Region     string    `json:"region" enum:"us,eu,au,gov"`
	Kind       string    `json:"kind" enum:"token,assume,oauth"`
	AssumeUser string    `json:"assumeUser,omitempty" doc:"Whom an administrator's token acts for"`
	State      string    `json:"state" enum:"ok,authorize,refused,suspended" doc:"Whether the access works"`
	Reason     string    `json:"reason,omitempty" doc:"Why it does not"`
	CreatedAt  time.Time `json:"createdAt"`

	ExpiresAt          *time.Time `json:"expiresAt,omitempty" doc:"When its token runs out, as it was told; the token of a consent is renewed before"`
	LastUsed           *time.Time `json:"lastUsed,omitempty" doc:"When a request was last sent with the token, over all replicas; absent: not within an hour"`
	RequestsThisMinute *int       `json:"requestsThisMinute,omitempty" doc:"Sent with the token in this minute of the clock, over all replicas and all owners that stand on it"`
	AuthorizeURL       string     `json:"authorizeUrl,omitempty" doc:"Where the sheet's owner consents. Shown this once; it works for ten minutes"`
	Warnings           []string   `json:"warnings,omitempty" doc:"What the token can do and need not"`
}

func ownerOf(o *registry.Owner) Owner {
	shown := Owner{
		Name: o.Name, Email: o.Email, Region: string(o.Region), Kind: o.Kind, AssumeUser: o.AssumeUser,
		State: string(o.State), Reason: o.Reason, CreatedAt: o.CreatedAt,
	}
	shown.ExpiresAt = o.ExpiresAt
	if o.OAuth != nil && !o.OAuth.ExpiresAt.IsZero() {
		shown.ExpiresAt = &o.OAuth.ExpiresAt
	}
	return shown
}

// NewOwner is an owner to be added.
type NewOwner struct {
	Name       string `json:"name" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" example:"ops"`
	Kind       string `json:"kind,omitempty" enum:"token,assume,oauth" doc:"Follows from the other fields where it is left out"`
	Token      string `json:"token,omitempty" minLength:"8" maxLength:"1024" pattern:"^[!-~]+$" patternDescription:"an access token as Smartsheet shows it, without blanks" writeOnly:"true" doc:"Access token of the user. It is tried, sealed, and never shown again"`
	Region     string `json:"region" enum:"us,eu,au,gov" doc:"Where the user's account lives"`
	Email      string `json:"email,omitempty" maxLength:"254" pattern:"^[^@\\s]+@[^@\\s]+$" patternDescription:"the e-mail address of a user" doc:"Of the kind oauth: who has to consent. Another user's consent is refused"`
	AssumeUser string `json:"assumeUser,omitempty" maxLength:"254" pattern:"^[^@\\s]+@[^@\\s]+$" patternDescription:"the e-mail address of a user" doc:"Act as this user; the token must be a System Admin's"`

	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When the token runs out, where its plan limits that: there are warnings 30, 7 and 1 days before"`
}

// NewToken replaces an owner's token.
type NewToken struct {
	Token string `json:"token" minLength:"8" maxLength:"1024" pattern:"^[!-~]+$" patternDescription:"an access token as Smartsheet shows it, without blanks" writeOnly:"true" doc:"Access token of the same user"`

	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When it runs out; left out: not known"`
}

// Sheet is a sheet that an owner can read.
type Sheet struct {
	ID         string `json:"id" example:"4509506114742148"`
	Name       string `json:"name"`
	Permission string `json:"permission" doc:"OWNER, ADMIN, EDITOR_SHARE, EDITOR, COMMENTER or VIEWER"`
}

type newOwnerRequest struct{ Body NewOwner }

type newTokenRequest struct {
	Name string `path:"name" doc:"Its name"`
	Body NewToken
}

func (a *API) routeOwners(api huma.API) {
	const tag = "owners"
	register(api, operation{
		method: http.MethodPost, path: "/v1/owners", id: "addOwner", tag: tag, status: http.StatusCreated, body: smallBody,
		summary: "Add an owner", description: "Tries the token with GET /users/me first. What Smartsheet refuses is not stored.",
		errors: []int{http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.addOwner)
	register(api, operation{
		method: http.MethodGet, path: "/v1/owners", id: "listOwners", tag: tag,
		summary: "List the owners", description: "Without their tokens.",
	}, a.listOwners)
	register(api, operation{
		method: http.MethodGet, path: "/v1/owners/{name}", id: "getOwner", tag: tag,
		summary: "Get an owner", description: "Without its token.",
		errors: []int{http.StatusNotFound},
	}, a.getOwner)
	register(api, operation{
		method: http.MethodGet, path: "/v1/owners/{name}/sheets", id: "listOwnerSheets", tag: tag,
		summary: "List the sheets that an owner can read", description: "Asks Smartsheet, a request for each 1,000 sheets. Of a folder or workspace it asks for each folder in it.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.listSheets)
	register(api, operation{
		method: http.MethodPut, path: "/v1/owners/{name}/token", id: "replaceOwnerToken", tag: tag, body: smallBody,
		summary: "Replace an owner's token", description: "The token must be of the same user. What was suspended for the old one goes on at once.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.replaceToken)
	register(api, operation{
		method: http.MethodDelete, path: "/v1/owners/{name}", id: "deleteOwner", tag: tag, status: http.StatusNoContent,
		summary: "Remove an owner", description: "Only while no webhook uses it.",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.deleteOwner)
}

// owners is what adds, changes and removes owners.
func (a *API) owners() *owner.Owners {
	return &owner.Owners{Registry: a.Registry, Access: a.Access, Inbox: a.Inbox, Log: a.Log}
}

func (a *API) addOwner(ctx context.Context, in *newOwnerRequest) (*out[Owner], error) {
	b := in.Body
	o, err := a.owners().Add(ctx, owner.New{
		Name: b.Name, Region: smartsheet.Region(b.Region), Kind: b.Kind, Token: b.Token, Email: b.Email,
		AssumeUser: b.AssumeUser, ExpiresAt: utc(b.ExpiresAt),
	})
	if err != nil {
		return nil, err
	}
	if o.Kind == owner.KindOAuth {
		return a.answerAuthorizationURL(ctx, o)
	}
	shown := ownerOf(o)
	shown.Warnings = a.owners().Warnings(ctx, o.Name)
	return &out[Owner]{shown}, nil
}

func (a *API) replaceToken(ctx context.Context, in *newTokenRequest) (*out[Owner], error) {
	o, err := a.owner(in.Name)
	if err != nil {
		return nil, err
	}
	if o, err = a.owners().ReplaceToken(ctx, o, in.Body.Token, utc(in.Body.ExpiresAt)); err != nil {
		return nil, err
	}
	return &out[Owner]{ownerOf(o)}, nil
}

func (a *API) listOwners(context.Context, *none) (*out[list[Owner]], error) {
	var items []Owner
	for _, o := range a.Registry.Owners() {
		items = append(items, ownerOf(o))
	}
	return &out[list[Owner]]{listOf(items)}, nil
}

// owner finds an owner by its name in the path.
func (a *API) owner(name string) (*registry.Owner, error) {
	if o := a.Registry.Owner(name); o != nil {
		return o, nil
	}
	return nil, httpProblem(http.StatusNotFound, "there is no owner %q: GET /v1/owners lists them", clip(name)).next(problem.ListOwners.For())
}

func (a *API) getOwner(ctx context.Context, in *named) (*out[Owner], error) {
	o, err := a.owner(in.Name)
	if err != nil {
		return nil, err
	}
	return &out[Owner]{a.withUsage(ctx, o)}, nil
}

type sheetsRequest struct {
	Name      string `path:"name" doc:"The owner's name"`
	Folder    string `query:"folderId" pattern:"^[0-9]{1,19}$" doc:"Only the sheets in this folder, and in the folders in it"`
	Workspace string `query:"workspaceId" pattern:"^[0-9]{1,19}$" doc:"Only the sheets in this workspace, and in its folders"`
}

func (a *API) listSheets(ctx context.Context, in *sheetsRequest) (*out[list[Sheet]], error) {
	o, err := a.owner(in.Name)
	if err != nil {
		return nil, err
	}
	container, err := in.container()
	if err != nil {
		return nil, err
	}
	sheets, err := a.owners().Sheets(ctx, o, container)
	if err != nil {
		return nil, err
	}
	var items []Sheet
	for _, s := range sheets {
		items = append(items, Sheet{ID: strconv.FormatInt(s.ID, 10), Name: s.Name, Permission: s.AccessLevel})
	}
	return &out[list[Sheet]]{listOf(items)}, nil
}

// container is the folder or workspace of the request, nil for neither.
func (in *sheetsRequest) container() (*owner.Container, error) {
	text := cmp.Or(in.Folder, in.Workspace)
	switch {
	case text == "":
		return nil, nil
	case in.Folder != "" && in.Workspace != "":
		return nil, httpProblem(http.StatusUnprocessableEntity, "folderId and workspaceId name two places: give one of them")
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, httpProblem(http.StatusUnprocessableEntity, "%q is no id at Smartsheet", text)
	}
	return &owner.Container{ID: id, Workspace: in.Workspace != ""}, nil
}

func (a *API) deleteOwner(ctx context.Context, in *named) (*none, error) {
	o, err := a.owner(in.Name)
	if err != nil {
		return nil, err
	}
	return nil, a.owners().Remove(ctx, o)
}
