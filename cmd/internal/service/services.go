package service

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/api"
	"iacontinu/internal/reach"
)

// WatchedSettings say where the servers around the platform are, for the page that shows how they are.
type WatchedSettings struct {
	WorkerURL       string `env:"WORKER_URL" help:"admin address of the worker, such as http://localhost:8003, for how fast it answers; empty: its sign of life in the data folder is read"`
	FlowURL         string `env:"FLOW_URL" help:"admin address of the flow runner, such as http://localhost:8002, likewise"`
	PrometheusURL   string `env:"PROMETHEUS_URL" help:"where Prometheus is asked how it is, such as http://localhost:9090; empty: it is not"`
	GrafanaURL      string `env:"GRAFANA_URL" help:"where Grafana is asked, such as http://localhost:3000"`
	AlertmanagerURL string `env:"ALERTMANAGER_URL" help:"where Alertmanager is asked, such as http://localhost:9093"`
	KumaURL         string `env:"KUMA_URL" help:"where Uptime Kuma is, such as http://localhost:3001; empty: it is not asked, and kuma provision takes that address"`

	MLflowPublic       string `env:"MLFLOW_PUBLIC_URL" help:"where people open MLflow; empty: MLFLOW_TRACKING_URI"`
	PrefectPublic      string `env:"PREFECT_PUBLIC_URL" help:"where people open Prefect; empty: PREFECT_API_URL without /api"`
	PrometheusPublic   string `env:"PROMETHEUS_PUBLIC_URL" help:"where people open Prometheus; empty: PROMETHEUS_URL"`
	GrafanaPublic      string `env:"GRAFANA_PUBLIC_URL" help:"where people open Grafana; empty: GRAFANA_URL"`
	AlertmanagerPublic string `env:"ALERTMANAGER_PUBLIC_URL" help:"where people open Alertmanager; empty: ALERTMANAGER_URL"`
	KumaPublic         string `env:"KUMA_PUBLIC_URL" help:"where people open Uptime Kuma; empty: KUMA_URL"`
}

// Validate implements the check of boot.Load.
func (w WatchedSettings) Validate() error {
	var errs []error
	for _, s := range []struct{ name, value string }{
		{"WORKER_URL", w.WorkerURL},
		{"FLOW_URL", w.FlowURL},
		{"PROMETHEUS_URL", w.PrometheusURL},
		{"GRAFANA_URL", w.GrafanaURL},
		{"ALERTMANAGER_URL", w.AlertmanagerURL},
		{"KUMA_URL", w.KumaURL},
		{"MLFLOW_PUBLIC_URL", w.MLflowPublic},
		{"PREFECT_PUBLIC_URL", w.PrefectPublic},
		{"PROMETHEUS_PUBLIC_URL", w.PrometheusPublic},
		{"GRAFANA_PUBLIC_URL", w.GrafanaPublic},
		{"ALERTMANAGER_PUBLIC_URL", w.AlertmanagerPublic},
		{"KUMA_PUBLIC_URL", w.KumaPublic},
	} {
		errs = append(errs, judgeLink(s.name, s.value))
	}
	return errors.Join(errs...)
}

// neighbour is a server that is asked how it is, and where people find it.
type neighbour struct{ name, url, health, link string }

// Around are the servers around an API.
type Around struct {
	WatchedSettings
	MLflow, Prefect string // as the worker and the flow runner have them
	// Settings are all that are in force.
	Settings []api.Setting
}

// servers are all servers around the platform, MLflow first; those without an address are off.
func (w Around) servers() []neighbour {
	mlflow, prefect := w.MLflow, w.Prefect
	if mlflow == trackingOff {
		mlflow = ""
	}
	return []neighbour{
		{"mlflow", mlflow, "/health", public(w.MLflowPublic, mlflow)},
		{"prefect", prefect, "/health", public(w.PrefectPublic, strings.TrimSuffix(strings.TrimSuffix(prefect, "/"), "/api"))},
		{"prometheus", w.PrometheusURL, "/-/healthy", public(w.PrometheusPublic, w.PrometheusURL)},
		{"grafana", w.GrafanaURL, "/api/health", public(w.GrafanaPublic, w.GrafanaURL)},
		{"alertmanager", w.AlertmanagerURL, "/-/healthy", public(w.AlertmanagerPublic, w.AlertmanagerURL)},
		{"uptime-kuma", w.KumaURL, "/api/entry-page", public(w.KumaPublic, w.KumaURL)},
	}
}

// own are the platform's other processes that have an address. Those of one process have none.
func (w WatchedSettings) own() (out []reach.Target) {
	for _, t := range []reach.Target{{Name: "worker", URL: w.WorkerURL}, {Name: "flow", URL: w.FlowURL}} {
		if t.URL != "" {
			t.URL = strings.TrimSuffix(t.URL, "/") + "/healthz"
			out = append(out, t)
		}
	}
	return out
}

// public is the address for people, without what only the platform may know.
func public(given, asked string) string {
	if given == "" {
		given = asked
	}
	u, err := url.Parse(given)
	if given == "" || err != nil {
		return ""
	}
	u.User = nil
	return strings.TrimSuffix(u.String(), "/")
}

// services asks the platform's own parts and the servers around it. self is the API's own address: asked
// over the network like the others, its latency is what a client sees.
func (p *Platform) services(model serving, around Around, self func() string) func(context.Context) ([]api.Service, error) {
	parts, servers := p.checks(model), around.servers()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context) ([]api.Service, error) {
		targets := append([]reach.Target{{Name: "api", URL: self() + api.PathHealth}}, around.own()...)
		for _, s := range servers {
			if s.url != "" {
				targets = append(targets, reach.Target{Name: s.name, URL: strings.TrimSuffix(s.url, "/") + s.health})
			}
		}
		states := map[string]api.Service{}
		for _, s := range reach.Ask(ctx, client, targets) {
			states[s.Name] = stateOf(s)
		}
		checks, now := parts(ctx), time.Now().UTC()
		out := []api.Service{states["api"]}
		for _, name := range []string{"worker", "flow", "database"} {
			own := api.Service{Name: name, Status: checks[name].Status, Detail: checks[name].Detail, Remarks: checks[name].Remarks, At: &now}
			state := states[name]
			if own.LatencyMS = state.LatencyMS; state.Status == stateDown {
				own.Status, own.Detail, own.Remarks = state.Status, state.Detail, state.Remarks
			}
			out = append(out, own)
		}
		for _, s := range servers {
			state, asked := states[s.name]
			if !asked {
				state = api.Service{Name: s.name, Status: stateOff}
			}
			state.Link = s.link
			out = append(out, state)
		}
		return out, nil
	}
}

func stateOf(s reach.State) api.Service {
	ms, at := float64(s.Latency)/float64(time.Millisecond), s.At.UTC()
	out := api.Service{Name: s.Name, Status: stateOK, LatencyMS: &ms, At: &at}
	if s.Problem != "" {
		problem := said(stateDown, api.Remark{Code: s.Problem, Values: map[string]any{"status": s.Answer, "patience": reach.Patience.Seconds()}})
		out.Status, out.Detail, out.Remarks, out.LatencyMS = problem.Status, problem.Detail, problem.Remarks, nil
	}
	return out
}

// settingsOf are the settings in force without their secrets.
func settingsOf(config any) []api.Setting {
	masked := boot.Masked(config)
	out := make([]api.Setting, len(masked))
	for i, text := range masked {
		name, value, _ := strings.Cut(text, "=")
		out[i] = api.Setting{Name: name, Value: value}
	}
	return out
}
