package deploy

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestUptimeKumaWatchesEveryService: what nobody watches goes down unseen.
func TestUptimeKumaWatchesEveryService(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	provision := c.Services["kuma-provision"]
	watched := map[string]bool{host(t, provision.Environment["API_URL"]): true}
	for item := range strings.SplitSeq(provision.Environment["KUMA_WATCH"], ",") {
		_, address, _ := strings.Cut(item, "=")
		name := host(t, address)
		watched[name] = true
		if s, ok := c.Services[name]; !ok || !slices.ContainsFunc(s.Networks, func(n string) bool {
			return slices.Contains(c.Services["uptime-kuma"].Networks, n)
		}) {
			t.Errorf("%s: Uptime Kuma meets no service of that name", strings.TrimSpace(item))
		}
	}
	for name, s := range c.Services {
		if optional := len(s.Profiles) > 0 || s.Restart == "no"; name != "uptime-kuma" && name != "prefect-postgres" && watched[name] == optional {
			t.Errorf("%s: watched %t", name, watched[name])
		}
	}
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	return u.Hostname()
}

// TestUptimeKumaIsProvisioned holds together what lies in several places.
func TestUptimeKumaIsProvisioned(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	p := c.Services["kuma-provision"]
	if want := []string{"kuma", "provision"}; !slices.Equal(p.Command, want) || p.Image != c.Services["secrets"].Image {
		t.Errorf("%s runs %q, want %q", p.Image, p.Command, want)
	}
	if p.DependsOn["uptime-kuma"].Condition != "service_healthy" {
		t.Error("kuma-provision does not wait for Uptime Kuma")
	}
	made, err := os.ReadFile("docker/secrets")
	if want := `keep kuma_push_url "` + p.Environment["KUMA_URL"] + `/api/push/$(cat "$folder/kuma_push_token")"`; err != nil || !strings.Contains(string(made), want) {
		t.Errorf("the checks do not push to where the monitor listens: %v", err)
	}
	// Alerts and predictions must not wait for it: whoever does may start without it.
	for name, s := range c.Services {
		for _, on := range []string{"uptime-kuma", "kuma-provision"} {
			if d, ok := s.DependsOn[on]; ok && name != "kuma-provision" && (d.Required == nil || *d.Required) {
				t.Errorf("%s does not start without %s", name, on)
			}
		}
	}
	// The key is written by one and read by the other, who has this number in its image.
	if !slices.Contains(p.Volumes, "kuma_key:/app/kuma") || !strings.HasPrefix(p.Environment["KUMA_API_KEY_PATH"], "/app/kuma/") {
		t.Errorf("the key goes to %s, volumes %q", p.Environment["KUMA_API_KEY_PATH"], p.Volumes)
	}
	if !slices.Contains(c.Services["prometheus"].Volumes, "kuma_key:/run/kuma:ro") || p.User != "65534:65534" {
		t.Errorf("Prometheus, 65534, can't read the key: its volumes are %q, it is written by %s", c.Services["prometheus"].Volumes, p.User)
	}
}
