package kpi

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const (
	sampleEvery = 10 * time.Second
	samples     = 31 // five minutes
)

// Recent are figures of this process over the last minutes. What is NaN could not be measured.
type Recent struct {
	Window     time.Duration
	Requests   float64 // a minute
	Errors     float64 // share of answers of status 5xx
	Latency    float64 // 95% of predictions are answered within so many seconds
	Confidence float64 // mean of predictions
	CPU        float64 // busy share of the host
	Memory     float64 // used share of the host
	Failed     float64 // answers of status 5xx

	latencies map[float64]float64 // predictions answered within so many seconds
}

// Slower is how many predictions were not answered within so many seconds, as near as the buckets tell: those of
// the bucket that it lies in count as slower.
func (r Recent) Slower(seconds float64) float64 {
	var within, all float64
	for bound, n := range r.latencies {
		all = max(all, n)
		if bound <= seconds {
			within = max(within, n)
		}
	}
	return all - within
}

// Window remembers what a registry told over the last minutes.
type Window struct {
	gatherer prometheus.Gatherer
	clock    func() time.Time

	mu   sync.Mutex
	past []sample // oldest first
}

// sample is what the metrics told at a moment.
type sample struct {
	at                       time.Time
	requests, failed         float64
	confidence, predictions  float64
	latency                  map[float64]float64 // predictions answered within so many seconds
	cpu, usedMemory, allOfIt float64
}

// NewWindow returns a window that remembers from now on; Run keeps it going. clock may be nil.
func NewWindow(g prometheus.Gatherer, clock func() time.Time) *Window {
	if clock == nil {
		clock = time.Now
	}
	w := &Window{gatherer: g, clock: clock}
	w.remember()
	return w
}

// Run remembers until ctx ends.
func (w *Window) Run(ctx context.Context) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.remember()
		}
	}
}

func (w *Window) remember() {
	now := w.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.past = append(w.past, now)
	w.past = w.past[max(0, len(w.past)-samples):]
}

// Recent compares now with the oldest moment that is remembered.
func (w *Window) Recent() Recent {
	now := w.read()
	w.mu.Lock()
	before := w.past[0]
	w.mu.Unlock()
	took := now.at.Sub(before.at)
	latencies := map[float64]float64{}
	for bound, n := range now.latency {
		latencies[bound] = n - before.latency[bound]
	}
	return Recent{
		Window:     took,
		Requests:   (now.requests - before.requests) / took.Minutes(),
		Errors:     (now.failed - before.failed) / (now.requests - before.requests),
		Failed:     now.failed - before.failed,
		Confidence: (now.confidence - before.confidence) / (now.predictions - before.predictions),
		Latency:    quantile(0.95, latencies),
		CPU:        now.cpu / 100,
		Memory:     now.usedMemory / now.allOfIt,
		latencies:  latencies,
	}
}

// read sums up the metrics. Those that could not be gathered are missing in the sums.
func (w *Window) read() sample {
	s := sample{at: w.clock(), latency: map[float64]float64{}, cpu: math.NaN(), usedMemory: math.NaN(), allOfIt: math.NaN()}
	families, _ := w.gatherer.Gather() // an error leaves out one family
	for _, f := range families {
		for _, m := range f.GetMetric() {
			s.add(f.GetName(), m)
		}
	}
	return s
}

func (s *sample) add(family string, m *dto.Metric) {
	switch family {
	case "api_requests_total":
		if label(m, "endpoint") == "/metrics" { // docs/slo.md leaves scrapes out
			return
		}
		s.requests += m.GetCounter().GetValue()
		if strings.HasPrefix(label(m, "status_code"), "5") {
			s.failed += m.GetCounter().GetValue()
		}
	case "api_request_duration_seconds":
		if label(m, "endpoint") != "/predict" {
			return
		}
		for _, b := range m.GetHistogram().GetBucket() {
			s.latency[b.GetUpperBound()] += float64(b.GetCumulativeCount())
		}
		s.latency[math.Inf(1)] = max(s.latency[math.Inf(1)], float64(m.GetHistogram().GetSampleCount()))
	case "iacontinu_prediction_confidence":
		s.confidence += m.GetHistogram().GetSampleSum()
		s.predictions += float64(m.GetHistogram().GetSampleCount())
	case "system_cpu_usage_percent":
		s.cpu = m.GetGauge().GetValue()
	case "system_memory_usage_bytes":
		if label(m, "state") == "used" {
			s.usedMemory = m.GetGauge().GetValue()
		} else {
			s.allOfIt = m.GetGauge().GetValue()
		}
	}
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// quantile is the value below which a share of what was counted lies, interpolated within its bucket as
// Prometheus does. Beyond the last bucket it is that one's bound; NaN if nothing was counted.
func quantile(share float64, upTo map[float64]float64) float64 {
	bounds := slices.Sorted(maps.Keys(upTo))
	if len(bounds) == 0 {
		return math.NaN()
	}
	last := bounds[len(bounds)-1]
	rank := share * upTo[last]
	if rank <= 0 {
		return math.NaN()
	}
	low, below := 0.0, 0.0
	for _, b := range bounds {
		if upTo[b] >= rank {
			if math.IsInf(b, 1) {
				return low
			}
			return low + (b-low)*(rank-below)/(upTo[b]-below)
		}
		low, below = b, upTo[b]
	}
	return low
}
