package predict

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

// maxVersionLabels bounds the label model_version: a platform that retrains every minute would
// otherwise grow a series an hour for ever. The latest versions stay, so that a rate over the time
// of a swap is whole.
const maxVersionLabels = 10

type metrics struct {
	predictions  *prometheus.CounterVec
	accuracy     *prometheus.GaugeVec
	confidence   prometheus.Histogram
	swaps        prometheus.Counter
	swapFailures prometheus.Counter

	mu       sync.Mutex
	versions []string // with a series in predictions, the active one last
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		predictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_predictions_total", Help: "Predictions answered and logged, by model version (the latest versions only).",
		}, []string{"model_version"}),
		accuracy: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ml_model_accuracy", Help: "Holdout accuracy of the version that serves, 0 to 1.",
		}, []string{"model_version"}),
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
	for _, c := range []prometheus.Collector{m.predictions, m.accuracy, m.confidence, m.swaps, m.swapFailures} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// swapped records that v serves and returns its counter.
func (m *metrics) swapped(v ml.Version) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swaps.Inc()
	m.accuracy.Reset()
	m.accuracy.WithLabelValues(v.Name).Set(v.Accuracy)

	m.versions = append(slices.DeleteFunc(m.versions, func(name string) bool { return name == v.Name }), v.Name)
	if len(m.versions) > maxVersionLabels {
		m.predictions.DeleteLabelValues(m.versions[0])
		m.versions = m.versions[1:]
	}
	return m.predictions.WithLabelValues(v.Name)
}
