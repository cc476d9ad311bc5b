package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// render runs alertmanager/start with a program in Alertmanager's place that does nothing.
func render(t *testing.T, env ...string) (config, said string, err error) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "rendered")
	cmd := exec.Command("sh", "../alertmanager/start")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "ALERTMANAGER=true", "RENDERED=" + folder}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", string(out), err
	}
	file := filepath.Join(folder, "alertmanager.yml")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %o: it holds secrets", file, info.Mode().Perm())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), string(out), nil
}

// TestAlertmanagerTellsWhomIsSet: a receiver is there if its setting is, whichever the others.
func TestAlertmanagerTellsWhomIsSet(t *testing.T) {
	t.Parallel()
	const webhook, key = "https://discord.com/api/webhooks/1/a_b-C", "R0123456789"
	file := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(file, []byte(webhook+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name               string
		env                []string
		discord, pagerduty bool
	}{
		{"nothing is set", nil, false, false},
		{"empty is not set", []string{"DISCORD_WEBHOOK_URL=", "PAGERDUTY_ROUTING_KEY="}, false, false},
		{"Discord", []string{"DISCORD_WEBHOOK_URL=" + webhook}, true, false},
		{"Discord by a file", []string{"DISCORD_WEBHOOK_URL_FILE=" + file}, true, false},
		{"PagerDuty", []string{"PAGERDUTY_ROUTING_KEY=" + key}, false, true},
		{"both", []string{"DISCORD_WEBHOOK_URL=" + webhook, "PAGERDUTY_ROUTING_KEY=" + key}, true, true},
	} {
		text, said, err := render(t, c.env...)
		if err != nil {
			t.Fatalf("%s: %v: %s", c.name, err, said)
		}
		var config struct {
			Receivers []struct {
				Discord   []map[string]any `yaml:"discord_configs"`
				PagerDuty []map[string]any `yaml:"pagerduty_configs"`
			}
		}
		if err := yaml.Unmarshal([]byte(text), &config); err != nil || len(config.Receivers) != 2 {
			t.Fatalf("%s: %v\n%s", c.name, err, text)
		}
		for i, r := range config.Receivers {
			if (len(r.Discord) == 1) != c.discord || (len(r.PagerDuty) == 1) != (c.pagerduty && i == 1) {
				t.Errorf("%s: receiver %d has %d of Discord and %d of PagerDuty", c.name, i, len(r.Discord), len(r.PagerDuty))
			}
		}
		if strings.Contains(text, "@") || strings.Contains(text, webhook) != c.discord || strings.Contains(text, key) != c.pagerduty {
			t.Errorf("%s: rendered to\n%s", c.name, text)
		}
	}
}

func TestAlertmanagerRefusesWrongSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ env, says string }{
		{"PAGERDUTY_ROUTING_KEY=a'b", "PAGERDUTY_ROUTING_KEY has a character"},
		{"DISCORD_WEBHOOK_URL_FILE=/nowhere", "DISCORD_WEBHOOK_URL_FILE: cannot read /nowhere"},
		{"DISCORD_WEBHOOK_URL_FILE=../alertmanager/start", "are both set"},
	} {
		env := []string{c.env}
		if strings.Contains(c.says, "both") {
			env = append(env, "DISCORD_WEBHOOK_URL=https://x")
		}
		_, said, err := render(t, env...)
		if err == nil || !strings.Contains(said, c.says) || strings.Contains(said, "a'b") {
			t.Errorf("%s: %v, says %q, want %q", c.env, err, said, c.says)
		}
	}
}
