package monitor

import (
	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

// Outcomes of a check beside the actions.
const (
	outcomeError     = "error"      // the check could not be made
	outcomeSlotTaken = "slot_taken" // another runner makes it
)

type metrics struct {
	drift    prometheus.Counter
	checks   *prometheus.CounterVec
	duration prometheus.Histogram
	score    *prometheus.GaugeVec
	slope    *prometheus.GaugeVec
	r2       *prometheus.GaugeVec
	steps    *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
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
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.drift, m.checks, m.duration, m.score, m.slope, m.r2, m.steps} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts a check that was made.
func (m *metrics) observe(r ml.DriftReport) {
	m.checks.WithLabelValues(string(r.Action)).Inc()
	m.duration.Observe(r.Details.Duration)
}

// setScores replaces all scores.
func (m *metrics) setScores(scores []ml.FeatureScore) {
	m.score.Reset()
	for _, s := range scores {
		m.score.WithLabelValues(s.Feature, "ks").Set(s.KS)
		m.score.WithLabelValues(s.Feature, "ks_p_value").Set(s.PValue)
		m.score.WithLabelValues(s.Feature, "psi").Set(s.PSI)
	}
}

// setTrends replaces all trends.
func (m *metrics) setTrends(accuracy *ml.Trend, distances map[string]ml.Trend) {
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
	for feature, t := range distances {
		set(t, "drift", feature)
	}
}
