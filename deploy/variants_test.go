package deploy

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hostPorts are the ports of the machine that the services publish.
func hostPorts(c compose) []string {
	var ports []string
	for _, s := range c.Services {
		for _, p := range s.Ports {
			parts := strings.Split(p, ":")
			ports = append(ports, parts[len(parts)-2])
		}
	}
	return ports
}

var setting = regexp.MustCompile(`\$\{[A-Z_]+_NETWORK:-([0-9.]+)\}`)

// subnets are those that networks of a file ask for, where no setting says another.
func subnets(c compose) []string {
	var list []string
	for _, n := range c.Networks {
		for _, match := range setting.FindAllStringSubmatch(fmt.Sprint(n), -1) {
			list = append(list, match[1])
		}
	}
	return list
}

// TestStagingIsASecondPlatform: brought up beside production, it takes nothing of it over.
func TestStagingIsASecondPlatform(t *testing.T) {
	t.Parallel()
	root := readCompose(t)
	var staging compose
	readYAML(t, "compose/staging.yml", &staging)
	if staging.Name == "" || staging.Name == root.Name {
		t.Errorf("the project is %q, and production's %q", staging.Name, root.Name)
	}
	for _, c := range []compose{root, staging} {
		for name, v := range c.Volumes { // else it has the project's name before its own
			if v != nil {
				t.Errorf("the volume %s is not the project's own: %v", name, v)
			}
		}
	}
	for name, s := range root.Services {
		if own := staging.Services[name]; len(own.Ports) != len(s.Ports) {
			t.Errorf("%s publishes %q, and production %q", name, own.Ports, s.Ports)
		}
	}
	taken := append(hostPorts(root), subnets(root)...)
	for _, own := range append(hostPorts(staging), subnets(staging)...) {
		if slices.Contains(taken, own) {
			t.Errorf("%s is production's", own)
		}
	}
	if got, want := slices.Sorted(maps.Keys(staging.Networks)), []string{"edge"}; !slices.Equal(got, want) || len(subnets(staging)) != 2 {
		t.Errorf("it has subnets of its own on %q, want %q", got, want)
	}
	from := staging.Services["secrets"].Volumes
	if len(from) != 1 || !strings.Contains(from[0], "${STAGING_SECRETS_DIR:?") {
		t.Errorf("its secrets are those of %q", from)
	}
}

// TestCertificatesBeforeTwoColours: api.DOMAIN is led to the colour that serves, and nobody passes Caddy by.
func TestCertificatesBeforeTwoColours(t *testing.T) {
	t.Parallel()
	var both compose
	readYAML(t, "bluegreen/tls.yml", &both)
	caddyfile, err := os.ReadFile("compose/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if api := both.Services["caddy"].Environment["API"]; api != "proxy:8000" || !strings.Contains(string(caddyfile), "reverse_proxy {$API:app:8000} {") {
		t.Errorf("Caddy leads to %q, or to another by its file", api)
	}
	for _, p := range both.Services["proxy"].Ports {
		if !strings.HasPrefix(p, "127.0.0.1:") {
			t.Errorf("the proxy is open at %s", p)
		}
	}
	var own struct {
		Services struct {
			Proxy, Caddy struct {
				Networks struct {
					Edge struct {
						Address string `yaml:"ipv4_address"`
					}
				}
			}
		}
	}
	readYAML(t, "bluegreen/tls.yml", &own)
	proxy := own.Services.Proxy.Networks.Edge.Address
	readYAML(t, "compose/tls.yml", &own)
	caddy := own.Services.Caddy.Networks.Edge.Address
	trusted := both.Services["app"].Environment["TRUSTED_PROXIES"]
	if proxy == "" || caddy == "" || caddy == proxy || !strings.Contains(trusted, proxy) || !strings.Contains(trusted, caddy) {
		t.Errorf("Caddy is %q, the proxy %q, and the API trusts %q", caddy, proxy, trusted)
	}
	if green := both.Services["app-green"].Environment["TRUSTED_PROXIES"]; green != trusted {
		t.Errorf("green trusts %q", green)
	}
}
