package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/tracing"
)

// Pass is what one pass did, for metrics.
type Pass struct {
	Why       inbox.Why
	Result    string // done, later, refused, stale, dead, again
	Owner     string
	Mode      string // webhook or polling
	Rows      int    // read
	Requests  int    // to Smartsheet
	Took      time.Duration
	Lag       map[events.Origin]time.Duration // from Smartsheet's change to our publishing, the longest of the pass
	Published map[string]map[string]int       // partner → type of event → number stored
	Found     map[string]int                  // partner → events that no callback reported
}

// summary is what is reported of a pass at its end.
type summary struct {
	plan     *plan
	shares   []*shareSync
	outcomes outcomes
	reading  reading
	result   string
	err      error // why the hint must be handed out again
}

// report writes the one line of a pass, ends its span and counts it.
func (r *Relay) report(ctx context.Context, span trace.Span, sum summary) {
	p, cause := sum.plan, sum.cause()
	tracing.EndSpan(span, cause, attribute.String("sheetbridge.result", sum.result),
		attribute.Int("sheetbridge.rows", sum.reading.rows), attribute.Int("sheetbridge.requests", sum.reading.requests))
	attrs := append(tracing.LogAttrs(ctx),
		slog.String("registration", p.hint.Registration), slog.String("why", string(p.hint.Why)),
		slog.String("result", sum.result), slog.Bool("whole", p.hint.Whole), slog.Int("hinted", len(p.hint.Rows)),
		slog.Int64("version", sum.reading.version), slog.Int("rows", sum.reading.rows), slog.Int("requests", sum.reading.requests),
		slog.Duration("waited", p.startedAt.Sub(p.hint.ReceivedAt)), slog.Duration("took", time.Since(p.startedAt)),
		slog.String("owner", p.reg.Owner), slog.Int64("sheet", p.reg.SheetID), slog.String("sheetName", p.reg.SheetName),
	)
	for _, s := range sum.shares {
		if n := total(s.published) - s.published[events.StatusChanged]; n > 0 { // a status goes with whatever is published
			attrs = append(attrs, slog.Int("published."+s.share.Partner+"."+s.share.Sheet, n))
		}
	}
	if cause != nil {
		attrs = append(attrs, slog.Int("attempt", p.hint.Attempt), slog.Any("err", cause))
	}
	r.Log.LogAttrs(ctx, levelOf(ctx, sum.result, cause), "pass", attrs...)
	if r.Observe != nil {
		r.Observe(sum.pass())
	}
}

// cause joins what went wrong in a pass, for the log.
func (sum summary) cause() error {
	errs := []error{sum.reading.err}
	for _, s := range sum.shares {
		if err := sum.outcomes[s].err; err != nil && !errors.Is(err, errEnded) {
			errs = append(errs, fmt.Errorf("share %s: %w", s.share.Key(), err))
		}
	}
	if sum.err != nil && sum.reading.err == nil {
		errs = append(errs, sum.err)
	}
	return errors.Join(errs...)
}

