package service

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/pages"
	"iacontinu/docs"
	"iacontinu/internal/prefect"
)

const metricsPage = "../../../docs/metrics.md"

// TestMetricsPageListsTheMetrics holds docs/metrics.md to what the processes register, both ways.
func TestMetricsPageListsTheMetrics(t *testing.T) {
	t.Parallel()
	want := metricsTable(t)
	text, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), docs.MetricsBegin)
	table, after, closed := strings.Cut(rest, docs.MetricsEnd)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", metricsPage)
	}
	if *update {
		if err := os.WriteFile(metricsPage, []byte(before+docs.MetricsBegin+want+docs.MetricsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(want, table); diff != "" {
		t.Errorf("the table differs from the code (go test ./cmd/internal/service -run Metrics -update rewrites it):\n%s", diff)
	}
	if read := docs.Metrics(); len(read) != strings.Count(table, "\n")-2 {
		t.Errorf("%d metrics are read from the table: %s", len(read), table)
	}
}

// metricsTable lists what each process registers.
func metricsTable(t *testing.T) string {
	t.Helper()
	byName := map[string]*docs.Metric{}
	var names []string
	processes := []string{"api", "flow", "worker", "ui"}
	for _, process := range processes {
		for _, m := range metricsOf(t, process) {
			known, ok := byName[m.Name]
			if !ok {
				names, known = append(names, m.Name), &m
				byName[m.Name] = known
			}
			known.Processes = append(known.Processes, process)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("| metric | type | labels | processes | meaning |\n|---|---|---|---|---|\n")
	for _, name := range names {
		m := byName[name]
		kind, labels := m.Type, ""
		if m.Native {
			kind += ", native too"
		}
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, kind, labels, strings.Join(m.Processes, ", "), strings.ReplaceAll(m.Help, "|", "or"))
	}
	return b.String()
}

// metricsOf wires a process with every outside service set, and lists what it registers.
func metricsOf(t *testing.T, process string) []docs.Metric {
	t.Helper()
	reg := &recorder{Registry: prometheus.NewRegistry()}
	if process == "ui" {
		wireUI(t, reg)
	} else {
		wire(t, process, reg)
	}
	return reg.metrics(t)
}

// wireUI makes the web pages, which have no data folder, without running them.
func wireUI(t *testing.T, reg boot.Registry) {
	t.Helper()
	if err := boot.RegisterBasics(reg, "ui", "", ""); err != nil {
		t.Fatal(err)
	}
	ui, err := pages.New(pages.Settings{Host: "127.0.0.1"}, "http://127.0.0.1:1", slog.New(slog.DiscardHandler), nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ui.Close() })
}

// wire makes the parts of a process without running them; up has all.
func wire(tb testing.TB, process string, reg boot.Registry) *Platform {
	tb.Helper()
	dir := tb.TempDir()
	folder := Folder{Database: DatabaseURL(filepath.Join(dir, "data", "test.db")), ModelsDir: filepath.Join(dir, "models"), Environment: "development", Synchronous: "normal"}
	p, err := open(tb.Context(), Process{Folder: folder}, process, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	all := process == "up"
	var server *prefect.Client
	if process != "api" {
		if server, err = NewPrefect(tb.Context(), p, PrefectSettings{PrefectURL: "http://127.0.0.1:1/api"}); err != nil {
			tb.Fatal(err)
		}
	}
	if all || process == "api" {
		api, err := NewAPI(tb.Context(), p, APISettings{Host: "127.0.0.1"}, Around{})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = api.Close() })
	}
	if all || process == "worker" {
		c := WorkerSettings{TrainingWindow: 1000, KeepVersions: 5, KeepDatasets: 5, DiscordURL: "http://127.0.0.1:1/hook"}
		if _, err := NewWorker(tb.Context(), p, c, Tracking{"http://127.0.0.1:1", "", MLflowSettings{Experiment: "x", Sync: syncPush}}, server); err != nil {
			tb.Fatal(err)
		}
	}
	if all || process == "flow" {
		if _, err := NewFlow(p, FlowSettings{Interval: Duration(30e9), Detector: "random", PushURL: "http://127.0.0.1:1/push"}, server, "http://127.0.0.1:1"); err != nil {
			tb.Fatal(err)
		}
	}
	if !all && process != "worker" && process != "flow" && process != "api" {
		tb.Fatalf("there is no process %q", process)
	}
	return p
}

// recorder keeps what is registered, for a vector without children is in no scrape.
type recorder struct {
	*prometheus.Registry

	mu         sync.Mutex
	collectors []prometheus.Collector
}

func (r *recorder) Register(c prometheus.Collector) error {
	r.mu.Lock()
	r.collectors = append(r.collectors, c)
	r.mu.Unlock()
	return r.Registry.Register(c)
}

func (r *recorder) metrics(t *testing.T) []docs.Metric {
	t.Helper()
	var out []docs.Metric
	for _, c := range r.collectors {
		samples := samplesOf(t, c)
		described := make(chan *prometheus.Desc, 1000)
		c.Describe(described)
		close(described)
		for d := range described {
			m := readDesc(t, d)
			sample, ok := samples[m.Name]
			switch {
			case ok:
				m.Type, m.Native = kindOf(sample)
			case strings.HasSuffix(m.Name, "_total"): // a collector that has nothing to count yet
				m.Type = "counter"
			default:
				t.Errorf("%s: its kind is not known while it has no value", m.Name)
			}
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b docs.Metric) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b docs.Metric) bool { return a.Name == b.Name })
}

