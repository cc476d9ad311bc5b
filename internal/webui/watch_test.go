package webui

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// Pages are counted by route, whatever paths people invent, and what they ask of the API is in their trace.
func TestPagesAreWatched(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	reg, spans := prometheus.NewRegistry(), tracetest.NewSpanRecorder()
	v := setup(t, f, "ann", func(o *Options) {
		o.Registerer, o.Tracer = reg, trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("")
	})
	v.get("/models")
	v.get("/nothing/1")
	v.get("/nothing/2")
	next, leave := v.events("/live/models")
	next()
	if n := testutil.ToFloat64(v.server.metrics.streams); n != 1 {
		t.Errorf("%v open pages", n)
	}
	leave()
	for status, want := range map[[2]string]float64{{"GET /models", "200"}: 1, {"unmatched", "404"}: 2, {"POST /login", "303"}: 1} {
		if n := testutil.ToFloat64(v.server.metrics.requests.WithLabelValues(status[:]...)); n != want {
			t.Errorf("%s: %v times, want %v", status, n, want)
		}
	}
	var names []string
	for _, s := range spans.Ended() {
		names = append(names, s.Name())
	}
	if !slices.Contains(names, "page GET /models") || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "live") }) {
		t.Errorf("spans %q", names)
	}
	f.set(func() {
		if recorded, left := f.traces["01"], f.traces["00"]; recorded == 0 || left == 0 || f.traces[""] != 0 {
			t.Errorf("the API was asked within traces that are recorded (01) and are not (00): %v", f.traces)
		}
	})
}

// What keeps pages open is left out also by samplers that do not ask who calls.
func TestOpenPagesAreInNoSample(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.01, 0.5, 0.99} {
		got := trace.TraceIDRatioBased(share).ShouldSample(trace.SamplingParameters{TraceID: unrecorded.TraceID()})
		if got.Decision != trace.Drop || unrecorded.IsSampled() || !unrecorded.IsValid() {
			t.Errorf("at %v: %v", share, got.Decision)
		}
	}
}
