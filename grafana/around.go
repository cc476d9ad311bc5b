package grafana

import (
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// prometheusSource is the data source that is chosen by the variable.
func prometheusSource() *common.DataSourceRef {
	kind, uid := "prometheus", "${datasource}"
	return &common.DataSourceRef{Type: &kind, Uid: &uid}
}

func plain(s string) dashboard.StringOrMap { return dashboard.StringOrMap{String: &s} }

func option(text, value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Text:  dashboard.StringOrArrayOfString{String: &text},
		Value: dashboard.StringOrArrayOfString{String: &value},
	}
}

// variables are mostly the same on every dashboard, and are kept when one leads to another.
func (b board) variables() []cog.Builder[dashboard.VariableModel] {
	out := []cog.Builder[dashboard.VariableModel]{
		dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus").
			Current(option("Prometheus", "prometheus")),
		choice("instance", "Instance", `label_values(app_info, instance)`),
		// What a rate is taken over. The shortest is four scrapes, so that one that fails leaves no gap.
		dashboard.NewIntervalVariableBuilder("interval").Label("Interval").Values(plain("1m,5m,15m,1h,6h,1d")).
			Auto(true).MinInterval("1m").StepCount(60).Current(option("auto", "$__auto_interval_interval")),
		dashboard.NewTextBoxVariableBuilder("host").Label("Host of the links").DefaultValue(plain("localhost")).
			Current(option("localhost", "localhost")),
	}
	if b.versions {
		out = append(out, choice("model_version", "Model version", `label_values(ml_predictions_total, model_version)`))
	}
	if b.features {
		out = append(out, choice("feature", "Feature", `label_values(iacontinu_drift_score, feature)`))
	}
	return out
}

// choice offers the values of a label, and all of them at first.
func choice(name, label, query string) cog.Builder[dashboard.VariableModel] {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Query(plain(query)).Definition(query).
		Datasource(*prometheusSource()).Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).Multi(true).IncludeAll(true).AllValue(".*").
		Current(option("All", "$__all"))
}

// links lead to the other dashboards and to what else shows the platform. Ports are the documented ones.
func links() []cog.Builder[dashboard.DashboardLink] {
	out := []cog.Builder[dashboard.DashboardLink]{
		dashboard.NewDashboardLinkBuilder("Dashboards").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{tag}).IncludeVars(true).KeepTime(true),
	}
	for _, l := range []struct{ title, url, about string }{
		{"UI", "http://${host}:8501", "The platform's web pages"},
		{"MLflow", "http://${host}:5000", "Runs, versions and their artifacts"},
		{"Prefect", "http://${host}:4200", "Each check and each retraining, step by step"},
		{"Alerts", "http://${host}:9093", "What fires, and silences"},
		{"Traces", "http://${host}:16686", "Jaeger, if it runs"},
		{"Status", "http://${host}:3001/status/ia-continu", "Uptime Kuma's status page"},
		{"Runbooks", runbooks, "What to do about each alert"},
	} {
		out = append(out, dashboard.NewDashboardLinkBuilder(l.title).Type(dashboard.DashboardLinkTypeLink).
			Icon("external link").Url(l.url).Tooltip(l.about).TargetBlank(true))
	}
	return out
}

// runbooks lie in the folder docs, which Grafana gives out as it is.
const runbooks = "/public/docs/runbooks.md"

// event is what is marked on the time axis.
type event string

const (
	alerts   event = "Alerts"
	swaps    event = "Swaps"
	retrains event = "Retrainings"
	drifts   event = "Drift"
)

type annotations struct {
	List []annotation `json:"list"`
}

// annotation has what the SDK's type lacks: how an event is called.
type annotation struct {
	dashboard.AnnotationQuery
	TitleFormat string `json:"titleFormat"`
	Step        string `json:"step"`
}

// annotations offers all events; those of b.shows are on at first. Counters of the events are looked at over the chosen
// interval, which is never shorter than a step, so that none is missed.
func (b board) annotations() annotations {
	var out annotations
	for _, e := range []struct {
		event              event
		color, title, expr string
	}{
		{alerts, "red", "{{alertname}} ({{severity}})", `max by (alertname, severity) (ALERTS{alertstate="firing"})`},
		{swaps, "purple", "{{model_version}} serves", `max by (model_version) (ml_model_accuracy{here}) unless max by (model_version) (ml_model_accuracy{here} offset $interval)`},
		{retrains, "blue", "retraining {{verdict}}", `sum by (verdict) (increase(iacontinu_retrain_duration_seconds_count{here}[$interval])) > 0`},
		{drifts, "orange", "drift", `sum(increase(model_drift_detected_total{here}[$interval])) > 0`},
	} {
		expr := expand(e.expr)
		out.List = append(out.List, annotation{
			AnnotationQuery: dashboard.AnnotationQuery{
				Name: string(e.event), Datasource: prometheusSource(), Enable: slices.Contains(b.shows, e.event),
				IconColor: e.color, Expr: &expr,
			},
			TitleFormat: e.title, Step: "30s",
		})
	}
	return out
}
