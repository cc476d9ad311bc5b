package queue

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	waiting, running, oldest *prometheus.GaugeVec
	duration                 *prometheus.HistogramVec
	failures                 *prometheus.CounterVec
	rescued                  prometheus.Counter
}

// newMetrics builds the metrics and registers them unless r is nil. The gauges are the same in every
// worker of one store: rules take their maximum, not their sum.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"queue"})
	}
	m := &metrics{
		waiting: gauge("iacontinu_queue_waiting_jobs", "Unfinished jobs that do not run, the same in every worker: take the maximum."),
		running: gauge("iacontinu_queue_running_jobs", "Jobs that run, the same in every worker: take the maximum."),
		oldest:  gauge("iacontinu_queue_oldest_wait_seconds", "How long the job that is due the longest has waited."),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "iacontinu_queue_job_duration_seconds", Help: "Duration of one attempt at a job.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 9),
		}, []string{"kind"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_queue_failures_total", Help: "Failed attempts at a job; final=true if it was the last one.",
		}, []string{"kind", "final"}),
		rescued: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "iacontinu_queue_rescued_jobs_total", Help: "Jobs put back because the process that ran them died.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.waiting, m.running, m.oldest, m.duration, m.failures, m.rescued} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// measure sets the gauges from the store.
func (q *Queue) measure(ctx context.Context) error {
	depths, err := q.Depth(ctx)
	if err != nil {
		return err
	}
	byQueue := map[string]Depth{queueRetrain: {}, queueNotify: {}, queueMaintenance: {}, queueDelivery: {}}
	for _, d := range depths {
		byQueue[d.Queue] = d
	}
	for name, d := range byQueue {
		q.metrics.waiting.WithLabelValues(name).Set(float64(d.Waiting))
		q.metrics.running.WithLabelValues(name).Set(float64(d.Running))
		q.metrics.oldest.WithLabelValues(name).Set(d.OldestWait.Seconds())
	}
	return nil
}
