package prefect

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of a request.
const (
	outcomeOK          = "ok"
	outcomeRefused     = "refused"     // the server answered that it will not
	outcomeFailed      = "failed"      // the server answered that it can't now
	outcomeUnreachable = "unreachable" // no answer
)

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_prefect_requests_total", Help: "Requests to Prefect by operation and by what became of them.",
		}, []string{"operation", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "iacontinu_prefect_request_duration_seconds", Help: "Duration of a request to Prefect.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 9),
		}, []string{"operation"}),
	}
	return m, register(r, m.requests, m.duration)
}

func register(r prometheus.Registerer, collectors ...prometheus.Collector) error {
	if r == nil {
		return nil
	}
	for _, c := range collectors {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *metrics) observe(operation string, took time.Duration, err error) {
	m.requests.WithLabelValues(operation, outcome(err)).Inc()
	m.duration.WithLabelValues(operation).Observe(took.Seconds())
}

func outcome(err error) string {
	var answered *Error
	switch {
	case err == nil:
		return outcomeOK
	case !errors.As(err, &answered):
		return outcomeUnreachable
	case answered.busy():
		return outcomeFailed
	}
	return outcomeRefused
}
