package tracing

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxAddress bounds the name of a server, and a path, on a span, in bytes.
const maxAddress = 300

// Transport sends the requests of a client in spans, and has them carry their trace to a server of the
// platform. Paths are shown, queries are not.
func Transport(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !trace.SpanContextFromContext(r.Context()).IsValid() {
		return t.next.RoundTrip(r)
	}
	ctx, span := Call(r.Context(), "request "+r.Method)
	r = r.Clone(ctx) // a transport must not change what it was given
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	resp, err := t.next.RoundTrip(r)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("http.request.method", r.Method),
			attribute.String("server.address", Text(r.URL.Host, maxAddress)),
			attribute.String("url.path", Text(r.URL.Path, maxAddress)),
		)
		if err == nil {
			span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
			if resp.StatusCode >= http.StatusBadRequest {
				span.SetStatus(codes.Error, "")
			}
		}
	}
	End(span, err)
	return resp, err
}
