package partner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	joinBody   = 4 << 10          // largest body, bytes
	joinTime   = 30 * time.Second // bounds using an invitation
	wrongBurst = 20               // wrong tokens that one address is answered at once
	wrongEvery = 15 * time.Second // and one more
	// reportEvery is how often wrong tokens are reported in the audit log.
	reportEvery = time.Minute
)

// Join answers JoinPath on the public listener: a page that says what an invitation
// is, and those who use one. Its fields are not changed once there is a handler.
type Join struct {
	Invitations *Invitations
	Audit       *audit.Log // nil: wrong tokens are in no log but ours
	Log         *slog.Logger
	Strangers   *limits.Lines // bounds the lines about tokens of nobody

	wrong   limits.Attempts
	reports limits.Attempts
}

// Middleware returns a handler that answers JoinPath, and has the next one answer
// everything else.
func (j *Join) Middleware(next http.Handler) http.Handler {
	j.wrong = limits.Attempts{Burst: wrongBurst, Every: wrongEvery}
	j.reports = limits.Attempts{Burst: 1, Every: reportEvery}
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.HTTPErrorHandler = j.answerError
	e.Any(JoinPath+"*", j.serve)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, JoinPath) {
			e.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// joinError is an answer that refuses.
type joinError struct {
	status        int
	title, detail string
	err           error // for our log; nil: nothing is to be said there
}

func (e *joinError) Error() string { return e.title }

// noInvitation is the answer to every token that is not one of an open invitation.
func noInvitation() *joinError {
	return &joinError{http.StatusNotFound, "This invitation does not work",
		"It was used before, has expired, was withdrawn, or its address is not complete. Ask those who sent it for a new one.", nil}
}

func (j *Join) serve(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), joinTime)
	defer cancel()
	method := c.Request().Method
	if method != http.MethodGet && method != http.MethodHead && method != http.MethodPost {
		c.Response().Header().Set(echo.HeaderAllow, "GET, HEAD, POST")
		return &joinError{http.StatusMethodNotAllowed, "This is not how an invitation is used", "Open its address in a browser, or use sheetbridge join.", nil}
	}
	select {
	case <-j.Invitations.Accounts.Registry.Loaded():
	default:
		return &joinError{http.StatusServiceUnavailable, "Not ready yet", "Try again in a few seconds.", nil}
	}
	p, invitation, err := j.Invitations.find(c.Param("*"))
	if err != nil {
		return j.refuse(c)
	}
	if method != http.MethodPost { // a program that follows links takes nothing
		return j.open(c, p, invitation)
	}
	publicKey, asJSON, err := readJoin(c)
	if err != nil {
		return err
	}
	ctx = audit.Via(audit.As(ctx, "invitation "+p.Name+"/"+invitation.Credentials), limits.Address(c.Request().RemoteAddr), "")
	joined, err := j.Invitations.take(context.WithoutCancel(ctx), p, invitation, publicKey)
	if err != nil {
		return j.failed(c, err)
	}
	j.Log.Info("an invitation was used", "partner", joined.Partner, "credentials", joined.Name)
	if asJSON {
		secureHeader(c.Response().Header())
		return c.JSON(http.StatusOK, joined)
	}
	return sendCreds(c, joined)
}

// open says what an invitation gives: on a page, or to programs in short.
func (j *Join) open(c echo.Context, p *registry.Partner, invitation *registry.Invitation) error {
	if !asksJSON(c.Request()) {
		return j.show(c, http.StatusOK, j.Invitations.describe(p, invitation))
	}
	secureHeader(c.Response().Header())
	return c.JSON(http.StatusOK, openInvitation{Partner: p.Name, Name: invitation.Credentials, OpenUntil: invitation.ExpiresAt})
}

// asksJSON tells whether a program asks, which is answered in JSON: it accepts that, or
// sends it.
func asksJSON(r *http.Request) bool {
	for _, name := range []string{echo.HeaderAccept, echo.HeaderContentType} {
		if kind, _, _ := mime.ParseMediaType(r.Header.Get(name)); kind == echo.MIMEApplicationJSON {
			return true
		}
	}
	return false
}

