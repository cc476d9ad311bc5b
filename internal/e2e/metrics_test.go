package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"iacontinu/docs"
)

// TestMetricsKeepTheirNames holds the names that dashboards of the earlier system use, and every process
// to the page that lists what it tells.
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
	listed := map[string]string{}
	for _, m := range docs.Metrics() {
		listed[m.Name] = m.Type
	}
	var types map[string]string
	eventually(t, "every documented metric is there", func() bool {
		types, _ = scrape(t, p.url)
		return !slices.ContainsFunc(documented, func(name string) bool { return types[name] == "" })
	})
	for name, kind := range types {
		if listed[name] != kind {
			t.Errorf("%s is a %s, docs/metrics.md says %q", name, kind, listed[name])
		}
	}
}

// scrape reads the types and the values of what a process tells. Labels are sorted.
func scrape(t *testing.T, url string) (types map[string]string, values map[string]float64) {
	t.Helper()
	status, _, text := ask(t, http.MethodGet, url+"/metrics", "", "", nil)
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	types, values = map[string]string{}, map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if declared, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(declared, " ")
			types[name] = kind
		}
		if end := strings.LastIndexByte(line, ' '); end > 0 && line[0] != '#' {
			value, err := strconv.ParseFloat(line[end+1:], 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			values[line[:end]] = value
		}
	}
	return types, values
}

