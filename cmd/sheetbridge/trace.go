package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tracesTo turns tracing on. The other variables of OpenTelemetry (headers,
// certificates, sampler, resource attributes) are its own to read.
const tracesTo = "OTEL_EXPORTER_OTLP_ENDPOINT"

// traceLogEvery bounds how often a collector that does not answer is logged.
const traceLogEvery = time.Minute

// tracing sends spans to the collector that the environment names. The tracer
// is nil where it names none. Stop sends what is left.
func tracing(ctx context.Context, log *slog.Logger) (_ trace.Tracer, stop func(context.Context) error, _ error) {
	stop = func(context.Context) error { return nil }
	if os.Getenv(tracesTo) == "" {
		return nil, stop, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, stop, fmt.Errorf("tracing to %s: %w", tracesTo, err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "sheetbridge"), attribute.String("service.version", version())),
		resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, stop, fmt.Errorf("tracing to %s: %w", tracesTo, err)
	}
	// A collector that is away concerns nobody else: what it misses is dropped.
	otel.SetErrorHandler(&traceErrors{log: log})
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return newTracer(provider), provider.Shutdown, nil
}

func newTracer(p trace.TracerProvider) trace.Tracer {
	return p.Tracer("github.com/sheetbridge/sheetbridge", trace.WithInstrumentationVersion(version()))
}

// traceErrors logs what goes wrong with traces, once in a while.
type traceErrors struct {
	log *slog.Logger

	mu sync.Mutex
	at time.Time
}

// Handle implements otel.ErrorHandler.
func (t *traceErrors) Handle(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) < traceLogEvery {
		return
	}
	t.at = time.Now()
	t.log.Warn("traces cannot be sent", "err", err)
}
