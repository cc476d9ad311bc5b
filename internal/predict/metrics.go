package predict

import (
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

// maxVersionLabels bounds the label model_version: a platform that retrains every minute would
// otherwise grow a series an hour for ever. The latest versions stay, so that a rate over the time
// of a swap is whole.
const maxVersionLabels = 10

type metrics struct {
	predictions  *prometheus.CounterVec
	classes      [2]prometheus.Counter
	loaded       prometheus.Gauge
	created      *prometheus.GaugeVec // without labels: absent while nothing serves
	rows         *prometheus.GaugeVec // without labels too
	accuracy     *prometheus.GaugeVec
	interval     *prometheus.GaugeVec
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
		confidence: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "iacontinu_prediction_confidence", Help: "Probability of the predicted class, 0.5 to 1.",
			Buckets:                         []float64{0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 1},
			NativeHistogramBucketFactor:     1.02, // half of the range of 1.1 would be seven buckets
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}),
		swaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "iacontinu_model_swaps_total", Help: "Times this process began to serve another version.",
		}),
		swapFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "iacontinu_model_swap_failures_total", Help: "Times the active version could not be loaded and the old one stayed.",
		}),
	}
	byClass := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "iacontinu_predictions_by_class_total", Help: "Predictions answered and logged, by the label that was predicted.",
	}, []string{"class"})
	for label := range m.classes {
		m.classes[label] = byClass.WithLabelValues(strconv.Itoa(label))
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.predictions, byClass, m.loaded, m.created, m.rows, m.accuracy, m.interval, m.confidence, m.swaps, m.swapFailures,
	} {
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
	m.describe(v)

	m.versions = append(slices.DeleteFunc(m.versions, func(name string) bool { return name == v.Name }), v.Name)
	if len(m.versions) > maxVersionLabels {
		m.predictions.DeleteLabelValues(m.versions[0])
		m.versions = m.versions[1:]
	}
	return m.predictions.WithLabelValues(v.Name)
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