// levelOf says how much a pass's result matters: what was given up is for a
// person, what fails may mend itself, and a stop is no failure.
func levelOf(ctx context.Context, result string, err error) slog.Level {
	switch {
	case result == "dead":
		return slog.LevelError
	case err != nil && ctx.Err() == nil:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func total(published map[string]int) int {
	n := 0
	for _, of := range published {
		n += of
	}
	return n
}

// pass is what the pass did.
func (sum summary) pass() Pass {
	p := Pass{
		Why: sum.plan.hint.Why, Result: sum.result, Owner: sum.plan.reg.Owner, Mode: modeOf(sum.plan.reg),
		Rows: sum.reading.rows, Requests: sum.reading.requests, Took: time.Since(sum.plan.startedAt),
		Lag: map[events.Origin]time.Duration{}, Published: map[string]map[string]int{}, Found: map[string]int{},
	}
	for _, s := range sum.shares {
		of := p.Published[s.share.Partner]
		if of == nil {
			of = map[string]int{}
			p.Published[s.share.Partner] = of
		}
		for typ, n := range s.published {
			of[typ] += n
		}
		if n := sum.outcomes[s].unreported; n > 0 {
			p.Found[s.share.Partner] += n
		}
		if at := s.changeTime(sum.outcomes[s]); !at.IsZero() {
			p.Lag[s.origin()] = max(p.Lag[s.origin()], time.Since(at))
		}
	}
	return p
}

// changeTime is when what the share's part of the pass published was changed at
// Smartsheet, zero where nothing was, or that is not known.
func (s *shareSync) changeTime(o outcome) time.Time {
	if total(s.published) == s.published[events.SchemaChanged]+s.published[events.StatusChanged] {
		return time.Time{}
	}
	switch s.origin() {
	case events.OriginCallback:
		return s.plan.hint.ChangedAt
	case events.OriginReconcile:
		return o.changedAt
	}
	return time.Time{}
}

// loads reports whether the pass publishes the whole share, and not what changed.
func (s *shareSync) loads() bool {
	return s.origin() == events.OriginSnapshot || s.origin() == events.OriginShare
}

// showProgress records how many rows of a load were compared, for those who look at
// the share.
func (s *shareSync) showProgress(done int, pg *page) {
	if pg.named || pg.total == 0 || !s.plan.whole() || !s.loads() {
		return
	}
	// A sheet that moves while it is read may give rows twice.
	s.relay.Partners.SetProgress(s.share, &partner.Progress{Done: min(done, pg.total), Of: pg.total})
}

// startSpan begins a pass's span, in the trace of what gave the hint.
func (r *Relay) startSpan(ctx context.Context, h *inbox.Hint) (context.Context, trace.Span) {
	return tracing.OrNoop(r.Tracer).Start(tracing.WithParent(ctx, h.Trace), "pass", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("sheetbridge.registration", h.Registration),
			attribute.String("sheetbridge.why", string(h.Why)), attribute.Int("sheetbridge.attempt", h.Attempt)))
}

// traceParent is the trace context that the events of a pass carry.
func (r *Relay) traceParent(ctx context.Context, h *inbox.Hint) string {
	if own := tracing.Parent(ctx); own != "" {
		return own
	}
	return h.Trace
}

func (r *Relay) publishSpan(ctx context.Context, s *registry.Share, n int, took time.Duration, err error) {
	_, span := tracing.OrNoop(r.Tracer).Start(ctx, "publish", trace.WithSpanKind(trace.SpanKindProducer), trace.WithTimestamp(time.Now().Add(-took)))
	tracing.EndSpan(span, err, attribute.String("messaging.system", "nats"), attribute.Int("messaging.batch.message_count", n),
		attribute.String("sheetbridge.partner", s.Partner), attribute.String("sheetbridge.sheet", s.Sheet))
}

// requestSpan notes a request to Smartsheet: its route, never an id or a query.
func (r *Relay) requestSpan(ctx context.Context, call smartsheet.Call) {
	_, span := tracing.OrNoop(r.Tracer).Start(ctx, "smartsheet "+call.Method+" "+call.Route,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(time.Now().Add(-call.Duration)))
	var err error
	if call.Class != smartsheet.OK {
		err = errors.New(call.Class.String())
	}
	tracing.EndSpan(span, err,
		attribute.String("http.request.method", call.Method), attribute.String("url.template", call.Route),
		attribute.Int("http.response.status_code", call.Status), attribute.String("sheetbridge.class", call.Class.String()))
}

// missedChange is when a row changed that no callback reported, zero if that is
// not known: rows that did not change since the share was last complete were
// recalculated.
func (s *shareSync) missedChange(now events.Reading) time.Time {
	if s.origin() != events.OriginReconcile || now.Row == nil || now.Row.ModifiedAt == nil {
		return time.Time{}
	}
	at := now.Row.ModifiedAt.Time
	if was := s.target.state.Status; was == nil || was.CompleteTo == nil || at.Before(was.CompleteTo.Time) {
		return time.Time{}
	}
	return at
}

// count counts events that were stored.
func (s *shareSync) count(published stream.Published) {
	if s.published == nil {
		s.published = map[string]int{}
	}
	for typ, n := range published {
		s.published[typ] += n
	}
}
