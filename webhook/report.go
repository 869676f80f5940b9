package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// Pass is what one pass did, for metrics.
type Pass struct {
	Why       inbox.Why
	Result    string // done, later, refused, stale, dead, again
	Owner     string
	Mode      string // webhook or polling; empty where that is not known
	Rows      int
	Requests  int
	Took      time.Duration
	Lag       map[events.Origin]time.Duration // from Smartsheet's change to our publishing, the longest of the pass
	Published map[string]map[string]int       // partner → type of event → number stored
	Found     map[string]int                  // partner → events that no callback told of
}

// tally counts what a pass stored, over its restarts and over shares that are
// worked on at once.
type tally struct {
	mu        sync.Mutex
	published map[string]map[string]int // partner → type → number
	shares    map[string]int            // "partner.sheet" → number
	found     map[string]int            // partner → number
	lag       map[events.Origin]time.Duration
}

// add counts a batch that was stored for the run's share.
func (t *tally) add(r *run, types map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.published == nil {
		t.published, t.shares = map[string]map[string]int{}, map[string]int{}
		t.found, t.lag = map[string]int{}, map[events.Origin]time.Duration{}
	}
	of := t.published[r.share.Partner]
	if of == nil {
		of = map[string]int{}
		t.published[r.share.Partner] = of
	}
	objects := 0
	for typ, n := range types {
		of[typ] += n
		t.shares[r.share.Partner+"."+r.share.Sheet] += n
		if typ != events.SchemaChanged && typ != events.StatusChanged {
			objects += n
		}
	}
	if objects == 0 {
		return
	}
	changed := r.changedAt
	switch r.origin {
	case events.OriginReconcile:
		t.found[r.share.Partner] += objects
	case events.OriginCallback:
		changed = r.pass.hint.ChangedAt
	default: // not told by Smartsheet: the share began or changed
		return
	}
	if !changed.IsZero() {
		t.lag[r.origin] = max(t.lag[r.origin], time.Since(changed))
	}
}

// watch has the run's writer tell what it stores.
func (r *run) watch(ctx context.Context) {
	r.writer.TraceParent = r.pass.hint.Trace
	if own := traceParent(ctx); own != "" {
		r.writer.TraceParent = own
	}
	r.writer.After = func(b events.Batch) {
		n := 0
		for _, of := range b.Types {
			n += of
		}
		if b.Err == nil {
			r.pass.tally.add(r, b.Types)
		}
		pastSpan(ctx, r.pass.relay.Tracer, "publish", trace.SpanKindProducer, b.Took, b.Err,
			attribute.String("messaging.system", "nats"), attribute.Int("messaging.batch.message_count", n),
			attribute.String("sheetbridge.partner", r.share.Partner), attribute.String("sheetbridge.sheet", r.share.Sheet))
	}
}

// sawChange notes when a row changed that no callback told of. Rows that did
// not change since the share was last complete were recalculated, and when
// nobody knows.
func (r *run) sawChange(now events.Reading) {
	if r.origin != events.OriginReconcile || now.Row == nil || now.Row.ModifiedAt == nil {
		return
	}
	at := now.Row.ModifiedAt.Time
	if was := r.state.Status; was == nil || was.CompleteTo == nil || at.Before(was.CompleteTo.Time) {
		return
	}
	if r.changedAt.IsZero() || at.Before(r.changedAt) {
		r.changedAt = at
	}
}

// startSpan begins the pass's span, in the trace of what gave the hint.
func (p *pass) startSpan(ctx context.Context) (context.Context, trace.Span) {
	return tracerOr(p.relay.Tracer).Start(withParent(ctx, p.hint.Trace), "pass", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("sheetbridge.registration", p.hint.Registration),
			attribute.String("sheetbridge.why", string(p.hint.Why)), attribute.Int("sheetbridge.attempt", p.hint.Attempt)))
}

// endSpan ends it.
func (p *pass) endSpan(span trace.Span, result string, err error) {
	endSpan(span, err, attribute.String("sheetbridge.result", result), attribute.Int("sheetbridge.rows", p.rows),
		attribute.Int("sheetbridge.requests", p.requests), attribute.Int("sheetbridge.restarts", p.restarts))
}

// log writes the one line of the pass.
func (p *pass) log(ctx context.Context, result string, err error) {
	attrs := append(traceAttr(ctx),
		slog.String("registration", p.hint.Registration), slog.String("why", string(p.hint.Why)),
		slog.String("result", result), slog.Bool("whole", p.hint.Whole), slog.Int("hinted", len(p.hint.Rows)),
		slog.Int64("version", p.version), slog.Int("rows", p.rows), slog.Int("requests", p.requests),
		slog.Int("restarts", p.restarts), slog.Duration("waited", p.began.Sub(p.hint.ReceivedAt)), slog.Duration("took", time.Since(p.began)),
	)
	if p.reg != nil {
		attrs = append(attrs, slog.String("owner", p.reg.Owner), slog.Int64("sheet", p.reg.SheetID))
	}
	for share, n := range p.tally.shares {
		attrs = append(attrs, slog.Int("published."+share, n))
	}
	if err != nil {
		attrs = append(attrs, slog.Int("attempt", p.hint.Attempt), slog.Any("err", err))
	}
	p.relay.Log.LogAttrs(ctx, levelOf(ctx, result, err), "pass", attrs...)
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

// summary is what the pass did.
func (p *pass) summary(result string) Pass {
	s := Pass{Why: p.hint.Why, Result: result, Rows: p.rows, Requests: p.requests, Took: time.Since(p.began),
		Published: p.tally.published, Found: p.tally.found, Lag: p.tally.lag}
	if p.owner != nil {
		s.Owner = p.owner.Name
	}
	if p.reg != nil {
		s.Mode = modeOf(p.reg)
	}
	return s
}
