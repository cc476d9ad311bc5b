package deploy

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// walls are what stands around a service.
type walls struct {
	Networks    names
	NetworkMode string `yaml:"network_mode"`
	Pid, Ipc    string
	Privileged  bool
	Devices     []any
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	MemLimit    string   `yaml:"mem_limit"`
	PidsLimit   int      `yaml:"pids_limit"`
	ReadOnly    bool     `yaml:"read_only"`
	Logging     struct {
		Driver  string
		Options map[string]string
	}
	Volumes     mounts
	Ports       []string
	Environment map[string]string
}

// allowed is what a service has in spite of the rules, and why.
var allowed = map[string][]string{
	"secrets":     {"CHOWN", "DAC_READ_SEARCH"},                                                  // it reads what is the machine's owner's, and gives copies away
	"uptime-kuma": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "a root to write to"}, // its image starts as root and takes over its folder
	"grafana":     {"a root to write to"},                                                        // where its image writes beside its volume has not been tried
	"caddy":       {"NET_BIND_SERVICE"},                                                          // ports 80 and 443; the program's file asks for it
	"proxy":       {"NET_BIND_SERVICE"},
}

// gaps are what a service lacks.
func (s walls) gaps(name string) []string {
	var list []string
	gap := func(missing bool, what string) {
		if missing && !slices.Contains(allowed[name], what) {
			list = append(list, what)
		}
	}
	gap(!slices.Equal(s.CapDrop, []string{"ALL"}), "all capabilities")
	for _, c := range s.CapAdd {
		gap(true, c)
	}
	gap(!slices.Contains(s.SecurityOpt, "no-new-privileges:true"), "new privileges")
	gap(s.Privileged || len(s.Devices) > 0 || s.Pid != "" || s.Ipc != "", "the machine's own")
	gap(s.NetworkMode != "" && s.NetworkMode != "none", "a network that is no wall")
	gap(s.MemLimit == "", "memory without end")
	gap(s.PidsLimit <= 0, "processes without end")
	gap(s.Logging.Driver != "none" && (s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == ""), "a log without end")
	gap(!s.ReadOnly, "a root to write to")
	for _, v := range s.Volumes {
		source, _, _ := strings.Cut(v, ":")
		named := !strings.ContainsAny(source, "./~$")
		reads := strings.HasSuffix(v, ":ro")
		gap(strings.Contains(v, ".sock"), "a socket: "+v)
		gap(!named && !reads, "a folder of the machine: "+v)
		gap(source == "secrets" && !reads && name != "secrets", "secrets to write: "+v)
	}
	for _, p := range s.Ports {
		gap(!strings.HasPrefix(p, "127.0.0.1:") && !slices.Contains([]string{"8000:8000", "8501:8501"}, p), "a port for everybody: "+p)
	}
	return list
}

// reached is each service's networks: who shares one can open connections to the others there.
var reached = map[string]names{
	"app":               {"app", "edge", "monitoring", "tracking"},
	"worker":            {"app", "tracking"},
	"random-check-flow": {"app", "tracking"},
	"ui":                {"edge"},
	"iacontinu":         {"app"},
	"secrets":           nil,
	"mlflow-server":     {"tracking"},
	"prefect-server":    {"prefect_database", "tracking"},
	"prefect-postgres":  {"prefect_database"},
	"prometheus":        {"app", "edge", "monitoring"},
	"alertmanager":      {"monitoring"},
	"grafana":           {"monitoring"},
	"uptime-kuma":       {"app", "edge", "monitoring", "tracking"},
	"kuma-provision":    {"monitoring"},
	"jaeger":            {"app", "edge", "monitoring"},
}

