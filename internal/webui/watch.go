package webui

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/tracing"
)

// metrics are how the pages are used. Endpoints are patterns of routes, so that nobody can add any.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ui_requests_total", Help: "Requests for web pages answered, by route pattern; what keeps an open page current counts once it ends.",
		}, []string{"endpoint", "status_code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ui_request_duration_seconds", Help: "Time to answer a request for a web page, what the API took included; without what keeps open pages current.",
			Buckets:                         []float64{1e-3, 2.5e-3, 5e-3, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"endpoint"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ui_open_pages", Help: "Web pages that are open in a browser and kept current.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.streams} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("webui: register metrics: %w", err)
		}
	}
	return m, nil
}

// watched measures each request, and traces those that somebody waits for.
func (s *Server) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, answer := time.Now(), &answer{ResponseWriter: w}
		live := strings.HasPrefix(r.URL.Path, "/live/")
		ctx := r.Context()
		var span trace.Span
		if !live && r.URL.Path != pathHealthz {
			ctx, span = tracing.Root(tracing.Received(ctx, r.Header), s.opt.Tracer, "page", trace.WithSpanKind(trace.SpanKindServer))
			defer span.End()
		}
		r = r.WithContext(ctx) // the one that the pattern is written into
		next.ServeHTTP(answer, r)
		endpoint, status := endpointOf(r), cmp.Or(answer.status, http.StatusOK)
		s.metrics.requests.WithLabelValues(endpoint, strconv.Itoa(status)).Inc()
		if !live {
			tracing.Observe(ctx, s.metrics.duration.WithLabelValues(endpoint), time.Since(began).Seconds())
			describe(span, endpoint, r, status)
		}
	})
}

// describe says what a span is of. It names the pattern and never the path.
func describe(span trace.Span, endpoint string, r *http.Request, status int) {
	if span == nil || !span.IsRecording() {
		return
	}
	method := "other"
	if r.Method == http.MethodGet || r.Method == http.MethodPost {
		method = r.Method
	}
	span.SetName("page " + endpoint)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", endpoint), attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// endpointOf is the route that answered: its method and pattern, or that there is none.
func endpointOf(r *http.Request) string {
	if r.Pattern == "" || r.Pattern == "/" {
		return "unmatched"
	}
	return strings.TrimSuffix(r.Pattern, "{$}")
}

// unrecorded is a place in a trace that is not recorded: who takes part in it does not record either. A sampler that does
// not ask its caller goes by the last eight bytes, and records where they are below its share of the largest number.
var unrecorded = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{1, 8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff}, SpanID: trace.SpanID{1},
})

// untraced has the API leave requests out of its traces: an open page asks every two seconds.
func untraced(ctx context.Context, t trace.Tracer) context.Context {
	if t == nil {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, unrecorded)
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
