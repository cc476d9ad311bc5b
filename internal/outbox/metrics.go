package outbox

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

// The outcomes of a try, and of a delivery that was never taken.
const (
	outcomeDelivered = "delivered"
	outcomeFailed    = "failed"
	outcomeRefused   = "refused"
	outcomeExpired   = "expired"
)

type metrics struct {
	deliveries *prometheus.CounterVec
	duration   *prometheus.HistogramVec
}

func newMetrics(o Options) (*metrics, error) {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_outbox_deliveries_total",
			Help: "Tries to tell a service what it is owed, by outcome; refused and expired ones are dropped.",
		}, []string{"service", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "iacontinu_outbox_delivery_duration_seconds", Help: "Duration of one try.",
			Buckets: prometheus.ExponentialBuckets(0.01, 3, 9),
		}, []string{"service"}),
	}
	for service := range o.Services {
		for _, outcome := range []string{outcomeDelivered, outcomeFailed, outcomeRefused, outcomeExpired} {
			m.deliveries.WithLabelValues(string(service), outcome)
		}
	}
	if o.Registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.deliveries, m.duration, newBacklog(o)} {
		if err := o.Registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(service ml.Service, outcome string) {
	m.deliveries.WithLabelValues(string(service), outcome).Inc()
}

// backlogTimeout bounds the reading of the store for a scrape.
const backlogTimeout = 2 * time.Second

// backlog tells at each scrape what waits.
type backlog struct {
	options         Options
	waiting, oldest *prometheus.Desc
}

func newBacklog(o Options) backlog {
	label := []string{"service"}
	return backlog{
		options: o,
		waiting: prometheus.NewDesc("iacontinu_outbox_waiting", "Deliveries that a service is owed, the same in every worker: take the maximum.", label, nil),
		oldest:  prometheus.NewDesc("iacontinu_outbox_oldest_seconds", "Age of the oldest delivery that waits, 0 if none does.", label, nil),
	}
}

// Describe implements prometheus.Collector.
func (b backlog) Describe(out chan<- *prometheus.Desc) {
	out <- b.waiting
	out <- b.oldest
}

// Collect implements prometheus.Collector. What can't be read is left out.
func (b backlog) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	for service := range b.options.Services {
		waits, _, err := b.options.Deliveries.Backlog(ctx, service)
		if err != nil {
			continue
		}
		age := 0.0
		if waits.Waiting > 0 {
			age = max(0, b.options.Clock().Sub(waits.Oldest).Seconds())
		}
		out <- prometheus.MustNewConstMetric(b.waiting, prometheus.GaugeValue, float64(waits.Waiting), string(service))
		out <- prometheus.MustNewConstMetric(b.oldest, prometheus.GaugeValue, age, string(service))
	}
}