// TestMetricsTellTheTruth uses the platform and holds what its metrics say to what happened.
func TestMetricsTellTheTruth(t *testing.T) {
	t.Parallel()
	begin := float64(time.Now().Unix())
	p := startUp(t, newFolder(t, "MONITORING_INTERVAL=1", "DRIFT_DETECTOR=random"))
	ready(t, p.url)
	client := login(t, p.url, "testuser", "test123")
	ones := 0
	rows := make([][]float64, 300)
	for i := range rows {
		rows[i] = []float64{float64(i%7) - 3, float64(i%5) - 2}
	}
	// Drift scores need 200 predictions of the version that serves, and it changes all the time: so there are
	// some after each check.
	var m map[string]float64
	total := 0
	eventually(t, "drift was found, a better version came of it, and the scores are told", func() bool {
		answer, err := client.PredictBatch(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answer.Predictions {
			ones += a.Prediction
		}
		total += len(rows)
		_, m = scrape(t, p.url)
		_, known := m["iacontinu_business_drift_to_better_model_seconds"]
		_, scored := m[`iacontinu_drift_verdict{feature="feature2"}`]
		return known && scored && m["iacontinu_queue_running_jobs"] == 0
	})
	eventually(t, "the figures of the day are read", func() bool {
		_, m = scrape(t, p.url)
		return m["iacontinu_business_predictions_day"] == float64(total)
	})
	now := float64(time.Now().Unix() + 1)
	for _, want := range []struct {
		series    string
		low, high float64
	}{
		{"iacontinu_model_loaded", 1, 1},
		{"iacontinu_model_created_timestamp_seconds", begin, now},
		{"iacontinu_model_training_rows", 100, 1e5},
		{`iacontinu_model_accuracy_interval{bound="low"}`, 0.8, 0.999},
		{`iacontinu_model_accuracy_interval{bound="high"}`, 0.9, 1},
		{`iacontinu_predictions_by_class_total{class="0"}`, float64(total - ones), float64(total - ones)},
		{`iacontinu_predictions_by_class_total{class="1"}`, float64(ones), float64(ones)},
		{"iacontinu_prediction_confidence_count", float64(total), float64(total)},
		{`api_request_duration_seconds_bucket{endpoint="/predict/batch",method="POST",le="5e-05"}`, 0, 0},
		{"iacontinu_business_active_users_day", 1, 1},
		{"iacontinu_business_drift_to_better_model_seconds", 0, 60},
		{`iacontinu_business_retrains_day{verdict="activated"}`, 1, 1000},
		{`iacontinu_business_retrains_day{verdict="failed"}`, 0, 0},
		{`iacontinu_business_users{role="admin"}`, 1, 1},
		{`iacontinu_business_users{role="user"}`, 1, 1},
		{"iacontinu_business_refreshed_timestamp_seconds", begin, now},
		{`iacontinu_dataset_rows{source="generated"}`, 1000, 1000},
		{`iacontinu_dataset_class_rows{class="1",source="generated"}`, 200, 800},
		{`iacontinu_datasets{source="generated"}`, 1, 100},
		{`iacontinu_datasets{source="imported"}`, 0, 0},
		{`iacontinu_drift_threshold{statistic="ks"}`, 0.1, 0.1},
		{"iacontinu_check_last_timestamp_seconds", begin, now},
		{"iacontinu_check_interval_seconds", 1, 1},
		{`iacontinu_check_detector{detector="random"}`, 1, 1},
		{`iacontinu_retrain_duration_seconds_count{verdict="activated"}`, 1, 1000},
		{`iacontinu_retrain_last_timestamp_seconds{verdict="activated"}`, begin, now},
		{"iacontinu_retrain_rejected_in_a_row", 0, 1000},
		{`system_cpu_seconds_total{mode="busy"}`, 1, 1e12},
		{`system_cpu_seconds_total{mode="idle"}`, 1, 1e12},
		{"system_cpu_usage_percent", 0, 100},
	} {
		if got, ok := m[want.series]; !ok || got < want.low || got > want.high {
			t.Errorf("%s is %v (there: %v), want %v to %v", want.series, got, ok, want.low, want.high)
		}
	}
	p.stop(t)
}

// TestStrangersMakeNoSeries: whoever reaches the port may send what they like; none of it becomes a label.
func TestStrangersMakeNoSeries(t *testing.T) {
	t.Parallel()
	p := startUp(t, newFolder(t))
	ready(t, p.url)
	strange := func(round int) {
		for i := range 100 {
			mark := fmt.Sprintf("stranger%d-%d", round, i)
			for _, r := range [][2]string{
				{http.MethodGet, "/" + mark},
				{http.MethodGet, "/jobs/" + mark},
				{http.MethodPost, "/models/" + mark + "/activate"},
				{"PURGE" + strings.ToUpper(mark[:8]) + strconv.Itoa(i), "/predict"},
				{http.MethodPost, "/predict?v=" + mark},
				{http.MethodDelete, "/datasets/%22%7D%0A" + mark},
				{"M" + strconv.Itoa(i), "/%ff%00/" + mark},
			} {
				req, err := http.NewRequestWithContext(t.Context(), r[0], p.url+r[1], strings.NewReader(`{"features":[1,2],"model_version":"`+mark+`"}`))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("User-Agent", mark)
				req.Header.Set("X-Request-Id", mark)
				req.Header.Set("Authorization", "Bearer "+mark)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				if err := res.Body.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	count := func() int {
		_, values := scrape(t, p.url)
		n := 0
		for series := range values {
			if strings.HasPrefix(series, "api_") {
				n++
			}
			if strings.Contains(strings.ToLower(series), "stranger") || strings.Contains(series, "PURGE") {
				t.Errorf("a stranger's words: %s", series)
			}
		}
		return n
	}
	count() // the scrape itself has series too
	strange(1)
	first := count()
	strange(2)
	if second := count(); second != first {
		t.Errorf("%d series after 700 strange requests, %d after as many others", first, second)
	}
}

// TestProfilesOnTheAdminPort: `up` has profiles on a port of their own if one is set, for this machine and
// for administrators, and never on the API's.
func TestProfilesOnTheAdminPort(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"iacontinu", "up"}, {"api"}} {
		p := newFolder(t).start(t, []string{"ADMIN_PORT=0"}, command[0], command[1:]...)
		admin, _ := p.logged(t, "admin listener", nil)["admin"].(string)
		url := p.url(t)
		status, _, text := ask(t, http.MethodGet, admin+"/debug/pprof/goroutine?debug=1", "", "", nil)
		if status != http.StatusOK || !strings.HasPrefix(text, "goroutine profile:") {
			t.Errorf("%v: %s answers %d %.100s", command, admin, status, text)
		}
		if status, _, _ := ask(t, http.MethodGet, admin+"/healthz", "", "", nil); status != http.StatusOK {
			t.Errorf("%v: /healthz answers %d", command, status)
		}
		if types, _ := scrape(t, admin); types["api_requests_total"] == "" {
			t.Errorf("%v: the admin listener tells other metrics than the API", command)
		}
		if status, _, _ := ask(t, http.MethodGet, url+"/debug/pprof/", "", "", nil); status != http.StatusNotFound {
			t.Errorf("%v: the API's own port answers /debug/pprof/ with %d", command, status)
		}
		for user, want := range map[string]int{"admin": http.StatusOK, "testuser": http.StatusForbidden, "": http.StatusUnauthorized} {
			token := ""
			if user != "" {
				token = tokenOf(t, url, user, map[string]string{"admin": "admin123", "testuser": "test123"}[user])
			}
			if got := fromElsewhere(t, admin+"/debug/pprof/heap", token); got != want {
				t.Errorf("%v: %q from elsewhere gets %d, want %d", command, user, got, want)
			}
		}
		p.stop(t)
	}
}

// fromElsewhere asks as a proxy on this machine does for somebody on another.
func fromElsewhere(t *testing.T, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "192.0.2.7")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
