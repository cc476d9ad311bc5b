// Package grafana holds dashboards as files; its tests hold them to the metrics that exist.
package grafana

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"iacontinu/docs"
)

type dashboard struct {
	UID         string
	Title       string
	Panels      []panel
	Annotations struct{ List []annotation }
}

type annotation struct{ Name, Expr, TitleFormat string }

type panel struct {
	ID          int
	Type, Title string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		Expr, LegendFormat, RefID string
		Datasource                struct{ Type, UID string }
	}
}

func readDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	out := map[string]dashboard{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[f] = d
	}
	return out
}

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

func TestPanelsAskForMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := docs.Series()
	for file, d := range readDashboards(t) {
		queries := 0
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				queries++
				checkQuery(t, known, file+": "+p.Title, q.Expr, q.LegendFormat)
			}
		}
		for _, a := range d.Annotations.List {
			checkQuery(t, known, file+": annotation "+a.Name, a.Expr, a.TitleFormat)
		}
		if queries == 0 {
			t.Errorf("%s asks for nothing", file)
		}
	}
}

func checkQuery(t *testing.T, known map[string][]string, where, expr, legend string) {
	t.Helper()
	series, labels := terms(expr)
	if len(series) == 0 {
		t.Errorf("%s: no metric in %q", where, expr)
	}
	allowed := []string{"job", "instance"} // Prometheus adds them
	for _, s := range series {
		own, ok := known[s]
		if !ok {
			t.Errorf("%s: %s is not in docs/metrics.md", where, s)
		}
		allowed = append(allowed, own...)
	}
	for _, l := range legendLabel.FindAllStringSubmatch(legend, -1) {
		labels = append(labels, l[1])
	}
	for _, l := range labels {
		if !slices.Contains(allowed, l) {
			t.Errorf("%s: no metric of %q has the label %s", where, expr, l)
		}
	}
}

func TestPanelsAreWellFormed(t *testing.T) {
	t.Parallel()
	uids := map[string]string{}
	for file, d := range readDashboards(t) {
		if other := uids[d.UID]; d.UID == "" || other != "" {
			t.Errorf("%s: uid %q is empty or that of %s", file, d.UID, other)
		}
		uids[d.UID] = file
		ids := map[int]bool{}
		cells := map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] {
				t.Errorf("%s: two panels with id %d", file, p.ID)
			}
			ids[p.ID] = true
			if p.Title == "" || (p.Type != "row" && (p.Description == "" || len(p.Targets) == 0)) {
				t.Errorf("%s: panel %d %q lacks a title, a description or a query", file, p.ID, p.Title)
			}
			for _, q := range p.Targets {
				if q.Datasource.UID != "${datasource}" {
					t.Errorf("%s: %s reads %q and not the chosen data source", file, p.Title, q.Datasource.UID)
				}
			}
			place(t, file, p, cells)
		}
	}
}

// place puts a panel on the grid of 24 columns and reports an overlap.
func place(t *testing.T, file string, p panel, cells map[[2]int]string) {
	t.Helper()
	g := p.GridPos
	if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
		t.Errorf("%s: %s lies outside of the 24 columns: %+v", file, p.Title, g)
	}
	for x := g.X; x < g.X+g.W; x++ {
		for y := g.Y; y < g.Y+g.H; y++ {
			if other := cells[[2]int{x, y}]; other != "" {
				t.Errorf("%s: %s lies on %s", file, p.Title, other)
				return
			}
			cells[[2]int{x, y}] = p.Title
		}
	}
}

func TestProvisioningPointsAtWhatComposeMounts(t *testing.T) {
	t.Parallel()
	var sources struct {
		Datasources []struct{ UID, Type, URL string }
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "provisioning/datasources/prometheus.yml", &sources)
	readYAML(t, "provisioning/dashboards/ia-continu.yml", &providers)
	if len(sources.Datasources) != 1 || sources.Datasources[0].UID != "prometheus" || sources.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("data sources: %+v", sources.Datasources)
	}
	compose, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(providers.Providers) != 1 {
		t.Fatalf("providers: %+v", providers.Providers)
	}
	mount := "./grafana/dashboards:" + providers.Providers[0].Options.Path + ":ro"
	if !strings.Contains(string(compose), mount) {
		t.Errorf("docker-compose.yml does not mount %s", mount)
	}
}

func readYAML(t *testing.T, file string, out any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, out); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
