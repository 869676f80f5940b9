package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"golang.org/x/sync/semaphore"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// CallbackPath is where callbacks come to, followed by the registration's key.
const CallbackPath = "/callbacks/"

const (
	storeTimeout = 5 * time.Second  // for a hint to be stored
	bodyTimeout  = 20 * time.Second // for a callback's body to arrive
	roomTimeout  = 2 * time.Second  // to wait while other bodies fill the memory
	bodiesAtOnce = 4                // bodies of the largest size that are held together
)

// Receiver answers Smartsheet's callbacks. What it may answer is part of the
// contract: Smartsheet disables a webhook that is answered with any 2xx but
// 200, with a 3xx or with 410, and sends again after a 4xx or 5xx.
type Receiver struct {
	Registry *registry.Registry
	Inbox    *inbox.Inbox
	Limit    int64 // largest body, bytes
	Log      *slog.Logger

	// BadSignature is told of a registration whose callback was signed wrong.
	BadSignature func(ctx context.Context, registration string)
	// Observe is told of every answer.
	Observe func(Answer)

	room *semaphore.Weighted
}

// Answer is what a callback was answered, for metrics.
type Answer struct {
	Status int
	Took   time.Duration
}

// refusal is an answer other than 200: a status of the contract, and why.
type refusal struct {
	status int
	why    string
	err    error
}

func (r *refusal) Error() string {
	if r.err != nil {
		return fmt.Sprintf("%s: %v", r.why, r.err)
	}
	return r.why
}

func refuse(status int, why string) error { return &refusal{status: status, why: why} }

// Handler returns the public listener's handler: callbacks and /healthz.
func (rc *Receiver) Handler() http.Handler {
	rc.room = semaphore.NewWeighted(bodiesAtOnce * rc.Limit)
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // one logger: rc.Log
	e.HTTPErrorHandler = answerError
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{
		DisableErrorHandler: true,
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			rc.Log.Error("receiver: panic", "err", err, "stack", string(stack))
			return &refusal{http.StatusServiceUnavailable, "panic", err}
		},
	}))
	e.Any(CallbackPath+"*", rc.callback)
	e.Any("/callbacks", rc.callback)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	return e
}

// answerError turns an error into an answer. On the path of callbacks only the
// contract's codes leave.
func answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, why := http.StatusServiceUnavailable, "cannot answer now"
	var r *refusal
	var h *echo.HTTPError
	switch {
	case errors.As(err, &r):
		status, why = r.status, r.why
	case errors.As(err, &h):
		status, why = h.Code, http.StatusText(h.Code)
	}
	_ = c.String(status, why+"\n") // nobody is left to tell
}

// outcome is what the one log line of a callback says.
type outcome struct {
	registration string
	events       int
	bytes        int
	hint         *inbox.Hint
}

func (rc *Receiver) callback(c echo.Context) (err error) {
	start := time.Now()
	var out outcome
	defer func() {
		status := http.StatusOK
		if r := (*refusal)(nil); errors.As(err, &r) {
			status = r.status
		}
		level := slog.LevelInfo
		if status >= 500 {
			level = slog.LevelError
		} else if status >= 400 {
			level = slog.LevelWarn
		}
		attrs := []slog.Attr{slog.Int("status", status), slog.String("registration", out.registration),
			slog.Int("events", out.events), slog.Int("bytes", out.bytes), slog.Duration("took", time.Since(start))}
		if err != nil {
			attrs = append(attrs, slog.Any("err", err))
		}
		rc.Log.LogAttrs(c.Request().Context(), level, "callback", attrs...)
		if rc.Observe != nil {
			rc.Observe(Answer{Status: status, Took: time.Since(start)})
		}
	}()
	reg, err := rc.registration(c)
	if err != nil {
		return err
	}
	out.registration = reg.ID
	body, release, err := rc.body(c, reg)
	defer release()
	if err != nil {
		return err
	}
	out.bytes = len(body)
	if ch, ok := smartsheet.ParseChallenge(c.Request().Header, body); ok {
		return answerChallenge(c, reg, ch)
	}
	if err := rc.verify(c, reg, body); err != nil {
		return err
	}
	cb, err := smartsheet.ParseCallback(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "not a callback")
	}
	if cb.WebhookID != reg.WebhookID {
		return refuse(http.StatusForbidden, "another webhook's callback")
	}
	out.events = len(cb.Events)
	if hint := hintOf(reg.ID, cb, start); hint != nil {
		if err := rc.store(c.Request().Context(), hint); err != nil {
			return err
		}
	}
	return c.NoContent(http.StatusOK)
}

