//go:build integration

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/prefect/prefecttest"
)

var panelTables = flag.String("panels", "", "folder for what the panels of each dashboard show, as text")

// panelPatience bounds how long the platform may be used until each panel shows something.
const panelPatience = 150 * time.Second

// mayBeEmpty are the panels that show something only where there is a cause, by what that would be.
var mayBeEmpty = map[string]string{
	"Drift/Where it tends to/Steps to the limit": "a trend towards a limit, which steady use does not have",
}

// TestIntegrationPanels uses the platform as people do, and asks a real Prometheus that scrapes it all that the
// dashboards ask: each query has an answer, with a legend, and with numbers that its unit allows.
func TestIntegrationPanels(t *testing.T) {
	if *serversScript == "" || *serversFolder == "" || *panelTables == "" {
		t.Skip("needs a real Prometheus: make monitoring starts it")
	}
	use := newUse(t)
	instance := strings.TrimPrefix(use.platform.url, "http://")
	p := startPrometheus(t, instance)
	boards := readBoards(t)
	from := time.Now()
	pending := func() (out []string) {
		for _, b := range boards {
			for _, q := range b.queries {
				if _, allowed := mayBeEmpty[q.name()]; q.answer == nil && !allowed {
					out = append(out, q.name()+": "+q.expr)
				}
			}
		}
		return out
	}
	deadline := time.Now().Add(panelPatience)
	for len(pending()) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("after %s of use no answer to\n%s", panelPatience, strings.Join(pending(), "\n"))
		}
		use.round(t)
		for _, b := range boards {
			b.ask(t, p, instance, from)
		}
	}
	// Once more, so that each table is of one time.
	for _, b := range boards {
		b.ask(t, p, instance, from)
		b.check(t)
		file := filepath.Join(*panelTables, b.slug+".txt")
		if err := os.WriteFile(file, []byte(b.table()), 0o600); err != nil {
			t.Error(err)
		}
	}
	checkVariables(t, p, boards)
	t.Logf("figure: %d queries of %d dashboards answered after %s and %d rounds", countQueries(boards), len(boards), time.Since(from).Round(time.Second), use.rounds)
}

func countQueries(boards []*shownBoard) (n int) {
	for _, b := range boards {
		n += len(b.queries)
	}
	return n
}

// use is the platform with somebody who uses all of it.
type use struct {
	platform    *platform
	admin, user *api.Client
	prefect     *prefecttest.Server
	rounds      int
}

func newUse(t *testing.T) *use {
	t.Helper()
	u := &use{prefect: prefecttest.New()}
	prefect := httptest.NewServer(u.prefect)
	t.Cleanup(prefect.Close)
	u.platform = startUp(t, newFolder(t), "MLFLOW_TRACKING_URI="+newTrackingServer(t).url, "PREFECT_API_URL="+prefect.URL+"/api",
		"DISCORD_WEBHOOK_URL="+discordtest.NewServer(t, discordtest.Options{}).WebhookURL, "NOTIFY_COOLDOWN=1s",
		"MONITORING_INTERVAL=2s", "RETRAIN_COOLDOWN=14s", "KEEP_VERSIONS=2", "KEEP_DATASETS=2")
	ready(t, u.platform.url)
	u.admin, u.user = login(t, u.platform.url, "admin", "admin123"), login(t, u.platform.url, "testuser", "test123")
	sample, err := os.Open("../../deploy/sample/breast_cancer.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer sample.Close()
	if _, err := u.admin.Import(t.Context(), sample, api.Upload{Target: "diagnosis"}); err != nil {
		t.Fatal(err)
	}
	return u
}

// round predicts on inputs that move a little further from those of the training each time, asks for something wrong,
// makes data, retrains, and has Prefect ask for a check.
func (u *use) round(t *testing.T) {
	t.Helper()
	u.rounds++
	shift := float64(u.rounds%10) / 5
	random := rand.New(rand.NewPCG(uint64(u.rounds), 0))
	row := func() []float64 { return []float64{shift + random.NormFloat64(), random.NormFloat64()} }
	rows := make([][]float64, 300)
	for i := range rows {
		rows[i] = row()
	}
	if _, err := u.user.PredictBatch(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := u.user.Predict(t.Context(), row()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := u.user.Predict(t.Context(), []float64{1}); err == nil {
		t.Fatal("one feature of two was taken")
	}
	if _, err := u.admin.Generate(t.Context(), api.GenerateRequest{Samples: 500}); err != nil {
		t.Fatal(err)
	}
	u.checkByPrefect(t)
	// Once: scores and their trends are of the time since the activation, and a check waits for its cooldown.
	if u.rounds == 3 {
		if _, err := u.admin.Retrain(t.Context(), api.RetrainRequest{Seed: uint64(u.rounds)}, true); err != nil {
			t.Fatal(err)
		}
	}
}

func (u *use) checkByPrefect(t *testing.T) {
	t.Helper()
	now := time.Now()
	id := u.prefect.Add(prefecttest.Run{
		Name: fmt.Sprintf("round-%d", u.rounds), Expected: now, Next: now, AutoScheduled: true,
		State: prefecttest.State{Type: "SCHEDULED", Name: "Scheduled"},
	})
	eventually(t, "the check has ended", func() bool {
		state := u.prefect.Run(id).State.Type
		return state == "COMPLETED" || state == "FAILED" || state == "CANCELLED"
	})
}

// startPrometheus starts one that scrapes target each second, with an alert that fires, and returns where it is.
func startPrometheus(t *testing.T, target string) (url string) {
	t.Helper()
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yml")
	config := filepath.Join(dir, "prometheus.yml")
	for file, text := range map[string]string{
		rules: "groups: [{name: shown, rules: [{alert: AlwaysFires, expr: vector(1), labels: {severity: info}}]}]\n",
		config: "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [" + rules + "]\n" +
			"scrape_configs: [{job_name: app, static_configs: [{targets: ['" + target + "']}]}]\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	url, port := freePort(t)
	server := func(command string) {
		cmd := exec.Command(*serversScript, command, *serversFolder, "prometheus")
		cmd.Env = append(cmd.Environ(), "PROMETHEUS_CONFIG="+config, "PROMETHEUS_PORT="+port)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("servers %s prometheus: %v\n%s", command, err, out)
		}
	}
	server("wipe")
	server("start")
	t.Cleanup(func() { server("stop") })
	return url
}
