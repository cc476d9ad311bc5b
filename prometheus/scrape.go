// Package prometheus makes what Prometheus and Alertmanager read: the scrape configurations of every way to run the
// platform, of one list of jobs, and copies of the rules and routes that wait shorter, for tests. The files beside it
// are what it makes, `go test ./prometheus -update` writes them, and the rules themselves. No process of the platform
// imports this package.
package prometheus

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// Variant is a way to run the platform.
type Variant string

// The variants.
const (
	Compose    Variant = "compose"    // one container a process
	Native     Variant = "native"     // iacontinu up and the servers beside it on one machine
	Kubernetes Variant = "kubernetes" // pods that come and go
)

// Files are the configurations that lie in this folder, by name.
var Files = map[string]Variant{"prometheus.yml": Compose, "native.yml": Native, "kubernetes.yml": Kubernetes}

// job is something to scrape. Its name is that of the service in docker-compose.yml.
type job struct {
	name     string
	port     int
	podPort  int    // in Kubernetes, where who scrapes does not reach the API; 0: port
	platform bool   // a process of ours, which Kubernetes runs in pods
	inUp     bool   // the job that iacontinu up stands for; other processes of ours are part of it
	apiKey   string // the folder and file of it
}

var jobs = []job{
	{name: "app", port: 8000, podPort: 8001, platform: true, inUp: true},
	{name: "random-check-flow", port: 8002, platform: true},
	{name: "worker", port: 8003, platform: true},
	{name: "ui", port: 8004, platform: true},
	{name: "prometheus", port: 9090},
	{name: "alertmanager", port: 9093},
	{name: "uptime-kuma", port: 3001, apiKey: "kuma/api-key"},
}

// Options change what Config makes. The zero value changes nothing.
type Options struct {
	Interval time.Duration       // between two scrapes, and between two evaluations; 0: 15 s
	Targets  map[string][]string // where jobs are, instead of where they are expected; not for Kubernetes
	Only     bool                // scrape the jobs of Targets and no others
	Rules    []string            // patterns of rule files; nil: those beside the configuration
}

type config struct {
	Global        globals          `yaml:"global"`
	RuleFiles     []string         `yaml:"rule_files"`
	Alerting      alerting         `yaml:"alerting"`
	ScrapeConfigs []map[string]any `yaml:"scrape_configs"`
}

type globals struct {
	ScrapeInterval     string `yaml:"scrape_interval"`
	ScrapeTimeout      string `yaml:"scrape_timeout"`
	EvaluationInterval string `yaml:"evaluation_interval"`
}

type alerting struct {
	Alertmanagers []map[string]any `yaml:"alertmanagers"`
}

const head = `# The scrape configuration of the variant %s, made by prometheus/scrape.go: change it there.
#
# Panels and rules sum over instances, so that the same ones hold for iacontinu up, where one process exposes
# everything on one port, and for processes apart.
`

// Config is the configuration of Prometheus for a variant.
func Config(v Variant, o Options) ([]byte, error) {
	if v != Compose && v != Native && v != Kubernetes {
		return nil, fmt.Errorf("prometheus: variant %q is none of compose, native and kubernetes", v)
	}
	if o.Interval == 0 {
		o.Interval = 15 * time.Second
	}
	if o.Rules == nil {
		o.Rules = []string{"rules/*.yml"}
	}
	c := config{
		Global: globals{
			ScrapeInterval: duration(o.Interval), ScrapeTimeout: duration(min(o.Interval, 10*time.Second)), EvaluationInterval: duration(o.Interval),
		},
		RuleFiles: o.Rules,
	}
	known := map[string]bool{}
	for _, j := range jobs {
		known[j.name] = true
		targets, given := o.Targets[j.name]
		if !given {
			targets = []string{v.address(j)}
		}
		if !given && (o.Only || v == Native && j.platform && !j.inUp) {
			continue
		}
		c.ScrapeConfigs = append(c.ScrapeConfigs, v.scrape(j, targets))
		if j.name == "alertmanager" {
			c.Alerting.Alertmanagers = []map[string]any{static(targets)}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Targets)) {
		if !known[name] {
			return nil, fmt.Errorf("prometheus: target of job %q, which is none", name)
		}
	}
	out := bytes.NewBufferString(fmt.Sprintf(head, v))
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return out.Bytes(), nil
}

// address is where a job is expected.
func (v Variant) address(j job) string {
	host := j.name
	if v == Native || j.name == "prometheus" {
		host = "localhost"
	}
	return fmt.Sprintf("%s:%d", host, j.port)
}

func static(targets []string) map[string]any {
	return map[string]any{"static_configs": []any{map[string]any{"targets": targets}}}
}

func (v Variant) scrape(j job, targets []string) map[string]any {
	out := static(targets)
	if v == Kubernetes && j.platform {
		out = pods(j)
	}
	out["job_name"] = j.name
	if j.apiKey != "" {
		// Read at each scrape: the file may come later, and Kuma takes any user.
		out["basic_auth"] = map[string]any{"username": "prometheus", "password_file": v.secrets() + j.apiKey}
	}
	return out
}

// secrets is the folder of what only Prometheus may read.
func (v Variant) secrets() string {
	if v == Native {
		return "../data/" // of the repository
	}
	return "/run/"
}

// pods finds the pods of a process by the headless service JOB-pods: no right to read the cluster is needed for it. The
// service publishes addresses that are not ready too, since one that is not is what an alert is for.
func pods(j job) map[string]any {
	return map[string]any{"dns_sd_configs": []any{map[string]any{"names": []string{j.name + "-pods"}, "type": "A", "port": cmp.Or(j.podPort, j.port)}}}
}

// duration in the words of Prometheus, which knows no fractions.
func duration(d time.Duration) string {
	if d%time.Second != 0 {
		return fmt.Sprintf("%dms", d.Milliseconds())
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}
