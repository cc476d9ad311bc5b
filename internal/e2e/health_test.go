package e2e

import (
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
	flow.kill()
	worker.kill()
	eventually(t, "both are missed after kill -9", func() bool {
		got := health()
		return got["model"] == "ok" && got["worker"] == "warning" && got["flow"] == "warning"
	})
}
