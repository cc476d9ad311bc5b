package webui

import (
	"net/http"
	"testing"

	"iacontinu/internal/api"
)

func TestMonitoring(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	latency, slow, few, met, missed := 1.25, 150.0, 99.95, true, false
	f.services = api.ServiceList{Services: []api.Service{
		{Name: "api", Status: "ok", LatencyMS: &latency, At: &now}, {Name: "grafana", Status: "down", Detail: "refused <b>", Link: "http://grafana:3000"}, {Name: "mlflow", Status: "off"},
	}}
	f.kpis = api.KPIs{WindowSeconds: 300, KPIs: []api.KPI{
		{ID: "latency", Value: &slow, Target: 100, Unit: "ms", Most: true, Met: &missed},
		{ID: "availability", Value: &few, Target: 99.9, Unit: "%", Met: &met},
		{ID: "throughput", Target: 1000, Unit: "requests/min"},
	}}
	v := setup(t, f, "ann")
	v.get("/monitoring").wants(t, http.StatusOK, "1.25 ms", `<a href="http://grafana:3000"`, "refused &lt;b&gt;", "1 service is down", "not set up",
		"150\u00a0ms", "at most 100\u00a0ms", "99.95%", "at least 99.9%", "at least 1,000\u00a0requests/min", "1 target is missed", "the last 5 minutes")
	f.set(func() { f.services.Services, f.kpis.KPIs = f.services.Services[:1], f.kpis.KPIs[1:] })
	v.get("/monitoring").wants(t, http.StatusOK, "None is down", "No target is missed")
}
