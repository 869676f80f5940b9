package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/tracing"
)

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
