package boot

import (
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"
)

// Registry takes the metrics of a process and tells them.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// RegisterBasics registers what every process tells: the Go runtime, the process itself, which build it is
// and, if it has a data folder, the host that both are on.
func RegisterBasics(reg prometheus.Registerer, process, environment, dataDir string) error {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "app_info", Help: "Always 1; the labels say which build runs.",
		ConstLabels: prometheus.Labels{"version": Version(), "process": process, "environment": environment},
	})
	info.Set(1)
	all := []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info}
	if dataDir != "" {
		all = append(all, newHostCollector(dataDir))
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// hostCollector reads the host's load at each scrape.
type hostCollector struct {
	dataDir                                 string
	load                                    *cpuLoad
	cpu, cpuTime, memory, disk, net, diskIO *prometheus.Desc
}

func newHostCollector(dataDir string) *hostCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &hostCollector{
		dataDir: dataDir,
		load:    newCPULoad(time.Now, cpuTimes),
		cpu:     desc("system_cpu_usage_percent", "Busy share of all cores over the last 10 s or longer, 0 to 100, whoever scrapes how often."),
		cpuTime: desc("system_cpu_seconds_total", "Time of all cores of the host by mode: busy or idle.", "mode"),
		memory:  desc("system_memory_usage_bytes", "Memory of the host by state: used or total.", "state"),
		disk:    desc("system_disk_usage_bytes", "Disk that holds the data folder, by state: used or total.", "state"),
		net:     desc("system_network_bytes_total", "Bytes over the host's network interfaces but loopback, by direction: receive or transmit.", "direction"),
		diskIO:  desc("system_disk_io_bytes_total", "Bytes from and to the host's disks, by direction: read or write.", "direction"),
	}
}

// Describe implements prometheus.Collector.
func (h *hostCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{h.cpu, h.cpuTime, h.memory, h.disk, h.net, h.diskIO} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What the host does not tell is left out of the scrape.
func (h *hostCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, label string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, label)
	}
	if now, percent, err := h.load.read(); err == nil {
		counter(h.cpuTime, now.busy, "busy")
		counter(h.cpuTime, now.idle, "idle")
		gauge(h.cpu, percent)
	}
	if m, err := mem.VirtualMemory(); err == nil {
		gauge(h.memory, float64(m.Used), "used")
		gauge(h.memory, float64(m.Total), "total")
	}
	if d, err := disk.Usage(h.dataDir); err == nil {
		gauge(h.disk, float64(d.Used), "used")
		gauge(h.disk, float64(d.Total), "total")
	}
	if received, sent, err := networkBytes(); err == nil {
		counter(h.net, float64(received), "receive")
		counter(h.net, float64(sent), "transmit")
	}
	if read, written, err := diskBytes(); err == nil {
		counter(h.diskIO, float64(read), "read")
		counter(h.diskIO, float64(written), "write")
	}
}

// networkBytes sums over the interfaces that lead out of the host.
func networkBytes() (received, sent uint64, err error) {
	interfaces, err := net.IOCounters(true)
	if err != nil {
		return 0, 0, err
	}
	for _, i := range interfaces {
		if i.Name != "lo" && i.Name != "lo0" {
			received += i.BytesRecv
			sent += i.BytesSent
		}
	}
	return received, sent, nil
}

// diskBytes sums over the disks. A partition, a loop device or a mapped volume tells the bytes of its
// disk a second time; in /sys only a disk has a device.
func diskBytes() (read, written uint64, err error) {
	devices, err := disk.IOCounters()
	if err != nil {
		return 0, 0, err
	}
	for name, d := range devices {
		if _, err := os.Stat(filepath.Join("/sys/block", name, "device")); err != nil {
			continue
		}
		read += d.ReadBytes
		written += d.WriteBytes
	}
	return read, written, nil
}
