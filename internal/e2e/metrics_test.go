package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMetricsKeepTheirNames holds the names that dashboards of the earlier system use, and the one
// prefix of all others.
func TestMetricsKeepTheirNames(t *testing.T) {
	t.Parallel()
	p := startUp(t, newFolder(t))
	ready(t, p.url)
	client := login(t, p.url, "testuser", "test123")
	if _, err := client.Predict(t.Context(), []float64{1, 1}); err != nil {
		t.Fatal(err)
	}
	documented := []string{
		"api_requests_total", "api_request_duration_seconds", "api_active_requests", "ml_predictions_total", "ml_model_accuracy",
		"ml_training_duration_seconds", "ml_retrains_total", "model_drift_detected_total", "dataset_samples_generated_total",
		"system_cpu_usage_percent", "system_memory_usage_bytes", "system_disk_usage_bytes", "app_info",
	}
	var names []string
	eventually(t, "every documented metric is there", func() bool {
		names = metricNames(t, p.url)
		return !slices.ContainsFunc(documented, func(name string) bool { return !slices.Contains(names, name) })
	})
	ours := regexp.MustCompile(`^(iacontinu|go|process|promhttp)_`)
	for _, name := range names {
		if !slices.Contains(documented, name) && !ours.MatchString(name) {
			t.Errorf("metric %s is neither documented nor of the prefix iacontinu_", name)
		}
	}
}

func metricNames(t *testing.T, url string) (names []string) {
	t.Helper()
	status, _, text := ask(t, http.MethodGet, url+"/metrics", "", "", nil)
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	for line := range strings.Lines(text) {
		if declared, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ := strings.Cut(declared, " ")
			names = append(names, name)
		}
	}
	return names
}
