package retrain

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

type metrics struct {
	duration prometheus.Histogram
	ended    *prometheus.HistogramVec
	rejected prometheus.Gauge
	last     *prometheus.GaugeVec
	steps    *prometheus.HistogramVec
	retrains *prometheus.CounterVec
	verdicts *prometheus.CounterVec
	removed  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ml_training_duration_seconds", Help: "Duration of a retraining, from its rows to its verdict.",
			Buckets: prometheus.ExponentialBuckets(0.01, 3, 10),
		}),
		ended: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "iacontinu_retrain_duration_seconds", Help: "Duration of a retraining by how it ended: activated, rejected or failed for good.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 20, 30, 60, 120, 300, 600},
		}, []string{"verdict"}),
		rejected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "iacontinu_retrain_rejected_in_a_row", Help: "Candidates rejected since one was activated, the same in every worker: take the maximum.",
		}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_retrain_last_timestamp_seconds",
			Help: "When a retraining last ended so, the same in every worker: take the maximum. Absent if none did.",
		}, []string{"verdict"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "iacontinu_retrain_step_duration_seconds", Help: "Duration of one step of a retraining.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"step"}),
		retrains: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_retrains_total", Help: "Retrainings that came to a verdict, by what triggered them.",
		}, []string{"trigger_reason"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_retrain_verdicts_total", Help: "Verdicts of the gate on candidates.",
		}, []string{"verdict"}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_retention_removed_total", Help: "What the retention removed: version, dataset or folder.",
		}, []string{"what"}),
	}
	// A rate needs the zero before the one.
	for _, verdict := range []string{string(ml.VerdictActivated), string(ml.VerdictRejected), ml.RetrainFailed} {
		m.ended.WithLabelValues(verdict)
	}
	for _, reason := range []string{ml.ReasonManual, ml.ReasonBootstrap, ml.ReasonDrift, ml.ReasonThreshold, ml.ReasonForced} {
		m.retrains.WithLabelValues(reason)
	}
	for _, what := range []string{"version", "dataset", "folder"} {
		m.removed.WithLabelValues(what)
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.duration, m.ended, m.rejected, m.last, m.steps, m.retrains, m.verdicts, m.removed} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// finished counts a verdict. Reasons come from callers, so all unknown ones share a label.
func (m *metrics) finished(ctx context.Context, reason string, v ml.Verdict, d time.Duration) {
	switch reason {
	case ml.ReasonManual, ml.ReasonBootstrap, ml.ReasonDrift, ml.ReasonThreshold, ml.ReasonForced:
	default:
		reason = "other"
	}
	m.retrains.WithLabelValues(reason).Inc()
	m.verdicts.WithLabelValues(string(v)).Inc()
	tracing.Observe(ctx, m.duration, d.Seconds())
	tracing.Observe(ctx, m.ended.WithLabelValues(string(v)), d.Seconds())
}

// remember sets what is told of the retrainings of all workers.
func (m *metrics) remember(r ml.RetrainRecap) {
	m.rejected.Set(float64(r.RejectedInARow))
	for verdict, at := range r.Last {
		m.last.WithLabelValues(verdict).Set(float64(at.UnixMilli()) / 1000)
	}
}
