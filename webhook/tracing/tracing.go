// Package tracing carries W3C trace context through hints and into log lines.
package tracing

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// traceHeader is where W3C trace context stands.
const traceHeader = "traceparent"

// OrNoop returns the tracer, or where it is nil one that does nothing.
func OrNoop(t trace.Tracer) trace.Tracer {
	if t == nil {
		return noop.Tracer{}
	}
	return t
}

// Parent returns the W3C trace context of the context's span, "" for none.
func Parent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceHeader]
}

// WithParent returns a context whose next span continues the trace.
func WithParent(ctx context.Context, parent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceHeader: parent})
}

// LogAttrs is the id by which a line of the log is found from a trace and back;
// none where there is no trace.
func LogAttrs(ctx context.Context) []slog.Attr {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return []slog.Attr{slog.String("trace", sc.TraceID().String())}
	}
	return nil
}

// EndSpan ends a span with what came of its work.
func EndSpan(span trace.Span, err error, attrs ...attribute.KeyValue) {
	span.SetAttributes(attrs...)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
