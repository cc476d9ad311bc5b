package apiserver

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/api"
	"iacontinu/internal/tracing"
)

// ofServer is shared by all spans, so that none is allocated for a request.
var ofServer = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}

// beginSpan begins the span of a request, in the trace that its traceparent names if it has one.
func (s *Server) beginSpan(c *requestContext, r *http.Request) {
	if s.opt.Tracer == nil || polled(r) {
		return
	}
	c.Context, c.exchange.span = s.opt.Tracer.Start(tracing.Received(c.Context, r.Header), knownMethod(r.Method), ofServer...)
}

// polled reports whether a request is of those that are sent every few seconds for ever, and no part of
// a trace.
func polled(r *http.Request) bool {
	switch r.URL.Path {
	case api.PathMetrics, api.PathHealth, api.PathReady:
		return len(r.Header["Traceparent"]) == 0
	}
	return false
}

// endSpan ends the span of a request. It names the route's pattern, never the path.
func endSpan(x *exchange, r *http.Request) {
	if x.span == nil {
		return
	}
	defer x.span.End()
	if !x.span.IsRecording() {
		return
	}
	method, pattern := knownMethod(r.Method), unmatched
	if x.route != nil {
		pattern = x.route.pattern
	}
	x.span.SetName(method + " " + pattern)
	x.span.SetAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", pattern),
		attribute.Int("http.response.status_code", x.status), attribute.String("request_id", x.id),
	)
	if x.status >= http.StatusInternalServerError {
		x.span.SetStatus(codes.Error, "")
	}
}
