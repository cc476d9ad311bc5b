package predict

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// maxVersionLabels bounds the label model_version: a platform that retrains every minute would
// otherwise grow a series an hour for ever. The latest versions stay, so that a rate over the time
// of a swap is whole.
const maxVersionLabels = 10

// count is of one version's predictions, by label. A prediction adds to it once, and is told of by
// version and by class.
type count struct {
	version string
	labels  [2]atomic.Uint64
}

// counts are those of the latest versions, and the sum of those before them.
type counts struct {
	byVersion, byClass *prometheus.Desc

	mu     sync.Mutex
	latest []*count // the active version's last
	before [2]uint64
}

func newCounts() *counts {
	return &counts{
		byVersion: prometheus.NewDesc("ml_predictions_total",
			"Predictions answered and logged, by model version (the latest versions only).", []string{"model_version"}, nil),
		byClass: prometheus.NewDesc("iacontinu_predictions_by_class_total",
			"Predictions answered and logged, by the label that was predicted.", []string{"class"}, nil),
	}
}

// of returns the count of the version that is active from now on.
func (c *counts) of(version string) *count {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := &count{version: version}
	if i := slices.IndexFunc(c.latest, func(known *count) bool { return known.version == version }); i >= 0 {
		own = c.latest[i]
		c.latest = slices.Delete(c.latest, i, i+1)
	}
	c.latest = append(c.latest, own)
	if len(c.latest) > maxVersionLabels {
		for label := range c.before {
			c.before[label] += c.latest[0].labels[label].Load()
		}
		c.latest = slices.Delete(c.latest, 0, 1)
	}
	return own
}

// Describe implements prometheus.Collector.
func (c *counts) Describe(out chan<- *prometheus.Desc) {
	out <- c.byVersion
	out <- c.byClass
}

// Collect implements prometheus.Collector.
func (c *counts) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	classes := c.before
	for _, known := range c.latest {
		var sum uint64
		for label := range classes {
			n := known.labels[label].Load()
			sum += n
			classes[label] += n
		}
		out <- prometheus.MustNewConstMetric(c.byVersion, prometheus.CounterValue, float64(sum), known.version)
	}
	for label, n := range classes {
		out <- prometheus.MustNewConstMetric(c.byClass, prometheus.CounterValue, float64(n), strconv.Itoa(label))
	}
}
