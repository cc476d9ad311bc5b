//go:build integration

package e2e

import (
	"net"
	"testing"
	"time"

	"iacontinu/internal/api"
)

// silent is an address that takes connections and never answers.
func silent(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// TestIntegrationWithoutServers starts the platform while neither MLflow nor Prefect answers: as if none
// were set, but for what waits.
func TestIntegrationWithoutServers(t *testing.T) {
	t.Parallel()
	refused, _ := freePort(t)
	for name, url := range map[string]string{"refused": refused, "silent": silent(t), "not set": ""} {
		t.Run(name, func(t *testing.T) {
			env := []string{"MONITORING_INTERVAL=3", "MLFLOW_TRACKING_URI=off"}
			if url != "" {
				env = []string{"MONITORING_INTERVAL=3", "MLFLOW_TRACKING_URI=" + url, "PREFECT_API_URL=" + url + "/api"}
			}
			p := startUp(t, newFolder(t, env...))
			ready(t, p.url)
			user := login(t, p.url, "testuser", "test123")
			begin := time.Now()
			const predictions = 200
			for range predictions {
				if _, err := user.Predict(t.Context(), []float64{1, 1}); err != nil {
					t.Fatal(err)
				}
			}
			predicted := time.Since(begin) / predictions
			begin = time.Now()
			reply, err := user.Retrain(t.Context(), api.RetrainRequest{Seed: 5}, true)
			if err != nil || reply.Done == nil {
				t.Fatalf("retrain: %+v, %v", reply, err)
			}
			t.Logf("figure: servers %s: /predict %s, /retrain %s", name, predicted.Round(time.Microsecond), time.Since(begin).Round(time.Millisecond))
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("/retrain took %s", took)
			}
			h, err := user.Health(t.Context())
			if err != nil || h.Status != "ok" {
				t.Errorf("health: %+v, %v", h, err)
			}
			for _, service := range []string{"mlflow", "prefect"} {
				if check, owed := h.Checks[service]; owed != (url != "") || owed && check.At == nil {
					t.Errorf("%s: %+v", service, check)
				}
			}
			eventually(t, "checks go on without Prefect", func() bool {
				checks, err := user.Drift(t.Context(), 10)
				return err == nil && len(checks.DriftDetections) >= 2
			})
			p.stop(t)
		})
	}
}
