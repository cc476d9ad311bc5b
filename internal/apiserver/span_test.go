package apiserver

import (
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestSpansAreNamedAfterRoutes holds the spans to what may be shown, and to the trace that a request names.
func TestSpansAreNamedAfterRoutes(t *testing.T) {
	t.Parallel()
	const traceparent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, tt := range []struct {
		method, path, token, header string
		want                        string // no span if empty
	}{
		{"GET", "/jobs/7?canary=1", "user", "", "GET /jobs/{id}"},
		{"GET", "/canary", "", "", "GET unmatched"},
		{"CANARY", "/jobs/7", "canary", "", "OTHER unmatched"},
		{"GET", "/auth/me", "user", traceparent, "GET /auth/me"},
		{"GET", "/health", "", "", ""},
		{"GET", "/health", "", traceparent, "GET /health"},
		{"GET", "/metrics", "", "", ""},
	} {
		kept := tracetest.NewInMemoryExporter()
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)).Tracer("test")
		b := setup(t, func(_ *world, o *Options) { o.Tracer = tracer })
		b.send(t, tt.method, tt.path, tt.token, "", tt.header)
		if err := b.stop(); err != nil { // a span ends after its answer
			t.Fatal(err)
		}
		spans := kept.GetSpans()
		if tt.want == "" {
			if len(spans) != 0 {
				t.Errorf("%s %s: spans %v, want none", tt.method, tt.path, spans)
			}
			continue
		}
		if len(spans) != 1 || spans[0].Name != tt.want {
			t.Errorf("%s %s: spans %v, want %q", tt.method, tt.path, spans, tt.want)
			continue
		}
		span := spans[0]
		if named := tt.header != ""; named != (span.Parent.SpanID().String() == "00f067aa0ba902b7") || named != span.Parent.IsRemote() {
			t.Errorf("%s %s: parent %v", tt.method, tt.path, span.Parent)
		}
		for _, a := range span.Attributes {
			if strings.Contains(strings.ToLower(a.Value.String()), "canary") {
				t.Errorf("%s %s: shows %s=%s", tt.method, tt.path, a.Key, a.Value.String())
			}
		}
	}
}
