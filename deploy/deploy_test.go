// Package deploy holds what puts the platform on machines; its tests hold the compose files and the
// scrape configuration to the documented ports and names.
package deploy

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type compose struct {
	Name     string
	Services map[string]service
	Volumes  map[string]any
	Networks map[string]any
}

// names are one, a list, or the keys of a mapping with more of each.
type names []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (n *names) UnmarshalYAML(node *yaml.Node) error {
	switch node.Kind {
	case yaml.MappingNode:
	case yaml.ScalarNode:
		*n = names{node.Value}
		return nil
	default:
		return node.Decode((*[]string)(n))
	}
	var with map[string]any
	err := node.Decode(&with)
	*n = slices.Sorted(maps.Keys(with))
	return err
}

// mounts are SOURCE:TARGET[:ro], which they may be written as at length.
type mounts []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (m *mounts) UnmarshalYAML(node *yaml.Node) error {
	for _, item := range node.Content {
		var long struct {
			Source, Target string
			ReadOnly       bool `yaml:"read_only"`
		}
		if item.Kind != yaml.MappingNode {
			*m = append(*m, item.Value)
			continue
		}
		if err := item.Decode(&long); err != nil {
			return err
		}
		text := long.Source + ":" + long.Target
		if long.ReadOnly {
			text += ":ro"
		}
		*m = append(*m, text)
	}
	return nil
}

type build struct{ Target string }

// UnmarshalYAML implements yaml.Unmarshaler; a variant may take the build away.
func (b *build) UnmarshalYAML(node *yaml.Node) error {
	if node.Tag == "!reset" {
		return nil
	}
	type plain build
	return node.Decode((*plain)(b))
}

// ours reports whether a service runs an image of this repository.
func (s service) ours() bool { return strings.HasPrefix(s.Image, "${IACONTINU_IMAGES:-iacontinu}/") }

type service struct {
	Image       string
	Command     []string
	Entrypoint  []string
	Environment map[string]string
	Ports       []string
	Volumes     mounts
	Networks    names
	Profiles    []string
	Restart     string
	DependsOn   map[string]struct {
		Condition string
		Required  *bool
	} `yaml:"depends_on"`
	User        string
	Build       build
	Healthcheck struct{ Test []string }
}

func readYAML(t *testing.T, path string, out any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	readYAML(t, "../docker-compose.yml", &c)
	return c
}

