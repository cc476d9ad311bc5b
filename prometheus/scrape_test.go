package prometheus

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the files that Config makes")

func TestConfigurationsAreWhatIsMade(t *testing.T) {
	t.Parallel()
	for name, variant := range Files {
		want, err := Config(variant, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what scrape.go makes; go test ./prometheus -update writes it:\n%s", name, diff)
		}
	}
}

// targets are the addresses by job; a job that finds pods has their port.
func targets(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var c struct {
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
			DNS           []struct {
				Names []string
				Port  int
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range c.ScrapeConfigs {
		for _, static := range s.StaticConfigs {
			out[s.JobName] = strings.Join(static.Targets, " ")
		}
		for _, d := range s.DNS {
			out[s.JobName] = fmt.Sprintf("%s:%d", strings.Join(d.Names, " "), d.Port)
		}
	}
	return out
}

func TestEveryVariantScrapesEveryProcess(t *testing.T) {
	t.Parallel()
	for variant, want := range map[Variant]map[string]string{
		Compose: {
			"app": "app:8000", "random-check-flow": "random-check-flow:8002", "worker": "worker:8003", "ui": "ui:8004",
			"prometheus": "localhost:9090", "alertmanager": "alertmanager:9093", "uptime-kuma": "uptime-kuma:3001",
		},
		Native: {
			"app": "localhost:8000", "prometheus": "localhost:9090", "alertmanager": "localhost:9093", "uptime-kuma": "localhost:3001",
		},
		Kubernetes: {
			"app": "app-pods:8001", "random-check-flow": "random-check-flow-pods:8002", "worker": "worker-pods:8003", "ui": "ui-pods:8004",
			"prometheus": "localhost:9090", "alertmanager": "alertmanager:9093", "uptime-kuma": "uptime-kuma:3001",
		},
	} {
		text, err := Config(variant, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, targets(t, text)); diff != "" {
			t.Errorf("%s: %s", variant, diff)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	text, err := Config(Native, Options{
		Interval: 1500 * time.Millisecond, Only: true,
		Targets: map[string][]string{"app": {"127.0.0.1:1"}, "worker": {"127.0.0.1:2"}, "alertmanager": {"127.0.0.1:3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"app": "127.0.0.1:1", "worker": "127.0.0.1:2", "alertmanager": "127.0.0.1:3"}
	if diff := cmp.Diff(want, targets(t, text)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(text), "scrape_interval: 1500ms") {
		t.Errorf("no scrape_interval of 1500ms in\n%s", text)
	}
	if _, err := Config(Native, Options{Targets: map[string][]string{"ap": {"x:1"}}}); err == nil {
		t.Error("a target of a job that is none is taken")
	}
	if _, err := Config("docker", Options{}); err == nil {
		t.Error("a variant that is none is taken")
	}
}

func TestHasten(t *testing.T) {
	t.Parallel()
	got, err := Hasten([]byte("interval: 1m\n  - alert: A\n    expr: up == 0 for: 5m\n    for: 2h # long\n    for: 0s\n  group_wait: 30s\n  repeat_interval: 4h\n"), 60)
	want := "interval: 1000ms\n  - alert: A\n    expr: up == 0 for: 5m\n    for: 120000ms # long\n    for: 0ms\n  group_wait: 500ms\n  repeat_interval: 4h\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, string(got)))
	}
	if _, err := Hasten(nil, 0); err == nil {
		t.Error("hastened by 0")
	}
}
