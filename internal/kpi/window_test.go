package kpi

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "api_requests_total"}, []string{"endpoint", "status_code"})
	latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "api_request_duration_seconds", Buckets: []float64{0.01, 0.1}}, []string{"endpoint"})
	confidence := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "iacontinu_prediction_confidence", Buckets: []float64{1}})
	cpu := prometheus.NewGauge(prometheus.GaugeOpts{Name: "system_cpu_usage_percent"})
	memory := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "system_memory_usage_bytes"}, []string{"state"})
	reg.MustRegister(requests, latency, confidence, cpu, memory)
	requests.WithLabelValues("/predict", "500").Add(1000) // of before
	latency.WithLabelValues("/predict").Observe(5)

	now := time.Unix(1_000_000, 0)
	w := NewWindow(reg, func() time.Time { return now })
	if r := w.Recent(); !math.IsNaN(r.Latency) || !math.IsNaN(r.Errors) || !math.IsNaN(r.Confidence) {
		t.Errorf("of no time: %+v", r)
	}
	now = now.Add(2 * time.Minute)
	requests.WithLabelValues("/predict", "200").Add(99)
	requests.WithLabelValues("/x", "503").Add(1)
	for range 90 {
		latency.WithLabelValues("/predict").Observe(0.001)
	}
	for range 10 {
		latency.WithLabelValues("/predict").Observe(0.02)
	}
	latency.WithLabelValues("/retrain").Observe(9)
	confidence.Observe(0.7)
	confidence.Observe(0.9)
	cpu.Set(40)
	memory.WithLabelValues("used").Set(3)
	memory.WithLabelValues("total").Set(4)
	r := w.Recent()
	for name, pair := range map[string][2]float64{
		"minutes": {r.Window.Minutes(), 2}, "requests": {r.Requests, 50}, "errors": {r.Errors, 0.01}, "confidence": {r.Confidence, 0.8},
		"failed":  {r.Failed, 1},
		"latency": {r.Latency, 0.055}, "slower than 10 ms": {r.Slower(0.01), 10}, "slower than 100 ms": {r.Slower(0.1), 0}, "slower than 50 ms, or near it": {r.Slower(0.05), 10},
		"cpu": {r.CPU, 0.4}, "memory": {r.Memory, 0.75}, // the middle of 0.01 to 0.1
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
	for range 2 * samples { // what is older than the window is forgotten
		w.remember()
	}
	if r := w.Recent(); r.Requests > 0 || len(w.past) != samples {
		t.Errorf("%d samples, %+v", len(w.past), r)
	}
}