// readJoin reads how an invitation is to be used: with a public key in JSON, or by
// the form of the page.
func readJoin(c echo.Context) (publicKey string, asJSON bool, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, joinBody))
	if err != nil {
		return "", false, &joinError{http.StatusRequestEntityTooLarge, "The request is too large", "Send a public key and nothing else.", nil}
	}
	kind, _, _ := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if kind == "" && len(body) == 0 { // as curl -X POST sends the form
		return "", false, nil
	}
	switch kind {
	case echo.MIMEApplicationForm, echo.MIMEMultipartForm:
		return "", false, nil
	case echo.MIMEApplicationJSON:
	default:
		return "", false, &joinError{http.StatusUnsupportedMediaType, "The request is of a kind that is not known here", `Send the page's form, or JSON such as {"publicKey":"U…"}.`, nil}
	}
	var ask struct {
		PublicKey string `json:"publicKey"`
	}
	if json.Unmarshal(body, &ask) != nil || ask.PublicKey == "" {
		return "", true, &joinError{http.StatusUnprocessableEntity, "The request has no public key", `Send JSON such as {"publicKey":"U…"}: sheetbridge join makes the key and sends it. The invitation is still good.`, nil}
	}
	return ask.PublicKey, true, nil
}

// sendCreds sends a .creds file.
func sendCreds(c echo.Context, joined *Joined) error {
	h := c.Response().Header()
	secureHeader(h)
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": joined.Partner + "-" + joined.Name + ".creds"}))
	return c.Blob(http.StatusOK, echo.MIMEOctetStream, []byte(joined.creds))
}

// failed is the answer to an invitation that could not be used.
func (j *Join) failed(c echo.Context, err error) error {
	var p *problem.Problem
	switch {
	case errors.Is(err, errNoInvitation): // somebody else was quicker
		return j.refuse(c)
	case errors.As(err, &p) && p.Fault == problem.Invalid:
		return &joinError{http.StatusUnprocessableEntity, "The public key cannot be used", p.Error() + ". The invitation is still good.", nil}
	}
	return &joinError{http.StatusServiceUnavailable, "Not now", "The credentials could not be made at the moment. Try again in a minute; if the invitation does not work then, ask for a new one.", err}
}

// refuse answers a token of no open invitation. Wrong tokens are answered so often
// for one address; a right one is never refused for them.
func (j *Join) refuse(c echo.Context) error {
	ctx, address := c.Request().Context(), limits.Address(c.Request().RemoteAddr)
	if left, ok := j.Strangers.Next(); ok {
		j.Log.LogAttrs(ctx, slog.LevelInfo, "a token of no open invitation", append(left, slog.String("client", address))...)
	}
	if j.Audit != nil && j.reports.Allow("") {
		ctx, cancel := context.WithTimeout(audit.Via(audit.As(context.WithoutCancel(ctx), "nobody"), address, ""), joinTime)
		defer cancel()
		if err := j.Audit.Append(ctx, "wrong invitation", address, audit.Refused, nil); err != nil {
			j.Log.Error("wrong invitations are not in the audit log", "err", err)
		}
	}
	if !j.wrong.Allow(address) {
		c.Response().Header().Set("Retry-After", fmt.Sprint(int(wrongEvery/time.Second)))
		return &joinError{http.StatusTooManyRequests, "Too many invitations that do not work", "Try again in a minute, with the whole address.", nil}
	}
	return noInvitation()
}

// answerError answers what was refused: a page, or a problem for programs.
func (j *Join) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var refused *joinError
	if !errors.As(err, &refused) {
		refused = &joinError{http.StatusServiceUnavailable, "Not now", "Try again in a minute.", err}
	}
	if refused.err != nil {
		j.Log.Error("an invitation could not be used", "err", refused.err)
	}
	if c.Request().ContentLength != 0 {
		c.Response().Header().Set("Connection", "close") // what is left of the body is not waited for
	}
	if asksJSON(c.Request()) {
		secureHeader(c.Response().Header())
		c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
		_ = c.JSON(refused.status, map[string]any{"status": refused.status, "title": refused.title, "detail": refused.detail}) // nobody is left to tell
		return
	}
	_ = j.show(c, refused.status, &joinPage{Title: refused.title, Text: refused.detail})
}
