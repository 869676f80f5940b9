package webhook

import (
	"cmp"
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
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/tracing"
)

const (
	storeTimeout  = 5 * time.Second  // for a hint to be stored
	bodyTimeout   = 20 * time.Second // for a callback's body to arrive
	roomTimeout   = 2 * time.Second  // to wait while other bodies fill the memory
	bodiesAtOnce  = 4                // bodies of the largest size that are held together
	lookupsAtOnce = 16               // keys that are looked up in the bucket together
)

// Receiver answers Smartsheet's callbacks. What it may answer is part of the
// contract: Smartsheet disables a webhook that is answered with any 2xx but
// 200, with a 3xx or with 410, and sends again after a 4xx or 5xx.
type Receiver struct {
	Registry *registry.Registry
	Inbox    *inbox.Inbox
	Limit    int64 // largest body, bytes
	Log      *slog.Logger

	// BadSignature is called for a registration whose callback had a wrong signature.
	BadSignature func(ctx context.Context, registration string)
	// Observe is called with every answer.
	Observe func(Answer)
	Tracer  trace.Tracer // nil: no traces
	// Strangers bounds the lines about requests that are nobody's callbacks.
	Strangers *limits.Lines

	room, lookups            *semaphore.Weighted
	bodyTimeout, roomTimeout time.Duration
}

// Handler returns the public listener's handler: callbacks and /healthz.
func (rc *Receiver) Handler() http.Handler {
	rc.room, rc.lookups = semaphore.NewWeighted(bodiesAtOnce*rc.Limit), semaphore.NewWeighted(lookupsAtOnce)
	rc.bodyTimeout, rc.roomTimeout = cmp.Or(rc.bodyTimeout, bodyTimeout), cmp.Or(rc.roomTimeout, roomTimeout)
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
	e.Any(registry.CallbackPath+"*", rc.callback)
	e.Any("/callbacks", rc.callback)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	return e
}

func (rc *Receiver) callback(c echo.Context) (err error) {
	start := time.Now()
	// A trace of its own: what a stranger's headers say is not believed.
	ctx, span := tracing.OrNoop(rc.Tracer).Start(c.Request().Context(), "callback",
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer))
	var out outcome
	defer func() {
		broken := recover()
		if broken != nil {
			err = refuse(http.StatusServiceUnavailable, "panic")
		}
		rc.logCallback(ctx, out, time.Since(start), err)
		if span.IsRecording() {
			span.SetAttributes(out.attributes(err)...)
		}
		tracing.EndSpan(span, err)
		if broken != nil {
			panic(broken) // the one who answers it is further out
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
		out.kind = "verification"
		return rc.answerChallenge(c, reg, ch)
	}
	if reg, err = rc.verify(c, reg, body); err != nil {
		return err
	}
	cb, err := smartsheet.ParseCallback(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "not a callback")
	}
	if cb.WebhookID != reg.WebhookID {
		return refuse(http.StatusForbidden, "another webhook's callback")
	}
	out.kind, out.events = kindOf(cb), len(cb.Events)
	if hint := hintOf(reg.ID, cb, start); hint != nil {
		hint.Trace = tracing.Parent(ctx)
		if err := rc.store(ctx, hint); err != nil {
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
	reg, err := rc.byKey(c.Request().Context(), c.Param("*"))
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, refuse(http.StatusForbidden, "unknown")
	case err != nil:
		return nil, &refusal{http.StatusServiceUnavailable, "cannot look it up now", err}
	}
	return reg, nil
}