// hintOf returns what a callback tells the relay, nil for nothing.
func hintOf(registration string, cb *smartsheet.Callback, received time.Time) *inbox.Hint {
	if cb.NewWebhookStatus != "" {
		return &inbox.Hint{Registration: registration, Why: inbox.WhyCallback, Whole: true, Webhook: true, ReceivedAt: received}
	}
	return inbox.FromCallback(registration, cb, received)
}

// registration finds whose callback it is, by the key in its path.
func (rc *Receiver) registration(c echo.Context) (*registry.Registration, error) {
	select {
	case <-rc.Registry.Loaded():
	default:
		return nil, refuse(http.StatusServiceUnavailable, "starting")
	}
	if c.Request().Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "POST only")
	}
	reg, err := rc.Registry.ByCallbackKey(c.Request().Context(), c.Param("*"))
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, refuse(http.StatusForbidden, "unknown")
	case err != nil:
		return nil, &refusal{http.StatusServiceUnavailable, "cannot look it up now", err}
	}
	return reg, nil
}

// body reads the body. All bodies in flight share one bound; release gives the
// room back and may always be called.
func (rc *Receiver) body(c echo.Context, reg *registry.Registration) (body []byte, release func(), err error) {
	req := c.Request()
	release = func() {}
	if req.ContentLength > rc.Limit {
		return nil, release, rc.tooLarge(req.Context(), reg)
	}
	room := rc.Limit
	if req.ContentLength >= 0 {
		room = req.ContentLength
	}
	ctx, cancel := context.WithTimeout(req.Context(), roomTimeout)
	defer cancel()
	if err := rc.room.Acquire(ctx, room); err != nil {
		return nil, release, refuse(http.StatusServiceUnavailable, "too many callbacks at once")
	}
	release = func() { rc.room.Release(room) }
	_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(bodyTimeout)) // the server's own is longer
	body, err = io.ReadAll(io.LimitReader(req.Body, rc.Limit+1))
	switch {
	case err != nil:
		return nil, release, &refusal{http.StatusBadRequest, "the body did not arrive", err}
	case int64(len(body)) > rc.Limit:
		return nil, release, rc.tooLarge(req.Context(), reg)
	}
	return body, release, nil
}

// tooLarge refuses a callback that cannot be read, and has the sheet compared
// instead.
func (rc *Receiver) tooLarge(ctx context.Context, reg *registry.Registration) error {
	err := rc.store(ctx, &inbox.Hint{Registration: reg.ID, Why: inbox.WhyCallback, Whole: true, Full: true, ReceivedAt: time.Now()})
	if err != nil {
		return err
	}
	return refuse(http.StatusRequestEntityTooLarge, "larger than "+strconv.FormatInt(rc.Limit, 10)+" bytes")
}

// answerChallenge answers a verification request in both of the ways that
// Smartsheet takes.
func answerChallenge(c echo.Context, reg *registry.Registration, ch smartsheet.Challenge) error {
	if ch.WebhookID != reg.WebhookID {
		return refuse(http.StatusForbidden, "another webhook's verification")
	}
	c.Response().Header().Set(smartsheet.HeaderChallengeResponse, ch.Value)
	return c.JSON(http.StatusOK, struct {
		Response string `json:"smartsheetHookResponse"`
	}{ch.Value})
}

// verify checks the signature of the raw body against the secrets that count.
func (rc *Receiver) verify(c echo.Context, reg *registry.Registration, body []byte) error {
	signature := c.Request().Header.Get(smartsheet.HeaderSignature)
	for _, secret := range reg.Secrets(time.Now()) {
		if smartsheet.VerifySignature(string(secret), body, signature) == nil {
			return nil
		}
	}
	if signature != "" && rc.BadSignature != nil {
		rc.BadSignature(c.Request().Context(), reg.ID)
	}
	return refuse(http.StatusUnauthorized, "wrong or missing signature")
}

// store puts the hint into the inbox. The caller's hanging up does not stop it:
// what is stored must not be unknown.
func (rc *Receiver) store(ctx context.Context, h *inbox.Hint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := rc.Inbox.Put(ctx, h); err != nil {
		return &refusal{http.StatusServiceUnavailable, "cannot be stored now", err}
	}
	return nil
}

// NewServer returns an HTTP server for a listener that strangers reach, with
// the time-outs that cut half-open and dripping connections.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            10 * time.Second,
		ReadTimeout:                  30 * time.Second,
		WriteTimeout:                 60 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               16 << 10,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
