// Package tracing is what the packages of the platform do with OpenTelemetry's spans. Who begins a
// trace, or goes on with one that came from another process, is given a trace.Tracer in its Options; all
// others begin their spans within the one of their context, and do nothing where it has none. So where
// tracing is off, or a trace is not recorded, nothing is done.
//
// Attributes never hold what a user sent, the values of SQL or the address of a webhook.
package tracing

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Scope names the platform as the one that makes the spans.
const Scope = "iacontinu"

// maxStatus bounds the text of an error on a span, in bytes.
const maxStatus = 300

// Root begins a span by a tracer that may be nil. It is the first of its trace, unless ctx is part of one.
func Root(ctx context.Context, t trace.Tracer, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t == nil {
		return ctx, nothing()
	}
	return t.Start(ctx, name, o...)
}

// Start begins a span within that of ctx.
func Start(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	parent := Recorded(ctx)
	if parent == nil {
		return ctx, nothing()
	}
	return parent.TracerProvider().Tracer(Scope).Start(ctx, name, o...)
}

// Recorded is the span of ctx, nil if it is not recorded or there is none.
func Recorded(ctx context.Context) trace.Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return span
	}
	return nil
}

// Call is Start for a request to another server.
func Call(ctx context.Context, name string) (context.Context, trace.Span) {
	return Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
}

// Do runs f in a span.
func Do(ctx context.Context, name string, f func(context.Context) error) error {
	ctx, span := Start(ctx, name)
	err := f(ctx)
	End(span, err)
	return err
}

// nothing is a span that records nothing.
func nothing() trace.Span { return trace.SpanFromContext(context.Background()) }

// End ends a span, which failed if err is not nil. The texts of errors are those that are logged, and
// name no secrets.
func End(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, Text(err.Error(), maxStatus))
	}
	span.End()
}

// Text is what others wrote as a span may hold it: no longer than most, in bytes, and valid, since one
// invalid character has the whole batch refused that its span is sent in.
func Text(s string, most int) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// traceparent is the header of W3C Trace Context, and the key under which it is kept.
const traceparent = "traceparent"

// Carried is the place of ctx in its trace as text, to be kept beside work that is done later or
// elsewhere; empty outside of one.
func Carried(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Continue puts ctx at the place that was carried; what can't be read counts as none. A span comes of
// it by Root or Resume.
func Continue(ctx context.Context, carried string) context.Context {
	if carried == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: carried})
}

// Resume begins a span at the place that was carried, and within ctx if none was. What ctx is part of
// is linked.
func Resume(ctx context.Context, carried, name string) (context.Context, trace.Span) {
	here := trace.SpanFromContext(ctx)
	there := Continue(ctx, carried)
	if trace.SpanContextFromContext(there).Equal(here.SpanContext()) {
		return Start(ctx, name)
	}
	return here.TracerProvider().Tracer(Scope).Start(there, name, trace.WithLinks(trace.Link{SpanContext: here.SpanContext()}))
}

// Received puts ctx at the place that a request names in its headers.
func Received(ctx context.Context, h http.Header) context.Context {
	if len(h["Traceparent"]) == 0 {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(h))
}

// Observe measures what belongs to ctx, with its trace as an exemplar if that is recorded.
func Observe(ctx context.Context, o prometheus.Observer, v float64) {
	sc := trace.SpanContextFromContext(ctx)
	if with, ok := o.(prometheus.ExemplarObserver); ok && sc.IsSampled() {
		with.ObserveWithExemplar(v, prometheus.Labels{"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String()})
		return
	}
	o.Observe(v)
}
