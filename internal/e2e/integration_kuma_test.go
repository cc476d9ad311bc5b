//go:build integration

package e2e

import (
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"iacontinu/internal/discord/discordtest"
)

// TestIntegrationKuma has a real Uptime Kuma watch the running platform: it is set up twice, loses an alert
// to a 429, tells of an API that is killed and started again, is fed by the checks, and shows all of it.
func TestIntegrationKuma(t *testing.T) { //nolint:paralleltest // it sets the environment of the servers
	if *serversScript == "" || *serversFolder == "" || *screenshots == "" {
		t.Skip("needs a real server: make monitoring starts it")
	}
	k := &kumaBundle{t: t, discord: discordtest.NewServer(t, discordtest.Options{})}
	k.start()
	k.provisionTwice()
	k.isFed()
	k.loseAndTell()
	k.isScraped()
	k.looksRight()
}

// kumaBundle is a platform and the Uptime Kuma that watches it.
type kumaBundle struct {
	t        *testing.T
	f        *folder
	platform *platform
	env      []string // of the platform's processes
	settings []string // of kuma provision
	url      string
	keyFile  string
	discord  *discordtest.Server
}

const kumaToken = "a-token-of-the-test"

func (k *kumaBundle) start() {
	var port string
	k.url, port = freePort(k.t)
	k.t.Setenv("KUMA_PORT", port)
	servers(k.t, "start", "kuma")
	worker, workerPort := freePort(k.t)
	flow, flowPort := freePort(k.t)
	k.f = newFolder(k.t)
	k.env = []string{
		"WORKER_PORT=" + workerPort, "FLOW_PORT=" + flowPort, "MONITORING_INTERVAL=2",
		"KUMA_PUSH_URL=" + k.url + "/api/push/" + kumaToken,
	}
	k.platform = startApart(k.t, k.f, k.env...)
	ready(k.t, k.platform.url)
	k.env = append(k.env, "API_URL="+k.platform.url, "API_PORT="+k.platform.url[strings.LastIndex(k.platform.url, ":")+1:])
	k.keyFile = filepath.Join(k.f.dir, "kuma-key")
	k.settings = append(slices.Clone(k.env), // the platform itself has no webhook: Discord hears Uptime Kuma alone
		"KUMA_URL="+k.url, "KUMA_PASSWORD=a-test-password-1", "KUMA_PUSH_TOKEN="+kumaToken, "KUMA_API_KEY_PATH="+k.keyFile,
		"KUMA_WATCH=Platform/Worker="+worker+"/healthz, Platform/Flow="+flow+"/healthz, Services/Uptime Kuma=tcp://127.0.0.1:"+port,
		"KUMA_INTERVAL=20", "KUMA_RETRIES=0", "DISCORD_WEBHOOK_URL="+k.discord.WebhookURL)
}

func (k *kumaBundle) provisionTwice() {
	k.t.Helper()
	first := k.f.must(k.t, k.settings, "kuma", "provision")
	for _, made := range []string{
		"the account admin", "the notification IA Continu", "the monitor API", "the monitor Worker", "the monitor Flow",
		"the monitor periodic_check", "the status page ia-continu", "the API key prometheus",
	} {
		if !strings.Contains(first, "made "+made) {
			k.t.Errorf("the first run did not make %s:\n%s", made, first)
		}
	}
	if again := k.f.must(k.t, k.settings, "kuma", "provision"); !strings.HasPrefix(again, "nothing to change\n") {
		k.t.Errorf("the second run says\n%s", again)
	}
	_, errs, code := k.f.run(k.t, append(k.settings, "KUMA_PASSWORD=another-password-1"), "", "iacontinu", "kuma", "provision")
	if code != 1 || !strings.Contains(errs, "KUMA_PASSWORD: ") || strings.Contains(errs, "another-password-1") {
		k.t.Errorf("with a wrong password: exit code %d, %s", code, errs)
	}
}