// byKey finds the registration of a key. One that is not in memory costs a
// request to the bucket: strangers who guess keys must not fill it with them.
func (rc *Receiver) byKey(ctx context.Context, key string) (*registry.Registration, error) {
	if !rc.Registry.Knows(key) {
		waiting, cancel := context.WithTimeout(ctx, rc.roomTimeout)
		defer cancel()
		if err := rc.lookups.Acquire(waiting, 1); err != nil {
			return nil, fmt.Errorf("too many unknown keys at once: %w", err)
		}
		defer rc.lookups.Release(1)
	}
	return rc.Registry.ByCallbackKey(ctx, key)
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

// body reads the body. All bodies in flight share one bound; release gives the
// room back and may always be called.
func (rc *Receiver) body(c echo.Context, reg *registry.Registration) (body []byte, release func(), err error) {
	req := c.Request()
	release = func() {}
	if req.ContentLength > rc.Limit {
		// Who is still sending when the connection closes may never see the answer.
		_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(rc.bodyTimeout))
		_, _ = io.Copy(io.Discard, io.LimitReader(req.Body, drained*rc.Limit))
		return nil, release, rc.tooLarge(req.Context(), reg)
	}
	room := rc.Limit
	if req.ContentLength >= 0 {
		room = req.ContentLength
	}
	ctx, cancel := context.WithTimeout(req.Context(), rc.roomTimeout)
	defer cancel()
	if err := rc.room.Acquire(ctx, room); err != nil {
		return nil, release, refuse(http.StatusServiceUnavailable, "too many callbacks at once")
	}
	release = func() { rc.room.Release(room) }
	_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(rc.bodyTimeout)) // the server's own is longer
	body, err = readAll(req.Body, req.ContentLength, rc.Limit)
	switch {
	case err != nil:
		return nil, release, &refusal{http.StatusBadRequest, "the body did not arrive", err}
	case int64(len(body)) > rc.Limit:
		return nil, release, rc.tooLarge(req.Context(), reg)
	}
	return body, release, nil
}

// readAll reads a body of a length, -1 if that is not known, and at most one byte
// more than the limit.
func readAll(r io.Reader, length, limit int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(io.LimitReader(r, limit+1))
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return body, err
}

// drained is how many times the limit is read of a body that is too large, and
// thrown away.
const drained = 4

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
func (rc *Receiver) answerChallenge(c echo.Context, reg *registry.Registration, ch smartsheet.Challenge) error {
	if ch.WebhookID != reg.WebhookID {
		var err error
		if reg, err = rc.again(c, reg); err != nil {
			return err
		}
	}
	if ch.WebhookID != reg.WebhookID {
		return refuse(http.StatusForbidden, "another webhook's verification")
	}
	c.Response().Header().Set(smartsheet.HeaderChallengeResponse, ch.Value)
	return c.JSON(http.StatusOK, struct {
		Response string `json:"smartsheetHookResponse"`
	}{ch.Value})
}

// again reads the registration from the bucket: another replica may have changed
// it a moment ago, and what we have in memory is older.
func (rc *Receiver) again(c echo.Context, reg *registry.Registration) (*registry.Registration, error) {
	fresh, err := rc.Registry.FreshRegistration(c.Request().Context(), reg.ID)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, refuse(http.StatusForbidden, "unknown")
	case err != nil:
		return nil, &refusal{http.StatusServiceUnavailable, "cannot look it up now", err}
	}
	return fresh, nil
}

// verify checks the signature of the raw body against the secrets that count,
// and returns the registration that has the right one.
func (rc *Receiver) verify(c echo.Context, reg *registry.Registration, body []byte) (*registry.Registration, error) {
	signature := c.Request().Header.Get(smartsheet.HeaderSignature)
	if signature == "" {
		return nil, refuse(http.StatusUnauthorized, "missing signature")
	}
	if signed(reg, body, signature) {
		return reg, nil
	}
	fresh, err := rc.again(c, reg)
	if err != nil {
		return nil, err
	}
	if fresh.Revision != reg.Revision && signed(fresh, body, signature) {
		return fresh, nil
	}
	if rc.BadSignature != nil {
		rc.BadSignature(c.Request().Context(), reg.ID)
	}
	return nil, refuse(http.StatusUnauthorized, "wrong signature")
}

func signed(reg *registry.Registration, body []byte, signature string) bool {
	for _, secret := range reg.Secrets(time.Now()) {
		if smartsheet.VerifySignature(string(secret), body, signature) == nil {
			return true
		}
	}
	return false
}

// store puts the hint into the inbox. It goes on when the caller closes the connection:
// what is stored must not be unknown.
func (rc *Receiver) store(ctx context.Context, h *inbox.Hint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	ctx, span := tracing.OrNoop(rc.Tracer).Start(ctx, "store hint", trace.WithSpanKind(trace.SpanKindProducer))
	err := rc.Inbox.Put(ctx, h)
	tracing.EndSpan(span, err)
	if err != nil {
		return &refusal{http.StatusServiceUnavailable, "cannot be stored now", err}
	}
	return nil
}