// samplesOf makes a value of each metric of a collector, for the kind of it.
func samplesOf(t *testing.T, c prometheus.Collector) map[string]*dto.Metric {
	t.Helper()
	collected := make(chan prometheus.Metric, 1000)
	words := func(c prometheus.Collector) []string {
		d := make(chan *prometheus.Desc, 1)
		c.Describe(d)
		return make([]string, len(readDesc(t, <-d).Labels))
	}
	switch v := c.(type) {
	case *prometheus.CounterVec:
		collected <- v.WithLabelValues(words(v)...)
	case *prometheus.GaugeVec:
		collected <- v.WithLabelValues(words(v)...)
	case *prometheus.HistogramVec:
		collected <- v.WithLabelValues(words(v)...).(prometheus.Histogram)
	default:
		c.Collect(collected)
	}
	close(collected)
	out := map[string]*dto.Metric{}
	for m := range collected {
		var sample dto.Metric
		if err := m.Write(&sample); err != nil {
			t.Fatal(err)
		}
		out[readDesc(t, m.Desc()).Name] = &sample
	}
	return out
}

func kindOf(m *dto.Metric) (kind string, native bool) {
	switch {
	case m.GetCounter() != nil:
		return "counter", false
	case m.GetGauge() != nil:
		return "gauge", false
	case m.GetSummary() != nil:
		return "summary", false
	case m.GetHistogram() != nil:
		return "histogram", m.GetHistogram().Schema != nil
	}
	return "", false
}

var descText = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"),(?: unit: "[^"]*",)? constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// readDesc reads a description, which tells its parts by its text alone.
func readDesc(t testing.TB, d *prometheus.Desc) docs.Metric {
	t.Helper()
	parts := descText.FindStringSubmatch(d.String())
	if parts == nil {
		t.Fatalf("%s is of another form", d)
	}
	name, nameErr := strconv.Unquote(parts[1])
	help, helpErr := strconv.Unquote(parts[2])
	if nameErr != nil || helpErr != nil || help == "" {
		t.Fatalf("%s: %v %v", d, nameErr, helpErr)
	}
	m := docs.Metric{Name: name, Help: help}
	for _, pair := range strings.FieldsFunc(parts[3]+","+parts[4], func(r rune) bool { return r == ',' }) {
		label, _, _ := strings.Cut(pair, "=")
		m.Labels = append(m.Labels, label)
	}
	return m
}
