//go:build integration

package e2e

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/pagerduty/pagerdutytest"
)

// watchers are a real Prometheus and a real Alertmanager, with the project's rules and routes, whose waits are a
// thirtieth of what they are.
type watchers struct {
	prometheus, alertmanager string // URLs
}

func startWatchers(t *testing.T, target string, env ...string) *watchers {
	t.Helper()
	if *serversScript == "" || *serversFolder == "" {
		t.Skip("needs real servers: make monitoring starts them")
	}
	w := &watchers{}
	var prometheusPort, alertmanagerPort string
	w.prometheus, prometheusPort = freePort(t)
	w.alertmanager, alertmanagerPort = freePort(t)
	config := t.TempDir()
	run := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Env = append(cmd.Environ(), append(env, "PROMETHEUS_PORT="+prometheusPort, "ALERTMANAGER_PORT="+alertmanagerPort,
			"PROMETHEUS_CONFIG="+filepath.Join(config, "prometheus.yml"), "ALERTMANAGER_START="+filepath.Join(config, "alertmanager", "start"))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	run("go", "run", "../../prometheus/generate", "-from", "../..", "-o", config, "-only", "-interval", "1s", "-hasten", "30",
		"-target", "app="+target, "-target", "alertmanager=127.0.0.1:"+alertmanagerPort)
	t.Cleanup(func() { run(*serversScript, "stop", *serversFolder, "prometheus", "alertmanager") })
	run(*serversScript, "start", *serversFolder, "prometheus", "alertmanager")
	if t.Failed() {
		t.FailNow()
	}
	return w
}

// firing are the alerts that Prometheus says fire, sorted, without those of the machine, which may be busy.
func (w *watchers) firing(t *testing.T) []string {
	t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	call(t, "GET", w.prometheus+"/api/v1/alerts", nil, &answer)
	names := []string{}
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" && a.Labels["area"] != "host" {
			names = append(names, a.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return names
}

// suppressed are the alerts that Alertmanager holds back, sorted.
func (w *watchers) suppressed(t *testing.T) []string {
	t.Helper()
	var alerts []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	call(t, "GET", w.alertmanager+"/api/v2/alerts", nil, &alerts)
	names := []string{}
	for _, a := range alerts {
		if a.Status.State == "suppressed" {
			names = append(names, a.Labels["alertname"])
		}
	}
	slices.Sort(names)
	return names
}

// up reports whether the last scrape of the API went well.
func (w *watchers) up(t *testing.T) bool {
	t.Helper()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	call(t, "GET", w.prometheus+"/api/v1/query?query="+url.QueryEscape(`up{job="app"}`), nil, &answer)
	return len(answer.Data.Result) == 1 && answer.Data.Result[0].Value[1] == "1"
}

// goesOn waits until the rules have been evaluated for so long from now on.
func (w *watchers) goesOn(t *testing.T, d time.Duration) {
	t.Helper()
	evaluated := func() time.Time {
		var answer struct {
			Data struct {
				Groups []struct{ LastEvaluation time.Time }
			}
		}
		call(t, "GET", w.prometheus+"/api/v1/rules", nil, &answer)
		oldest := time.Now()
		for _, g := range answer.Data.Groups {
			if g.LastEvaluation.Before(oldest) {
				oldest = g.LastEvaluation
			}
		}
		return oldest
	}
	until := time.Now().Add(d)
	eventually(t, "rules are evaluated", func() bool { return evaluated().After(until) })
}

// sent are the titles and texts that Discord was sent, oldest first, without those of the machine.
func sent(t *testing.T, discord *discordtest.Server) (titles, texts []string) {
	t.Helper()
	for _, p := range discord.Payloads() {
		var message struct {
			Embeds []struct{ Title, Description string }
		}
		if err := json.Unmarshal(p.Body, &message); err != nil || len(message.Embeds) != 1 {
			t.Fatalf("%s: %v", p.Body, err)
		}
		e := message.Embeds[0]
		if !strings.Contains(e.Title, "CPUHigh") && !strings.Contains(e.Title, "MemoryHigh") {
			titles, texts = append(titles, e.Title), append(texts, e.Description)
		}
	}
	return titles, texts
}

// TestIntegrationAlertsTellOfADeathOnceAndOfTheReturnOnce kills the platform and starts it again.
func TestIntegrationAlertsTellOfADeathOnceAndOfTheReturnOnce(t *testing.T) {
	t.Parallel()
	discord := discordtest.NewServer(t, discordtest.Options{Burst: 5, Window: 2 * time.Second})
	pagerduty := pagerdutytest.NewServer(t)
	webhook := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(webhook, []byte(discord.WebhookURL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, port := freePort(t)
	f := newFolder(t, "API_PORT="+port, "API_URL="+url)
	w := startWatchers(t, "127.0.0.1:"+port, "DISCORD_WEBHOOK_URL_FILE="+webhook, "GRAFANA_URL=http://grafana.example",
		"PAGERDUTY_ROUTING_KEY="+pagerdutytest.RoutingKey, "PAGERDUTY_URL="+pagerduty.URL, "RUNBOOKS_URL=http://docs.example/")
	before := startUp(t, f)
	ready(t, before.url)
	eventually(t, "Prometheus scrapes the API, and nothing fires", func() bool { return w.up(t) && len(w.firing(t)) == 0 })
	w.goesOn(t, 2*time.Second) // an interval of the group
	var first []string
	eventually(t, "what was told while the platform was not there yet is over", func() bool {
		first, _ = sent(t, discord)
		over := slices.DeleteFunc(slices.Clone(first), func(title string) bool { return !strings.HasPrefix(title, "RESOLVED") })
		return 2*len(over) == len(first)
	})
	events := len(pagerduty.Events())

	killed := time.Now()
	before.worker.kill()
	eventually(t, "the death is told of", func() bool {
		titles, _ := sent(t, discord)
		return len(titles) > len(first) && len(pagerduty.Events()) > events
	})
	t.Logf("figure: told of after %s, with waits of a thirtieth", time.Since(killed).Round(100*time.Millisecond))
	follow := []string{"FlowDown", "WorkerDown"}
	eventually(t, "what follows from the death fires and is held back", func() bool {
		return slices.Equal(w.firing(t), append([]string{"APIDown"}, follow...)) && slices.Equal(w.suppressed(t), follow)
	})
	w.goesOn(t, 6*time.Second) // three intervals of the group

	after := startUp(t, f)
	eventually(t, "the return is told of", func() bool {
		titles, _ := sent(t, discord)
		return len(titles) > len(first)+1 && len(pagerduty.Events()) > events+1
	})
	w.goesOn(t, 6*time.Second)
	if names := w.firing(t); len(names) > 0 {
		t.Errorf("%v fire after the return", names)
	}
	titles, texts := sent(t, discord)
	if got, want := titles[len(first):], []string{"CRITICAL: APIDown", "RESOLVED: APIDown"}; !slices.Equal(got, want) {
		t.Fatalf("Discord was told %q, want %q", got, want)
	}
	texts = texts[len(first):]
	for _, want := range []string{
		"The API does not answer.", "Since " + killed.UTC().Format("2006-01-02 15:"), "severity critical",
		"http://grafana.example/d/ia-continu-api-performance", "http://docs.example/docs/runbooks.md#apidown",
	} {
		if !strings.Contains(texts[0], want) {
			t.Errorf("Discord was not told %q in\n%s", want, texts[0])
		}
	}
	if !strings.Contains(texts[1], "Over since ") {
		t.Errorf("the end says\n%s", texts[1])
	}
	if n := len(discord.Payloads()); discord.Calls() != n {
		t.Errorf("Discord refused %d messages", discord.Calls()-n)
	}
	paged(t, pagerduty, events)
	after.stop(t)
}

// paged checks that after so many events PagerDuty was sent one incident that began and ended.
func paged(t *testing.T, pagerduty *pagerdutytest.Server, after int) {
	t.Helper()
	if problems := pagerduty.Refused(); len(problems) > 0 {
		t.Errorf("PagerDuty refused: %q", problems)
	}
	events := pagerduty.Events()[after:]
	if len(events) != 2 || events[0].Action != "trigger" || events[1].Action != "resolve" || events[0].DedupKey != events[1].DedupKey {
		t.Fatalf("PagerDuty was sent %+v, want one incident, triggered and resolved", events)
	}
	p := events[0].Payload
	if p.Summary != "CRITICAL: APIDown" || p.Severity != "critical" || p.Class != "APIDown" || p.Component != "api" ||
		!strings.Contains(p.Custom["what"], "The API does not answer.") || !strings.Contains(p.Custom["since"], "UTC") ||
		p.Custom["dashboard"] != "http://grafana.example/d/ia-continu-api-performance" {
		t.Errorf("PagerDuty was sent %+v", p)
	}
}