func TestComposePublishesTheDocumentedPorts(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for name, s := range readCompose(t).Services {
		got[name] = s.Ports
	}
	want := map[string][]string{ // all but the API and the pages on the loopback address
		"app":               {"8000:8000"},
		"ui":                {"8501:8501"},
		"random-check-flow": {"127.0.0.1:8002:8002"},
		"worker":            {"127.0.0.1:8003:8003"},
		"prometheus":        {"127.0.0.1:9090:9090"},
		"alertmanager":      {"127.0.0.1:9093:9093"},
		"grafana":           {"127.0.0.1:3000:3000"},
		"uptime-kuma":       {"127.0.0.1:3001:3001"},
		"kuma-provision":    nil,
		"secrets":           nil,
		"iacontinu":         nil,
		"mlflow-server":     {"127.0.0.1:5000:5000"},
		"prefect-server":    {"127.0.0.1:4200:4200"},
		"prefect-postgres":  nil,
		"jaeger":            {"127.0.0.1:16686:16686", "127.0.0.1:4318:4318"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An image of others can be had from elsewhere, by a setting, and is pinned by its version. Prefect's is the one that
// its documentation names.
var version = regexp.MustCompile(`^\$\{[A-Z]+_IMAGE:-[a-z/-]+:(v?[0-9]+\.[0-9]+(\.[0-9]+)?|3-latest)\}$`)

func TestComposeServicesAreComplete(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, s := range c.Services {
		if s.Restart == "no" { // it ends
			if len(s.Profiles) == 0 && !awaited(c, name) {
				t.Errorf("%s: somebody has to wait for its end, or up --wait takes that for a failure", name)
			}
		} else if s.Restart != "unless-stopped" || len(s.Healthcheck.Test) < 2 || len(s.Networks) == 0 {
			t.Errorf("%s: restart %q, health check %q, networks %q", name, s.Restart, s.Healthcheck.Test, s.Networks)
		}
		if s.Build.Target == "" && !s.ours() && !version.MatchString(s.Image) {
			t.Errorf("%s: image %s is not pinned by its version", name, s.Image)
		}
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok {
				t.Errorf("%s: network %s is not declared", name, n)
			}
		}
		for on := range s.DependsOn {
			if _, ok := c.Services[on]; !ok {
				t.Errorf("%s: depends on %s, which is no service", name, on)
			}
		}
		checkVolumes(t, c, name, s)
	}
}

// awaited reports whether a service waits for the end of that one.
func awaited(c compose, name string) bool {
	for _, s := range c.Services {
		if s.DependsOn[name].Condition == "service_completed_successfully" {
			return true
		}
	}
	return false
}

func checkVolumes(t *testing.T, c compose, name string, s service) {
	t.Helper()
	for _, v := range s.Volumes {
		source, _, _ := strings.Cut(v, ":")
		if strings.HasPrefix(source, "${") { // it is nowhere until it is made
			continue
		}
		if !strings.HasPrefix(source, ".") {
			if _, ok := c.Volumes[source]; !ok {
				t.Errorf("%s: volume %s is not declared", name, source)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join("..", source)); err != nil {
			t.Errorf("%s: mounts %v", name, err)
		}
	}
}

// TestPlatformShares is what makes three containers one platform: one store, and images of one build.
func TestPlatformShares(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	volumes := c.Services["app"].Volumes
	for name, binary := range map[string]string{"app": "api", "worker": "worker", "random-check-flow": "flow", "ui": "ui"} {
		s := c.Services[name]
		if want := "${IACONTINU_IMAGES:-iacontinu}/" + name + ":${IACONTINU_VERSION:-dev}"; s.Image != want || s.Build.Target != name {
			t.Errorf("%s: image %s of the target %s", name, s.Image, s.Build.Target)
		}
		if name != "ui" && !slices.Equal(s.Volumes, volumes) {
			t.Errorf("%s: volumes %q; app has %q", name, s.Volumes, volumes)
		}
		if want := []string{"CMD", "/app/" + binary, "--healthcheck"}; !slices.Equal(s.Healthcheck.Test, want) {
			t.Errorf("%s is checked by %q, want %q", name, s.Healthcheck.Test, want)
		}
		if _, err := os.Stat("../cmd/" + binary); err != nil {
			t.Error(err)
		}
	}
}

// TestPagesHoldNothing: who breaks into the web pages finds neither data nor keys there.
func TestPagesHoldNothing(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	ui := c.Services["ui"]
	if len(ui.Volumes) > 0 || ui.Environment["JWT_SECRET_KEY_FILE"] != "" || !slices.Equal(ui.Networks, []string{"edge"}) {
		t.Errorf("it has the volumes %q, the key %q, and is on %q", ui.Volumes, ui.Environment["JWT_SECRET_KEY_FILE"], ui.Networks)
	}
	if ui.Environment["API_URL"] != "http://app:8000" || ui.DependsOn["app"].Condition != "service_healthy" {
		t.Errorf("its API is %q, it depends on %v", ui.Environment["API_URL"], ui.DependsOn)
	}
}

// TestComposeSetsSettingsThatExist: a name that nothing reads would be ignored without a word.
func TestComposeSetsSettingsThatExist(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, pattern := range []string{"../cmd/internal/*/*.go", "../cmd/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(b)
		}
	}
	for name, s := range readCompose(t).Services {
		if !s.ours() {
			continue
		}
		for key := range s.Environment {
			of, _ := strings.CutSuffix(key, "_FILE")
			if key != "GOGC" && !strings.Contains(sources.String(), `env:"`+key+`"`) && !strings.Contains(sources.String(), `env:"`+of+`" secret:"true"`) {
				t.Errorf("%s: no process reads %s", name, key)
			}
		}
	}
}

// TestTracesAreOptional: Jaeger starts when it is asked for, every process can be told of it, and none waits
// for it.
func TestTracesAreOptional(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	jaeger := c.Services["jaeger"]
	if !slices.Equal(jaeger.Profiles, []string{"tracing"}) || jaeger.Environment["JAEGER_LISTEN_HOST"] != "0.0.0.0" {
		t.Errorf("jaeger has the profiles %q and listens on %q", jaeger.Profiles, jaeger.Environment["JAEGER_LISTEN_HOST"])
	}
	for _, name := range []string{"app", "worker", "random-check-flow", "ui"} {
		s := c.Services[name]
		if got := s.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"]; got != "${OTEL_EXPORTER_OTLP_ENDPOINT:-}" {
			t.Errorf("%s: OTEL_EXPORTER_OTLP_ENDPOINT is %q, must be off unless it is set", name, got)
		}
		if _, waits := s.DependsOn["jaeger"]; waits || !slices.ContainsFunc(s.Networks, func(n string) bool { return slices.Contains(jaeger.Networks, n) }) {
			t.Errorf("%s: waits for jaeger, or does not reach it", name)
		}
	}
}

// TestSecretsComeFromFiles: none has a default that others know, and each is shared with the user who reads it.
func TestSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	made, err := os.ReadFile("docker/secrets")
	if err != nil {
		t.Fatal(err)
	}
	shared := map[string]string{} // user by name
	for _, word := range c.Services["secrets"].Command[4:] {
		name, user, _ := strings.Cut(word, ":")
		shared[name] = user
		if !strings.Contains(string(made), "\nkeep "+name+" ") {
			t.Errorf("make secrets does not make %s", name)
		}
	}
	file := regexp.MustCompile(`/run/secrets/([a-z_]+)`)
	read := map[string]bool{}
	for name, s := range c.Services {
		user, _, _ := strings.Cut(s.User, ":")
		if user == "" {
			user = "10001"
		}
		values := append(slices.Collect(maps.Values(s.Environment)), s.Command...)
		for _, found := range file.FindAllStringSubmatch(strings.Join(values, " "), -1) {
			read[found[1]] = true
			if shared[found[1]] != user {
				t.Errorf("%s is %s and reads %s, which %q may", name, user, found[1], shared[found[1]])
			}
		}
		for key, value := range s.Environment {
			if regexp.MustCompile(`_(KEY|PASSWORD|TOKEN|AUTH_STRING)$`).MatchString(key) && value != "${"+key+":-}" {
				t.Errorf("%s: %s=%s is no file", name, key, value)
			}
		}
	}
	for name := range shared {
		if !read[name] {
			t.Errorf("nobody reads %s", name)
		}
	}
	if got := c.Services["app"].Environment["ENVIRONMENT"]; got != "${ENVIRONMENT:-production}" {
		t.Errorf("it runs in %s", got)
	}
}

