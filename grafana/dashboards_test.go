package grafana

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

var update = flag.Bool("update", false, "write the folder dashboards anew")

func TestDashboardsAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	want, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	present, err := filepath.Glob("dashboards/*")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		write(t, want, present)
		return
	}
	got := map[string]string{}
	for _, file := range present {
		got[filepath.Base(file)] = read(t, file)
	}
	for name, text := range want {
		if diff := cmp.Diff(string(text), got[name]); diff != "" {
			t.Errorf("dashboards/%s is not what the code makes: go test ./grafana -update\n%s", name, diff)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("dashboards/%s is made by no code", name)
	}
}

func write(t *testing.T, files map[string][]byte, present []string) {
	t.Helper()
	for _, file := range present {
		if _, ok := files[filepath.Base(file)]; !ok {
			if err := os.Remove(file); err != nil {
				t.Error(err)
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join("dashboards", name), text, 0o644); err != nil {
			t.Error(err)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// loaded is a dashboard as Grafana reads it.
type loaded struct {
	UID, Title, Description string
	Tags                    []string
	SchemaVersion           int
	Panels                  []loadedPanel
	Links                   []struct{ Title, Type, URL string }
	Templating              struct{ List []struct{ Name, Type string } }
	Annotations             struct {
		List []struct {
			Name, Expr, TitleFormat string
			Enable                  bool
		}
	}
}

type loadedPanel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
	Targets []struct {
		Expr, LegendFormat, RefID string
		Datasource                struct{ Type, UID string }
	}
}

func load(t *testing.T) map[string]loaded {
	t.Helper()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]loaded{}
	for name, text := range files {
		var d loaded
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = d
	}
	return out
}

func TestTheDocumentedDashboardsAreThere(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, d := range load(t) {
		got[d.UID] = d.Title
	}
	want := map[string]string{ // alerts and pages link to these
		"ia-continu-api-performance": "API Performance", "ia-continu-system-health": "System Health",
		"ia-continu-ml-metrics": "ML Metrics", "ia-continu-business-kpis": "Business KPIs",
		"ia-continu-drift": "Drift", "ia-continu-pipeline": "Pipeline",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

func TestQueriesAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	known := metricLabels()
	for file, d := range load(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				checkQuery(t, known, file+": "+p.Title, q.Expr, q.LegendFormat)
			}
		}
		for _, a := range d.Annotations.List {
			checkQuery(t, known, file+": annotation "+a.Name, a.Expr, a.TitleFormat)
		}
	}
}

func checkQuery(t *testing.T, known map[string]labelSet, where, expr, legend string) {
	t.Helper()
	s := scope{known: known}
	have := s.check(substitute.Replace(expr))
	for _, l := range legendLabel.FindAllStringSubmatch(legend, -1) {
		if !have[l[1]] {
			s.fault("the answer has no label %s for the legend %q", l[1], legend)
		}
	}
	if legend == "" {
		s.fault("there is no legend")
	}
	for _, f := range s.faults {
		t.Errorf("%s: %s\n\tin %s", where, f, expr)
	}
}

// shown are the units that the panels use; a person reads each of them.
var shown = []string{
	units.PercentUnit, units.Percent, units.Seconds, units.BytesIEC, units.BytesPerSecondSI, units.RequestsPerSecond,
	units.RequestsPerMinute, units.OpsPerSecond, units.RowsPerSecond, units.Short, units.Number,
}

func TestPanelsAreWellFormed(t *testing.T) {
	t.Parallel()
	for file, d := range load(t) {
		if d.Description == "" || d.SchemaVersion < 42 || len(d.Panels) == 0 {
			t.Errorf("%s: description %q, schema version %d, %d panels", file, d.Description, d.SchemaVersion, len(d.Panels))
		}
		ids := map[int]bool{}
		titles := map[string]bool{}
		cells := map[[2]int]string{}
		row := ""
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] {
				t.Errorf("%s: %s has the id %d, or another has it too", file, p.Title, p.ID)
			}
			ids[p.ID] = true
			place(t, file, p, cells)
			if p.Type == "row" {
				row = p.Title
				continue
			}
			checkPanel(t, file, p)
			if titles[row+p.Title] {
				t.Errorf("%s: two panels %s in %s", file, p.Title, row)
			}
			titles[row+p.Title] = true
		}
		for y := range height(cells) {
			for x := range 24 {
				if cells[[2]int{x, y}] == "" {
					t.Errorf("%s: a hole at column %d of line %d, below %s", file, x, y, cells[[2]int{x, y - 1}])
					break
				}
			}
		}
	}
}

func checkPanel(t *testing.T, file string, p loadedPanel) {
	t.Helper()
	if p.Title == "" || !strings.HasSuffix(p.Description, ".") || len(p.Targets) == 0 {
		t.Errorf("%s: %s lacks a title, a sentence or a query", file, p.Title)
	}
	if !slices.Contains(shown, p.FieldConfig.Defaults.Unit) {
		t.Errorf("%s: %s has the unit %q", file, p.Title, p.FieldConfig.Defaults.Unit)
	}
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if q.Datasource.UID != "${datasource}" || q.Datasource.Type != "prometheus" {
			t.Errorf("%s: %s reads %+v and not the chosen data source", file, p.Title, q.Datasource)
		}
		if q.RefID == "" || refs[q.RefID] {
			t.Errorf("%s: %s has two queries %q", file, p.Title, q.RefID)
		}
		refs[q.RefID] = true
	}
}

// place puts a panel on the grid of 24 columns and reports an overlap.
func place(t *testing.T, file string, p loadedPanel, cells map[[2]int]string) {
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

func height(cells map[[2]int]string) int {
	bottom := 0
	for cell := range maps.Keys(cells) {
		bottom = max(bottom, cell[1]+1)
	}
	return bottom
}

var variable = regexp.MustCompile(`\$\{?(\w+)\}?`)

func TestVariablesResolve(t *testing.T) {
	t.Parallel()
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for file, d := range load(t) {
		declared := map[string]bool{}
		for _, v := range d.Templating.List {
			declared[v.Name] = true
		}
		used := map[string]bool{}
		for _, v := range variable.FindAllStringSubmatch(string(files[file]), -1) {
			used[v[1]] = true
			if !declared[v[1]] && !strings.HasPrefix(v[1], "__") {
				t.Errorf("%s: nobody declares $%s", file, v[1])
			}
		}
		for _, want := range []string{"datasource", "instance", "interval", "host"} {
			if !declared[want] {
				t.Errorf("%s: there is no variable %s", file, want)
			}
		}
		for name := range declared {
			if !used[name] {
				t.Errorf("%s: nothing uses $%s", file, name)
			}
		}
	}
}

func TestLinksAndEvents(t *testing.T) {
	t.Parallel()
	for file, d := range load(t) {
		if !slices.Contains(d.Tags, tag) {
			t.Errorf("%s: without the tag %s the others do not link to it", file, tag)
		}
		got := map[string]string{}
		for _, l := range d.Links {
			got[l.Title] = l.URL
		}
		for title, port := range map[string]string{"UI": "8501", "MLflow": "5000", "Prefect": "4200", "Alerts": "9093", "Traces": "16686", "Status": "3001"} {
			if !strings.HasPrefix(got[title], "http://${host}:"+port) {
				t.Errorf("%s: %s leads to %q", file, title, got[title])
			}
		}
		var events []string
		for _, a := range d.Annotations.List {
			events = append(events, a.Name)
		}
		if diff := cmp.Diff([]string{"Alerts", "Swaps", "Retrainings", "Drift"}, events); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}
