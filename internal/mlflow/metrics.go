package mlflow

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of a request.
const (
	outcomeOK       = "ok"
	outcomeNoAnswer = "no_answer"
	outcomeRefused  = "refused" // 4xx
	outcomeFailed   = "failed"  // 5xx and answers that can't be read
)

type metrics struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_mlflow_requests_total", Help: "Requests to MLflow by what was asked for and what became of it.",
		}, []string{"operation", "outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "iacontinu_mlflow_request_duration_seconds", Help: "Duration of a request to MLflow.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 10),
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(operation string, e *Error, took time.Duration) {
	outcome := outcomeOK
	switch {
	case e == nil:
	case e.Status >= 400 && e.Status < 500:
		outcome = outcomeRefused
	case e.Status == 0 && e.cause != nil:
		outcome = outcomeNoAnswer
	default:
		outcome = outcomeFailed
	}
	m.requests.WithLabelValues(operation, outcome).Inc()
	m.duration.Observe(took.Seconds())
}
