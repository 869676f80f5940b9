package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/webhook/limits"
)

// record is what the one log line of a request says besides what was asked and
// answered.
type record struct {
	id       string // in the answer's header X-Request-Id
	who      string // name of the token; empty: none
	readOnly bool   // the token may only read
	err      error  // what the client was not told
	control  *http.ResponseController
}

// answerTime is what an answer may take to be written once it is known.
const answerTime = 10 * time.Second

// allow gives a request whose body was read the time that it may take: the
// listener's time-outs are for slow clients, and reaching the one for reading
// would end the request's context.
func (r *record) allow(d time.Duration) {
	if r.control == nil {
		return
	}
	// Not every writer has deadlines; one without needs no more time.
	_ = r.control.SetReadDeadline(time.Time{})
	_ = r.control.SetWriteDeadline(time.Now().Add(d + answerTime))
}

// extend gives the next write of a long answer its time.
func (r *record) extend(d time.Duration) {
	if r.control != nil {
		_ = r.control.SetWriteDeadline(time.Now().Add(d)) // one without deadlines needs no more time
	}
}

// flush sends what was written of a long answer.
func (r *record) flush() error {
	if r.control == nil {
		return nil
	}
	return r.control.Flush()
}

type recordKey struct{}

// recordOf returns the record of the request with the context. Outside of
// requests it is one that nobody reads.
func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return &record{}
}

// logRequests gives each request an id, which the answer has too, and writes one line
// for it: its route, not its path and query, and never a body.
func (a *API) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began, rec := time.Now(), &record{id: uuid.NewString(), control: http.NewResponseController(c.Response())}
		c.Response().Header().Set(echo.HeaderXRequestID, rec.id)
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), recordKey{}, rec)))
		if err := recovered(c, next); err != nil {
			c.Error(err)
		}
		status, route := c.Response().Status, c.Path()
		if route == "" {
			route = "none"
		}
		attrs := []slog.Attr{slog.String("method", c.Request().Method), slog.String("route", route),
			slog.Int("status", status), slog.String("who", rec.who), slog.String("request", rec.id),
			slog.String("client", limits.Address(c.Request().RemoteAddr)), slog.Duration("took", time.Since(began))}
		if rec.err != nil {
			attrs = append(attrs, slog.Any("err", rec.err))
		}
		if rec.who == "" && status >= http.StatusBadRequest && status < http.StatusInternalServerError {
			left, ok := a.Strangers.Next()
			if !ok {
				return nil
			}
			attrs = append(attrs, left...)
		}
		a.Log.LogAttrs(c.Request().Context(), levelOf(route, status), "admin request", attrs...)
		return nil
	}
}

// levelOf is ERROR for our own failures alone. Those of Smartsheet and NATS, and a
// budget that is used up, were told to the client.
func levelOf(route string, status int) slog.Level {
	switch {
	case public(route) && (status < http.StatusInternalServerError || route == pathReady): // asked every few seconds
		return slog.LevelDebug
	case status == http.StatusInternalServerError:
		return slog.LevelError
	case status > http.StatusInternalServerError:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// recovered turns a panic into an error, so that one request fails and not the
// bridge.
func recovered(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return next(c)
}
