package monitor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

// Outcomes of a check beside the actions.
const (
	outcomeError     = "error"      // the check could not be made
	outcomeSlotTaken = "slot_taken" // another runner makes it
)

// maxFeatureLabels bounds the label feature: a table may have thousands of columns, each a series for
// each statistic. Those that differ most have one.
const maxFeatureLabels = 100

type metrics struct {
	drift    prometheus.Counter
	last     prometheus.Gauge
	checks   *prometheus.CounterVec
	duration prometheus.Histogram
	score    *prometheus.GaugeVec
	verdict  *prometheus.GaugeVec
	slope    *prometheus.GaugeVec
	r2       *prometheus.GaugeVec
	steps    *prometheus.GaugeVec
}

func newMetrics(o Options) (*metrics, error) {
	series := []string{"series", "feature"}
	m := &metrics{
		drift: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "model_drift_detected_total", Help: "Checks that found drift.",
		}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_checks_total", Help: "Ticks of the periodic check, by what was done in the end.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "iacontinu_check_duration_seconds", Help: "Duration of a check, with the retraining that it waited for.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 90},
		}),
		score: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_drift_score",
			Help: "Latest predictions against the active version's window: ks, ks_p_value or psi. Absent while there are too few.",
		}, []string{"feature", "statistic"}),
		verdict: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_drift_verdict",
			Help: "1 if the last check found that the feature drifted, else 0: the difference is significant and large enough to matter. Absent while there are too few predictions.",
		}, []string{"feature"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "iacontinu_check_last_timestamp_seconds", Help: "When the last check began, by whichever process; 0 until the first.",
		}),
		slope: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_forecast_slope",
			Help: "Trend of the holdout accuracy (series accuracy, change a version) and of the KS statistic (series drift, change a check).",
		}, series),
		r2: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_forecast_r2", Help: "Share of the variance that the trend explains, 0 to 1.",
		}, series),
		steps: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_forecast_steps_to_limit",
			Help: "Versions until the accuracy is at its floor, checks until the KS statistic is at its limit. Absent while the trend says nothing.",
		}, series),
	}
	for _, outcome := range []ml.CheckAction{
		ml.ActionNone, ml.ActionRetrained, ml.ActionRetrainRejected, ml.ActionRetrainFailed, ml.ActionRetrainStarted,
		ml.ActionCooldown, ml.ActionNewDataNeeded, ml.ActionHealthCheckFailed, outcomeError, outcomeSlotTaken,
	} {
		m.checks.WithLabelValues(string(outcome)) // a rate needs the zero before the one
	}
	if o.Registerer == nil {
		return m, nil
	}
	collectors := []prometheus.Collector{m.drift, m.last, m.checks, m.duration, m.score, m.verdict, m.slope, m.r2, m.steps}
	for _, c := range append(collectors, settings(o)...) {
		if err := o.Registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// settings are the metrics that say how checks are made.
func settings(o Options) []prometheus.Collector {
	interval := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "iacontinu_check_interval_seconds", Help: "Time between two checks, as set.",
	})
	interval.Set(o.Interval.Seconds())
	detector := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "iacontinu_check_detector", Help: "1 for the detector that is set: random or statistical.",
	}, []string{"detector"})
	detector.WithLabelValues(o.Detector).Set(1)
	threshold := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "iacontinu_drift_threshold",
		Help: "A feature drifted if ks_p_value, corrected for the number of features, is below its threshold, and ks or psi is at its own or above.",
	}, []string{"statistic"})
	level := o.Threshold
	if o.Detector == Random {
		level = DefaultStatisticalThreshold // by which scores are judged beside the draw
	}
	for statistic, limit := range map[string]float64{"ks": MinKS, "psi": MinPSI, "ks_p_value": level} {
		threshold.WithLabelValues(statistic).Set(limit)
	}
	return []prometheus.Collector{interval, detector, threshold}
}

// began notes when the latest check known of began. Another process may have made it.
func (m *metrics) began(at time.Time) {
	if !at.IsZero() {
		m.last.Set(float64(at.UnixMilli()) / 1000)
	}
}

// observe counts a check that was made.
func (m *metrics) observe(ctx context.Context, r ml.DriftReport) {
	m.began(r.CreatedAt)
	m.checks.WithLabelValues(string(r.Action)).Inc()
	tracing.Observe(ctx, m.duration, r.Details.Duration)
}

// setScores replaces all scores and verdicts.
func (m *metrics) setScores(scores []ml.FeatureScore) {
	m.score.Reset()
	m.verdict.Reset()
	for _, s := range shown(scores) {
		verdict := 0.0
		if s.Drift {
			verdict = 1
		}
		m.verdict.WithLabelValues(s.Feature).Set(verdict)
		m.score.WithLabelValues(s.Feature, "ks").Set(s.KS)
		m.score.WithLabelValues(s.Feature, "ks_p_value").Set(s.PValue)
		m.score.WithLabelValues(s.Feature, "psi").Set(s.PSI)
	}
}

// shown are the scores that have series: those of drift before others, then the largest distance.
func shown(scores []ml.FeatureScore) []ml.FeatureScore {
	if len(scores) <= maxFeatureLabels {
		return scores
	}
	return slices.SortedStableFunc(slices.Values(scores), func(a, b ml.FeatureScore) int {
		if a.Drift != b.Drift {
			if a.Drift {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.KS, a.KS)
	})[:maxFeatureLabels]
}

// setTrends replaces all trends. Features have one if their scores have series.
func (m *metrics) setTrends(accuracy *ml.Trend, scores []ml.FeatureScore, distances map[string]ml.Trend) {
	for _, g := range []*prometheus.GaugeVec{m.slope, m.r2, m.steps} {
		g.Reset()
	}
	set := func(t ml.Trend, series, feature string) {
		m.slope.WithLabelValues(series, feature).Set(t.Slope)
		m.r2.WithLabelValues(series, feature).Set(t.R2)
		if t.StepsToCross != nil {
			m.steps.WithLabelValues(series, feature).Set(*t.StepsToCross)
		}
	}
	if accuracy != nil {
		set(*accuracy, "accuracy", "")
	}
	for _, s := range shown(scores) {
		if t, ok := distances[s.Feature]; ok {
			set(t, "drift", s.Feature)
		}
	}
}
