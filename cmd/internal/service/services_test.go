package service

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/api"
	"iacontinu/internal/kpi"
	"iacontinu/internal/ml"
)

type servesNothing struct{}

func (servesNothing) Current() (ml.Version, bool) { return ml.Version{}, false }

// Each server is really asked, at the address that it has for that, and people are led to theirs.
func TestServicesAreAsked(t *testing.T) {
	t.Parallel()
	p := wire(t, "api", prometheus.NewRegistry())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/health" && r.URL.Path != "/health" && r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(server.Close)
	around := Around{MLflow: "http://user:secret@" + server.Listener.Addr().String(), Prefect: server.URL + "/api"}
	around.GrafanaURL, around.GrafanaPublic, around.KumaURL = server.URL, "https://grafana.example/", server.URL
	around.WorkerURL, around.FlowURL = server.URL+"/", server.URL+"/elsewhere"
	got, err := p.services(servesNothing{}, around, func() string { return server.URL })(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, s := range got {
		states = append(states, s.Name+" "+s.Status)
		if asked := s.Name == "worker" || s.Name != "database" && s.Status == stateOK; asked != (s.LatencyMS != nil) {
			t.Errorf("%s: latency %v", s.Name, s.LatencyMS)
		}
	}
	want := []string{
		"api ok", "worker warning", "flow down", "database ok", "mlflow ok", "prefect ok", "prometheus off", "grafana ok", "alertmanager off", "uptime-kuma down",
	}
	if !slices.Equal(states, want) {
		t.Errorf("%v, want %v", states, want)
	}
	for i, link := range map[int]string{4: server.URL, 5: server.URL, 6: "", 7: "https://grafana.example", 9: server.URL} {
		if got[i].Link != link {
			t.Errorf("%s is found at %q, want %q", got[i].Name, got[i].Link, link)
		}
	}
}

// The settings and the pages show these addresses: a key in one is refused before it can be seen.
func TestAddressesOfServersHaveNoKeys(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"WORKER_URL", "FLOW_URL", "PROMETHEUS_URL", "GRAFANA_URL", "ALERTMANAGER_URL", "KUMA_URL", "MLFLOW_PUBLIC_URL", "PREFECT_PUBLIC_URL",
		"PROMETHEUS_PUBLIC_URL", "GRAFANA_PUBLIC_URL", "ALERTMANAGER_PUBLIC_URL", "KUMA_PUBLIC_URL",
	} {
		for _, end := range []string{"?token=hush", "/#hush"} {
			var c UpConfig
			err := boot.Load(&c, []string{name + "=http://server.example" + end})
			if err == nil || !strings.HasPrefix(err.Error(), name+": has a ? or #") || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s=...%s: %v", name, end, err)
			}
		}
		var c UpConfig
		if err := boot.Load(&c, []string{name + "=https://server.example/below/"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKPIs(t *testing.T) {
	t.Parallel()
	p := wire(t, "api", prometheus.NewRegistry())
	v := ml.Version{Name: "v1", Accuracy: 0.87}
	for _, action := range []ml.CheckAction{ml.ActionNone, ml.ActionHealthCheckFailed, ml.ActionNone, ml.ActionNone} {
		if _, err := p.Store.RecordCheck(t.Context(), ml.DriftReport{Action: action}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := p.kpis(servesVersion{v}, kpi.NewWindow(p.Registry, nil))(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]api.KPI{}
	for _, k := range got.KPIs {
		byID[k.ID] = k
	}
	if k := byID["accuracy"]; k.Value == nil || *k.Value != 87 || *k.Met {
		t.Errorf("accuracy %+v", k)
	}
	if k := byID["availability"]; k.Value == nil || *k.Value != 75 || *k.Met {
		t.Errorf("availability %+v", k)
	}
	for _, id := range []string{"latency", "training", "confidence"} { // nothing was asked or trained
		if k, ok := byID[id]; !ok || k.Value != nil || k.Met != nil {
			t.Errorf("%s %+v", id, k)
		}
	}
	if k := byID["throughput"]; k.Met != nil {
		t.Errorf("an idle platform is told to be slow: %+v", k)
	}
}

type servesVersion struct{ v ml.Version }

func (s servesVersion) Current() (ml.Version, bool) { return s.v, true }

// One that failed, or was slow, of a few is no trend; a handful is, however few were asked.
func TestAHandfulMissesATarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, id    string
		failed, bad int // answers that failed, and predictions that took a second
		told        bool
	}{
		{"a failure", "errors", 4, 0, false},
		{"all fail", "errors", 5, 0, true},
		{"a slow prediction", "latency", 0, 4, false},
		{"all slow", "latency", 0, 5, true},
	} {
		p := openPlatform(t, t.TempDir())
		reg := prometheus.NewRegistry()
		requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "api_requests_total"}, []string{"endpoint", "status_code"})
		latency := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "api_request_duration_seconds", Buckets: []float64{0.1, 2}}, []string{"endpoint"})
		reg.MustRegister(requests, latency)
		requests.WithLabelValues("/predict", "500").Add(1000) // of before
		for range 1000 {
			latency.WithLabelValues("/predict").Observe(1)
		}
		window := kpi.NewWindow(reg, nil)
		requests.WithLabelValues("/predict", "500").Add(float64(tt.failed))
		requests.WithLabelValues("/metrics", "500").Add(100) // scrapes are nobody's
		for range tt.bad {
			latency.WithLabelValues("/predict").Observe(1)
		}
		got, err := p.kpis(servesVersion{}, window)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(got.KPIs, func(k api.KPI) bool { return k.ID == tt.id })
		if k := got.KPIs[i]; k.Value == nil || (k.Met != nil) != tt.told || tt.told && *k.Met {
			t.Errorf("%s: %+v", tt.name, k)
		}
	}
}
