package notify

import (
	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

// The outcomes of a message beside the steps that send none.
const (
	outcomeSent    = "sent"
	outcomeDropped = "dropped"
	outcomeLimited = "rate_limited"
	outcomeFailed  = "failed"
)

type metrics struct{ events *prometheus.CounterVec }

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "iacontinu_notifications_total",
		Help: "Events handled, by topic and what became of them; an event that had to wait is counted each time.",
	}, []string{"topic", "outcome"})}
	if r == nil {
		return m, nil
	}
	return m, r.Register(m.events)
}

// count counts under the known topics and one for all others, so that the label stays bounded.
func (m *metrics) count(topic ml.EventTopic, outcome string) {
	switch topic {
	case ml.EventDrift, ml.EventModel, ml.EventRetrain, ml.EventHealth:
	default:
		topic = "other"
	}
	m.events.WithLabelValues(string(topic), outcome).Inc()
}
