package predict

import (
	"encoding/json"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

type metrics struct {
	counts       *counts
	loaded       prometheus.Gauge
	created      *prometheus.GaugeVec // without labels: absent while nothing serves
	rows         *prometheus.GaugeVec // without labels too
	accuracy     *prometheus.GaugeVec
	interval     *prometheus.GaugeVec
	confidence   prometheus.Histogram
	swaps        prometheus.Counter
	swapFailures prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		counts: newCounts(),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "iacontinu_model_loaded", Help: "1 if this process serves a version, else 0.",
		}),
		created: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_model_created_timestamp_seconds", Help: "When the version that serves was trained. Absent while none serves.",
		}, nil),
		rows: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_model_training_rows", Help: "Rows that the version that serves was trained on. Absent while none serves.",
		}, nil),
		accuracy: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ml_model_accuracy", Help: "Holdout accuracy of the version that serves, 0 to 1.",
		}, []string{"model_version"}),
		interval: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_model_accuracy_interval",
			Help: "The 95 % interval of the holdout accuracy of the version that serves. Absent for a version of which it is not known.",
		}, []string{"bound"}),
		// No native one: its buckets are 2 % wide at the least, and wider than these where it matters, near 1.
		confidence: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "iacontinu_prediction_confidence", Help: "Probability of the predicted class, 0.5 to 1.",
			Buckets: []float64{0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 1},
		}),
		swaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "iacontinu_model_swaps_total", Help: "Times this process began to serve another version.",
		}),
		swapFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "iacontinu_model_swap_failures_total", Help: "Times the active version could not be loaded and the old one stayed.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.counts, m.loaded, m.created, m.rows, m.accuracy, m.interval, m.confidence, m.swaps, m.swapFailures,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// swapped records that v serves and returns its count.
func (m *metrics) swapped(v ml.Version) *count {
	m.swaps.Inc()
	m.describe(v)
	return m.counts.of(v.Name)
}

// describe tells of the version that serves now, and of no other.
func (m *metrics) describe(v ml.Version) {
	m.loaded.Set(1)
	m.rows.WithLabelValues().Set(float64(v.TrainingSamples))
	m.created.Reset()
	if !v.CreatedAt.IsZero() {
		m.created.WithLabelValues().Set(float64(v.CreatedAt.UnixMilli()) / 1000)
	}
	m.accuracy.Reset()
	m.accuracy.WithLabelValues(v.Name).Set(v.Accuracy)
	m.interval.Reset()
	var quality struct {
		Low  *float64 `json:"accuracy_low"`
		High *float64 `json:"accuracy_high"`
	}
	if json.Unmarshal(v.Metrics, &quality) == nil && quality.Low != nil && quality.High != nil {
		m.interval.WithLabelValues("low").Set(*quality.Low)
		m.interval.WithLabelValues("high").Set(*quality.High)
	}
}
