package service

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// bounds are how many values the labels of docs/metrics.md take at most. Features have but one series of the
// forecasts, and routes one method; labels that are not here take five words or fewer.
var bounds = map[string]int{
	"endpoint": 60, "status_code": 4, "model_version": 10, "feature": 100, "statistic": 3, "series": 1, "operation": 20,
	"method": 1, "class": 2, "source": 2, "verdict": 3, "service": 2, "final": 2, "step": 7,
}

// BenchmarkScrape is a scrape of `iacontinu up` with each metric at the bound of its labels.
func BenchmarkScrape(b *testing.B) {
	reg := &recorder{Registry: prometheus.NewRegistry()}
	wire(b, "up", reg)
	for _, c := range reg.collectors {
		fill(b, c)
	}
	handler := promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
	for name, accept := range map[string]string{
		"text":     "text/plain;version=0.0.4",
		"protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Header.Set("Accept", accept)
			var size int
			before := processorTime(b)
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if size = w.Body.Len(); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(size)/1e3, "kB")
			b.ReportMetric((processorTime(b)-before).Seconds()*1e3/float64(b.N), "cpu-ms/op") // on a machine that others use too
		})
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// fill gives a vector a child for each combination of the values of its labels.
func fill(tb testing.TB, c prometheus.Collector) {
	tb.Helper()
	described := make(chan *prometheus.Desc, 1000)
	c.Describe(described)
	combinations := [][]string{nil}
	for _, label := range readDesc(tb, <-described).Labels {
		n := bounds[label]
		if n == 0 {
			n = 5
		}
		var longer [][]string
		for _, values := range combinations {
			for i := range n {
				longer = append(longer, append(append([]string{}, values...), label+strconv.Itoa(i)))
			}
		}
		combinations = longer
	}
	for _, values := range combinations {
		switch v := c.(type) {
		case *prometheus.CounterVec:
			v.WithLabelValues(values...).Inc()
		case *prometheus.GaugeVec:
			v.WithLabelValues(values...).Set(1)
		case *prometheus.HistogramVec:
			for x := 1e-4; x < 10; x *= 1.3 {
				v.WithLabelValues(values...).Observe(x)
			}
		}
	}
}
