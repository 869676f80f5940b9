package smartsheettest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// consentPage is what the service shows its users. Who is logged in is chosen
// here, where the service knows.
var consentPage = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Allow access – Smartsheet (simulated)</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.4rem 1.2rem;margin-right:.5rem}select{font:inherit}</style></head>
<body><h1>Allow access</h1>
<p><strong>{{.App.Name}}</strong> asks to act for you in this simulated Smartsheet:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<form method="post" action="/b/authorize">
{{range $name, $value := .Hidden}}<input type="hidden" name="{{$name}}" value="{{$value}}">
{{end}}<p><label>Logged in as <select name="user">{{range .Users}}<option value="{{.Email}}">{{.Name}} ({{.Email}})</option>{{end}}</select></label></p>
<p><button id="allow" name="decision" value="allow">Allow</button><button id="deny" name="decision" value="deny">Deny</button></p>
</form></body></html>
`))

var consentProblem = template.Must(template.New("problem").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Smartsheet (simulated)</title></head><body><h1>This cannot be authorized</h1><p>{{.}}</p></body></html>
`))

// authorization is a request for consent that may be put to a user.
type authorization struct {
	app    *App
	scopes []string
	state  string
}

// authorize answers the page of consent and what its buttons do.
func (s *Server) authorize(r *http.Request) reply {
	if err := r.ParseForm(); err != nil {
		return problemReply(http.StatusBadRequest, "The request cannot be read.")
	}
	switch r.Method {
	case http.MethodGet:
		return s.askConsent(r.URL.Query())
	case http.MethodPost:
		return s.takeConsent(r.PostForm)
	}
	return htmlReply(http.StatusMethodNotAllowed)
}

func problemReply(status int, text string) reply {
	var b bytes.Buffer
	if err := consentProblem.Execute(&b, text); err != nil {
		return htmlReply(http.StatusInternalServerError)
	}
	return reply{status: status, kind: "text/html; charset=utf-8", body: b.Bytes()}
}

// authorization checks a request. What is wrong with the app is shown, what is
// wrong with the request is told to the app.
func (s *Server) authorization(q url.Values) (*authorization, *reply) {
	s.lock()
	app := s.apps[q.Get("client_id")]
	s.mu.Unlock()
	if app == nil {
		out := problemReply(http.StatusBadRequest, "The app is not known: invalid client_id.")
		return nil, &out
	}
	a := &authorization{app: app, state: q.Get("state"), scopes: strings.FieldsFunc(q.Get("scope"), func(c rune) bool { return c == ' ' || c == ',' })}
	refused := ""
	switch {
	case q.Get("response_type") != "code":
		refused = "unsupported_response_type"
	case q.Get("redirect_uri") != "" && q.Get("redirect_uri") != app.RedirectURL:
		out := problemReply(http.StatusBadRequest, "The redirect_uri is not the one that the app registered.")
		return nil, &out
	case len(a.scopes) == 0 || slices.ContainsFunc(a.scopes, func(scope string) bool { return !slices.Contains(knownScopes, scope) }):
		refused = "invalid_scope"
	}
	if refused != "" {
		out := a.back(url.Values{"error": {refused}})
		return nil, &out
	}
	return a, nil
}

// back sends the browser to the app.
func (a *authorization) back(query url.Values) reply {
	if a.state != "" {
		query.Set("state", a.state)
	}
	separator := "?"
	if strings.Contains(a.app.RedirectURL, "?") {
		separator = "&"
	}
	target := a.app.RedirectURL + separator + query.Encode()
	return reply{status: http.StatusFound, kind: "text/html", header: map[string]string{"Location": target}}
}

func (s *Server) askConsent(q url.Values) reply {
	a, refused := s.authorization(q)
	if refused != nil {
		return *refused
	}
	data := struct {
		App    *App
		Scopes []string
		Hidden map[string]string
		Users  []User
	}{App: a.app, Scopes: a.scopes, Hidden: map[string]string{}}
	for _, name := range []string{"client_id", "response_type", "scope", "state", "redirect_uri"} {
		if q.Get(name) != "" {
			data.Hidden[name] = q.Get(name)
		}
	}
	s.lock()
	for _, u := range s.users {
		if !u.inactive {
			data.Users = append(data.Users, *u)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(data.Users, func(a, b User) int { return cmp.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	if err := consentPage.Execute(&b, data); err != nil {
		return htmlReply(http.StatusInternalServerError)
	}
	return reply{status: http.StatusOK, kind: "text/html; charset=utf-8", body: b.Bytes()}
}

func (s *Server) takeConsent(form url.Values) reply {
	a, refused := s.authorization(form)
	if refused != nil {
		return *refused
	}
	if form.Get("decision") != "allow" {
		return a.back(url.Values{"error": {"access_denied"}})
	}
	s.lock()
	defer s.mu.Unlock()
	user := s.userByEmail(form.Get("user"))
	switch {
	case user == nil || user.inactive:
		return problemReply(http.StatusForbidden, "Log in first.")
	case user.Free:
		return problemReply(http.StatusForbidden, "Your account has no licence: the API is for licensed users of a paid plan.")
	}
	text := randomText(18, lowerAlphanumeric)
	s.codes[sha256.Sum256([]byte(text))] = &code{
		consent: &consent{app: a.app, user: user.ID, scopes: a.scopes}, expires: s.now().Add(CodeLife),
	}
	life := strconv.FormatInt(int64(CodeLife/time.Millisecond)-865, 10) // milliseconds, a little less than they last
	return a.back(url.Values{"code": {text}, "expires_in": {life}})
}