// breaches are all that is wrong with the file at the root.
func breaches(text string) ([]string, error) {
	var c struct{ Services map[string]walls }
	var at struct {
		Services struct {
			UI struct {
				Networks struct {
					Edge struct {
						Address string `yaml:"ipv4_address"`
					}
				}
			}
		}
		Networks struct {
			Edge struct {
				IPAM struct{ Config []map[string]string }
			}
			Database struct{ Internal bool } `yaml:"prefect_database"`
		}
	}
	for _, out := range []any{&c, &at} {
		if err := yaml.Unmarshal([]byte(text), out); err != nil {
			return nil, err
		}
	}
	var list []string
	networks := map[string]names{}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		slices.Sort(s.Networks)
		networks[name] = s.Networks
		for _, what := range s.gaps(name) {
			list = append(list, name+" has "+what)
		}
	}
	if diff := cmp.Diff(reached, networks); diff != "" {
		list = append(list, "networks: "+diff)
	}
	pages := at.Services.UI.Networks.Edge.Address
	if trusted := c.Services["app"].Environment["TRUSTED_PROXIES"]; pages == "" || trusted != "${TRUSTED_PROXIES:-"+pages+"}" {
		list = append(list, fmt.Sprintf("app trusts %s, and the pages are %s", trusted, pages))
	}
	// The pages' address is below what Docker gives out, so that no other container comes to have it.
	edge := at.Networks.Edge.IPAM.Config
	if net := strings.TrimSuffix(pages, ".10"); len(edge) != 1 || edge[0]["subnet"] != net+".0/24" || edge[0]["ip_range"] != net+".128/25" {
		list = append(list, fmt.Sprintf("edge gives out %v", edge))
	}
	if !at.Networks.Database.Internal {
		list = append(list, "prefect_database has a way out")
	}
	return list, nil
}

func TestWallsOfCompose(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	list, err := breaches(text)
	if err != nil || len(list) > 0 {
		t.Fatalf("%q, %v", list, err)
	}
	// And each rule is one.
	for name, change := range map[string]struct{ old, with, want string }{
		"network":      {"networks: [app, tracking]", "networks: [app, tracking, prefect_database]", "networks: "},
		"host network": {"network_mode: none", "network_mode: host", "secrets has a network that is no wall"},
		"capability":   {"cap_drop: [ALL]", "cap_drop: [NET_RAW]", "worker has all capabilities"},
		"one back":     {"mem_limit: 2g", "mem_limit: 2g\n    cap_add: [SYS_ADMIN]", "worker has SYS_ADMIN"},
		"privileges":   {`security_opt: ["no-new-privileges:true"]`, "security_opt: []", "grafana has new privileges"},
		"privileged":   {"mem_limit: 2g", "mem_limit: 2g\n    privileged: true", "worker has the machine's own"},
		"memory":       {"    mem_limit: 2g\n", "", "worker has memory without end"},
		"processes":    {"pids_limit: 512", "pids_limit: -1", "ui has processes without end"},
		"given out":    {".128/25", ".0/25", "edge gives out "},
		"way out":      {"    internal: true\n", "    internal: false\n", "prefect_database has a way out"},
		"log":          {`options: { max-size: 10m, max-file: "3" }`, "options: {}", "ui has a log without end"},
		"writable":     {"read_only: true\n  tmpfs", "read_only: false\n  tmpfs", "app has a root to write to"},
		"socket":       {"./prometheus:/etc/prometheus:ro", "/var/run/docker.sock:/s:ro", "prometheus has a socket: "},
		"folder":       {"./prometheus:/etc/prometheus:ro", "./prometheus:/etc/prometheus", "prometheus has a folder of the machine: "},
		"secrets":      {"- secrets:/run/secrets:ro", "- secrets:/run/secrets", "app has secrets to write: "},
		"proxies":      {"${EDGE_NETWORK:-10.230.77}.10}", "0.0.0.0/0}", "app trusts "},
		"port":         {"127.0.0.1:4200:4200", "4200:4200", "prefect-server has a port for everybody: "},
	} {
		broken := strings.Replace(text, change.old, change.with, 1)
		list, err := breaches(broken)
		if err != nil || broken == text || !slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, change.want) }) {
			t.Errorf("%s: with %q it says %q, %v", name, change.with, list, err)
		}
	}
}

// TestWallsOfVariants: what a variant adds, and does not take from the file at the root, has the same around it.
func TestWallsOfVariants(t *testing.T) {
	t.Parallel()
	for path, name := range map[string]string{"compose/tls.yml": "caddy", "bluegreen/compose.yml": "proxy"} {
		var c struct{ Services map[string]walls }
		readYAML(t, path, &c)
		s := c.Services[name]
		s.Ports = slices.DeleteFunc(s.Ports, func(p string) bool { return strings.HasPrefix(p, "80:") || strings.HasPrefix(p, "443:") })
		if gaps := s.gaps(name); len(gaps) > 0 {
			t.Errorf("%s: %s has %q", path, name, gaps)
		}
		var images compose
		readYAML(t, path, &images)
		if image := images.Services[name].Image; image != "${CADDY_IMAGE:-caddy:2.11.4}" {
			t.Errorf("%s: %s runs %s", path, name, image)
		}
	}
}
