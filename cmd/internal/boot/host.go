package boot

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// NewRegistry returns the process's registry with what every process tells: the Go runtime, the
// process itself, the host that it runs on, and which build it is.
func NewRegistry(process, environment, dataDir string) (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "app_info", Help: "Always 1; the labels say which build runs.",
		ConstLabels: prometheus.Labels{"version": Version(), "process": process, "environment": environment},
	})
	info.Set(1)
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newHostCollector(dataDir),
		info,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return reg, nil
}

// hostCollector reads the host's load at each scrape.
type hostCollector struct {
	dataDir           string
	cpu, memory, disk *prometheus.Desc
}

func newHostCollector(dataDir string) *hostCollector {
	// The first reading only sets the mark from which the next one measures.
	_, _ = cpu.Percent(0, false)
	return &hostCollector{
		dataDir: dataDir,
		cpu:     prometheus.NewDesc("system_cpu_usage_percent", "Busy share of all cores since the last scrape, 0 to 100.", nil, nil),
		memory:  prometheus.NewDesc("system_memory_usage_bytes", "Memory of the host by state.", []string{"state"}, nil),
		disk:    prometheus.NewDesc("system_disk_usage_bytes", "Disk that holds the data folder, by state.", []string{"state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (h *hostCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- h.cpu
	ch <- h.memory
	ch <- h.disk
}

// Collect implements prometheus.Collector. What the host does not tell is left out of the scrape.
func (h *hostCollector) Collect(ch chan<- prometheus.Metric) {
	if busy, err := cpu.Percent(0, false); err == nil && len(busy) == 1 {
		ch <- prometheus.MustNewConstMetric(h.cpu, prometheus.GaugeValue, busy[0])
	}
	if m, err := mem.VirtualMemory(); err == nil {
		ch <- prometheus.MustNewConstMetric(h.memory, prometheus.GaugeValue, float64(m.Used), "used")
		ch <- prometheus.MustNewConstMetric(h.memory, prometheus.GaugeValue, float64(m.Total), "total")
	}
	if d, err := disk.Usage(h.dataDir); err == nil {
		ch <- prometheus.MustNewConstMetric(h.disk, prometheus.GaugeValue, float64(d.Used), "used")
		ch <- prometheus.MustNewConstMetric(h.disk, prometheus.GaugeValue, float64(d.Total), "total")
	}
}
