package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/tracing"
)

// unmatched stands for the endpoint of requests that no route matches.
const unmatched = "unmatched"

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	active   prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "api_requests_total", Help: "Requests answered, by route pattern.",
		}, []string{"method", "endpoint", "status_code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "api_request_duration_seconds", Help: "Time from the end of the request's header to the end of the answer.",
			Buckets:                         []float64{5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"method", "endpoint"}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "api_active_requests", Help: "Requests that are being answered.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.active} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("apiserver: register metrics: %w", err)
		}
	}
	return m, nil
}

// route is a method and a pattern with their metrics looked up once.
type route struct {
	method, pattern string
	duration        prometheus.Observer
	ok              prometheus.Counter // answers of status 200
}

func (m *metrics) route(method, pattern string) *route {
	return &route{
		method: method, pattern: pattern,
		duration: m.duration.WithLabelValues(method, pattern),
		ok:       m.requests.WithLabelValues(method, pattern, "200"),
	}
}

// answered counts an answer.
func (m *metrics) answered(ctx context.Context, r *route, method string, status int, took time.Duration) {
	if r == nil {
		r = &route{method: knownMethod(method), pattern: unmatched}
		r.duration = m.duration.WithLabelValues(r.method, r.pattern)
	}
	if status == http.StatusOK && r.ok != nil {
		r.ok.Inc()
	} else {
		m.requests.WithLabelValues(r.method, r.pattern, strconv.Itoa(status)).Inc()
	}
	tracing.Observe(ctx, r.duration, took.Seconds())
}

// knownMethod bounds the label: anybody may invent a method.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "OTHER"
}
