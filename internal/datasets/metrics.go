package datasets

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

type metrics struct {
	generated prometheus.Counter
	seconds   *prometheus.HistogramVec
	failures  *prometheus.CounterVec
	badRows   prometheus.Counter
	rewrites  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	source := []string{"source"}
	m := &metrics{
		generated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dataset_samples_generated_total", Help: "Generated rows of finished datasets.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "iacontinu_dataset_build_seconds", Help: "Time from the first row to a finished dataset, by source.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 8),
		}, source),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_dataset_failures_total", Help: "Datasets that were not finished, by source.",
		}, source),
		badRows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "iacontinu_dataset_bad_rows_total", Help: "Rows of imported files that were left out.",
		}),
		rewrites: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "iacontinu_dataset_rewrites_total", Help: "Column copies made again from the database because the file was missing or damaged.",
		}),
	}
	for _, s := range []ml.DatasetSource{ml.SourceGenerated, ml.SourceImported} {
		m.failures.WithLabelValues(string(s))
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.generated, m.seconds, m.failures, m.badRows, m.rewrites} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// built records a dataset that took so long, finished or not.
func (m *metrics) built(ds ml.Dataset, took time.Duration, err error) {
	source := string(ds.Source)
	if err != nil {
		m.failures.WithLabelValues(source).Inc()
		return
	}
	m.seconds.WithLabelValues(source).Observe(took.Seconds())
	if ds.Source == ml.SourceGenerated {
		m.generated.Add(float64(ds.Samples))
	}
}
