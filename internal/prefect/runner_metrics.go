package prefect

import (
	"github.com/prometheus/client_golang/prometheus"
)

type runnerMetrics struct {
	mode     *prometheus.GaugeVec
	runs     *prometheus.CounterVec
	lateness prometheus.Histogram
}

func newRunnerMetrics(r prometheus.Registerer) (*runnerMetrics, error) {
	m := &runnerMetrics{
		mode: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "iacontinu_prefect_mode", Help: "1 for who says when to check: the Prefect server, or this process while the server is away.",
		}, []string{"mode"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_prefect_runs_total", Help: "Runs that the Prefect server asked for by how they ended.",
		}, []string{"state"}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "iacontinu_prefect_lateness_seconds", Help: "Time from when a scheduled run was due until it ran.",
			Buckets: prometheus.ExponentialBuckets(0.02, 2.5, 9),
		}),
	}
	return m, register(r, m.mode, m.runs, m.lateness)
}

func (m *runnerMetrics) setMode(now Mode) {
	for _, mode := range []Mode{ServerMode, LocalMode} {
		value := 0.0
		if mode == now {
			value = 1
		}
		m.mode.WithLabelValues(string(mode)).Set(value)
	}
}