// isFed waits until the database of Uptime Kuma has the outcome of a check of ours.
func (k *kumaBundle) isFed() {
	k.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(*serversFolder, "kuma", "kuma.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		k.t.Fatal(err)
	}
	defer db.Close()
	eventually(k.t, "Uptime Kuma has a heartbeat of a check", func() bool {
		var beats int
		err := db.QueryRow(`SELECT COUNT(*) FROM heartbeat h JOIN monitor m ON m.id = h.monitor_id
			WHERE m.name = 'periodic_check' AND h.status = 1 AND h.ping > 0 AND h.msg LIKE 'no drift, model v%'`).Scan(&beats)
		return err == nil && beats > 0
	})
}

// loseAndTell stops processes and starts them again. Discord asks to wait at the first alert, and Uptime
// Kuma does not: that alert is lost. The others arrive, each once.
func (k *kumaBundle) loseAndTell() {
	k.t.Helper()
	k.discord.Fail(1, http.StatusTooManyRequests)
	k.platform.worker.kill()
	eventually(k.t, "an alert was refused", func() bool { return k.discord.Calls() == 1 })
	if n := len(k.discord.Payloads()); n != 0 {
		k.t.Fatalf("%d alerts although the first was refused", n)
	}
	k.platform.processes[0].kill()
	worker := k.f.start(k.t, k.env, "worker")
	k.told(2)
	api := k.f.start(k.t, k.env, "api")
	k.told(3)
	k.platform.processes[0], k.platform.processes[1], k.platform.worker = api, worker, worker

	var titles []string
	for _, p := range k.discord.Payloads() {
		var message struct {
			Embeds []struct{ Title string }
		}
		if err := json.Unmarshal(p.Body, &message); err != nil || len(message.Embeds) != 1 {
			k.t.Fatalf("Discord got %s", p.Body)
		}
		titles = append(titles, message.Embeds[0].Title)
	}
	all := strings.Join(titles, "\n")
	if len(titles) != 3 || !strings.Contains(all, "Worker is up") || !strings.Contains(all, "API went down") || !strings.Contains(titles[2], "API is up") {
		k.t.Errorf("Discord was told:\n%s\nwant Worker up, API down, API up; Worker down is the one that was lost", all)
	}
	k.t.Logf("Discord was told: %q", titles)
}

func (k *kumaBundle) told(n int) {
	k.t.Helper()
	eventually(k.t, "Discord is told", func() bool { return len(k.discord.Payloads()) >= n })
}

// isScraped asks for the metrics as Prometheus does.
func (k *kumaBundle) isScraped() {
	k.t.Helper()
	metrics := func(key string) (int, string) {
		req, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, k.url+"/metrics", nil)
		if err != nil {
			k.t.Fatal(err)
		}
		req.SetBasicAuth("", key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			k.t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			k.t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, _ := metrics("uk1_wrong"); status != http.StatusUnauthorized {
		k.t.Errorf("with a wrong key: status %d", status)
	}
	key, err := os.ReadFile(k.keyFile)
	if err != nil {
		k.t.Fatal(err)
	}
	status, body := metrics(string(key))
	if status != http.StatusOK {
		k.t.Fatalf("with the key: status %d", status)
	}
	for _, name := range []string{"API", "Worker", "Flow", "periodic_check", "Uptime Kuma"} {
		found := ""
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "monitor_status{") && strings.Contains(line, `monitor_name="`+name+`"`) {
				found = strings.TrimSpace(line)
			}
		}
		if !strings.HasSuffix(found, " 1") {
			k.t.Errorf("%s is not up: %q", name, found)
		}
	}
}

// looksRight opens the status page as people do, on a desk and on a phone.
func (k *kumaBundle) looksRight() {
	k.t.Helper()
	b := newBrowser(k.t)
	for name, width := range map[string]int64{"kuma-desk": 1280, "kuma-phone": 390} {
		if _, err := do(b, chromedp.EmulateViewport(width, 1000)); err != nil {
			k.t.Fatal(err)
		}
		b.open(k.url + "/status/ia-continu")
		for _, text := range []string{"^IA Continu$", "^Platform$", "^Services$", "^API$", "^Worker$", "^Flow$", "^periodic_check$", "All Systems Operational"} {
			b.see("*", text)
		}
		if wide := js[int64](b, "document.documentElement.scrollWidth"); wide > width {
			k.t.Errorf("the page is %d wide on a screen of %d", wide, width)
		}
		b.shot(name)
	}
}
