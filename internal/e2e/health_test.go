package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

// TestHealthTellsWhoIsMissing starts the API alone. It is well, and says who does not run.
func TestHealthTellsWhoIsMissing(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	url := f.start(t, nil, "api").url(t)
	client, err := api.New(url, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	health := func() map[string]string {
		t.Helper()
		got, err := client.Health(t.Context())
		if err != nil || got.Status != "ok" {
			t.Fatalf("health: %+v, %v; want ok, for the API itself is", got, err)
		}
		states := map[string]string{}
		for name, check := range got.Checks {
			states[name] = check.Status
		}
		return states
	}
	status := func(code int, says ...string) {
		t.Helper()
		page, errs, got := f.run(t, []string{"API_URL=" + url}, "", "iacontinu", "status")
		if got != code {
			t.Errorf("status: exit code %d, want %d; %q", got, code, errs)
		}
		for _, text := range says {
			if !strings.Contains(page, text) {
				t.Errorf("status does not say %q:\n%s", text, page)
			}
		}
	}
	status(1, "Needs a look", "! worker: no worker runs", "! flow: no flow runs", "! model: no version serves yet", "none yet")
	if got := health(); got["database"] != "ok" || got["model"] != "down" || got["worker"] != "warning" || got["flow"] != "warning" {
		t.Errorf("alone: %v", got)
	}
	worker := f.start(t, nil, "worker")
	eventually(t, "the worker is seen, and its model", func() bool {
		got := health()
		return got["worker"] == "ok" && got["model"] == "ok" && got["flow"] == "warning"
	})
	flow := f.start(t, []string{"API_URL=" + url}, "flow")
	eventually(t, "the flow runner is seen", func() bool { return health()["flow"] == "ok" })
	eventually(t, "there was a check", func() bool {
		page, _, code := f.run(t, []string{"API_URL=" + url}, "", "iacontinu", "status")
		return code == 0 && strings.HasPrefix(page, "All is well") && strings.Contains(page, " ago: ")
	})
	status(0, "activated", "bootstrap", "accuracy 0.", " 0.00 % failed here")
	flow.kill()
	worker.kill()
	eventually(t, "both are missed after kill -9", func() bool {
		got := health()
		return got["model"] == "ok" && got["worker"] == "warning" && got["flow"] == "warning"
	})
	status(1, "! worker: no worker runs", "! flow: no flow runs")
}

// TestStatusTellsOfWhatFailed: a retraining that failed for good and a server that is away are worth a look, though
// the platform serves.
func TestStatusTellsOfWhatFailed(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "PROMETHEUS_URL=http://127.0.0.1:1")
	p := f.start(t, nil, "iacontinu", "up")
	url := p.url(t)
	ready(t, url)
	page := func() (string, int) {
		out, _, code := f.run(t, []string{"API_URL=" + url}, "", "iacontinu", "status")
		return out, code
	}
	if out, code := page(); code != 1 || !strings.Contains(out, "! prometheus: it can't be reached") {
		t.Errorf("Prometheus is away: %d\n%s", code, out)
	}
	file := filepath.Join(t.TempDir(), "one.csv")
	if err := os.WriteFile(file, []byte("a,ill\n1,no\n2,yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.must(t, []string{"API_URL=" + url}, "import", file, "--target", "ill")
	if _, errs, code := f.run(t, []string{"API_URL=" + url}, "", "iacontinu", "retrain", "--dataset", "2"); code == 0 || !strings.Contains(errs, "failed") {
		t.Errorf("two rows were trained on: %d %s", code, errs)
	}
	eventually(t, "status tells of the retraining that failed", func() bool {
		out, code := page()
		return code == 1 && strings.Contains(out, "! the last retraining failed: iacontinu job ")
	})
}
