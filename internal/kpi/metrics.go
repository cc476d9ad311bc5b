package kpi

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

// metrics are gauges, also those without labels, that are absent until they are known.
type metrics struct {
	predictions, activeUsers, retrains, driftToBetter, users *prometheus.GaugeVec
	rows, classRows, datasets                                *prometheus.GaugeVec
	refreshed                                                *prometheus.GaugeVec
}

const maximum = " The same in every API process: take the maximum."

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	var all []prometheus.Collector
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help + maximum}, labels)
		all = append(all, g)
		return g
	}
	m := &metrics{
		predictions:   gauge("iacontinu_business_predictions_day", "Predictions answered in the last 24 hours."),
		activeUsers:   gauge("iacontinu_business_active_users_day", "Accounts that predicted or logged in within the last 24 hours."),
		retrains:      gauge("iacontinu_business_retrains_day", "Retrainings that ended in the last 24 hours: activated, rejected or failed for good.", "verdict"),
		driftToBetter: gauge("iacontinu_business_drift_to_better_model_seconds", "Time from the latest check whose drift led to a better version until that version was active. Absent if none did yet."),
		users:         gauge("iacontinu_business_users", "Accounts that may log in.", "role"),
		refreshed:     gauge("iacontinu_business_refreshed_timestamp_seconds", "When the figures of the business and of the data were last read."),
		rows:          gauge("iacontinu_dataset_rows", "Rows of the latest dataset.", "source"),
		classRows:     gauge("iacontinu_dataset_class_rows", "Rows of the latest dataset by label, 0 or 1.", "source", "class"),
		datasets:      gauge("iacontinu_datasets", "Datasets that are ready.", "source"),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// set tells the figures. What there is none of is 0, so that a panel says so instead of nothing.
func (m *metrics) set(f ml.Figures, at time.Time) {
	m.predictions.WithLabelValues().Set(float64(f.Predictions))
	m.activeUsers.WithLabelValues().Set(float64(f.ActiveUsers))
	for _, verdict := range []string{string(ml.VerdictActivated), string(ml.VerdictRejected), ml.RetrainFailed} {
		m.retrains.WithLabelValues(verdict).Set(float64(f.Retrains[verdict]))
	}
	m.driftToBetter.Reset()
	if f.DriftToBetter != nil {
		m.driftToBetter.WithLabelValues().Set(f.DriftToBetter.Seconds())
	}
	for _, role := range []ml.Role{ml.RoleUser, ml.RoleAdmin} {
		m.users.WithLabelValues(string(role)).Set(float64(f.Users[role]))
	}
	for _, source := range []ml.DatasetSource{ml.SourceGenerated, ml.SourceImported} {
		d := f.Datasets[source]
		m.datasets.WithLabelValues(string(source)).Set(float64(d.Count))
		m.rows.WithLabelValues(string(source)).Set(float64(d.Latest.Samples))
		for label, rows := range d.Latest.ClassCounts {
			m.classRows.WithLabelValues(string(source), strconv.Itoa(label)).Set(float64(rows))
		}
	}
	m.refreshed.WithLabelValues().Set(float64(at.UnixMilli()) / 1000)
}