func TestPrometheusScrapesEveryProcess(t *testing.T) {
	t.Parallel()
	var config struct {
		ScrapeConfigs []struct {
			JobName       string                       `yaml:"job_name"`
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "../prometheus/prometheus.yml", &config)
	got := map[string]string{}
	for _, s := range config.ScrapeConfigs {
		for _, static := range s.StaticConfigs {
			got[s.JobName] = strings.Join(static.Targets, " ")
		}
	}
	want := map[string]string{
		"app":               "app:8000",
		"random-check-flow": "random-check-flow:8002",
		"worker":            "worker:8003",
		"ui":                "ui:8004",
		"prometheus":        "localhost:9090",
		"alertmanager":      "alertmanager:9093",
		"uptime-kuma":       "uptime-kuma:3001",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	services := readCompose(t).Services
	for _, job := range slices.Sorted(maps.Keys(got)) {
		if _, ok := services[job]; !ok {
			t.Errorf("job %s is no service of docker-compose.yml", job)
		}
	}
}

// TestAlertmanagerIsStartedOnItsSettings: the container makes its configuration of what start reads.
func TestAlertmanagerIsStartedOnItsSettings(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../alertmanager/start")
	if err != nil {
		t.Fatal(err)
	}
	s := readCompose(t).Services["alertmanager"]
	if want := []string{"/bin/sh", "/etc/alertmanager/start"}; !slices.Equal(s.Entrypoint, want) {
		t.Errorf("the container starts by %q, want %q", s.Entrypoint, want)
	}
	for _, mount := range []string{"./alertmanager:/etc/alertmanager:ro", "alertmanager_data:/alertmanager"} {
		if !slices.Contains(s.Volumes, mount) {
			t.Errorf("the container does not mount %s", mount)
		}
	}
	for name := range s.Environment {
		if !strings.Contains(string(script), "${"+name+":-") && !strings.Contains(string(script), "secret "+name) {
			t.Errorf("alertmanager/start does not read %s", name)
		}
	}
	for _, name := range []string{"DISCORD_WEBHOOK_URL", "PAGERDUTY_ROUTING_KEY"} {
		if got := s.Environment[name]; got != "${"+name+":-}" {
			t.Errorf("%s is %q: nothing, unless it is set, and the container starts without", name, got)
		}
	}
}
