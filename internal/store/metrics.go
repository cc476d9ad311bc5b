package store

import (
	"errors"
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the store tells of itself.
type metrics struct {
	registerer prometheus.Registerer
	registered []prometheus.Collector
	batchRows  prometheus.Histogram
	commit     prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, path string, log *predictionLog) (*metrics, error) {
	m := &metrics{
		registerer: r,
		batchRows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "iacontinu_store_prediction_batch_rows",
			Help:    "Predictions committed in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "iacontinu_store_prediction_commit_seconds",
			Help:    "Time from taking a batch of predictions to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
	}
	queue := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "iacontinu_store_prediction_queue_length",
		Help: "Predictions that wait for their batch.",
	}, func() float64 { return float64(len(log.queue)) })
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "iacontinu_store_database_bytes",
		Help: "Size of the database file and its write-ahead log.",
	}, func() float64 { return fileSize(path) + fileSize(path+"-wal") })
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.batchRows, m.commit, queue, size} {
		if err := r.Register(c); err != nil {
			m.unregister()
			return nil, errors.Join(errors.New("register metrics"), err)
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

// unregister makes room for another store on the same registerer.
func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
}

func fileSize(path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return float64(info.Size())
}
