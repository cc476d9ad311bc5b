package discord

import "github.com/prometheus/client_golang/prometheus"

// The outcomes of a message.
const (
	outcomeSent    = "sent"
	outcomeLimited = "rate_limited"
	outcomeFailed  = "failed"  // to be tried again
	outcomeRefused = "refused" // to be dropped
)

type metrics struct {
	messages *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_discord_messages_total", Help: "Messages to Discord by what became of them.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "iacontinu_discord_request_duration_seconds", Help: "Duration of a request to Discord.",
			Buckets: prometheus.ExponentialBuckets(0.02, 2.5, 8),
		}),
	}
	for _, o := range []string{outcomeSent, outcomeLimited, outcomeFailed, outcomeRefused} {
		m.messages.WithLabelValues(o) // so that each is 0 and not absent
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.messages, m.duration} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) count(outcome string) { m.messages.WithLabelValues(outcome).Inc() }
