//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// shownBoard is a dashboard's file and what Prometheus answers to it.
type shownBoard struct {
	slug, title string
	queries     []*shownQuery
	variables   []shownVariable
}

type shownVariable struct{ Name, Type, Query string }

type shownQuery struct {
	board, row, panel, unit, expr, legend string
	instant                               bool
	answer                                []series // the latest that was not empty
}

func (q *shownQuery) name() string { return q.board + "/" + q.row + "/" + q.panel }

// series is one line of a panel; gaps are left out.
type series struct {
	legend string
	values []float64
}

func readBoards(t *testing.T) (boards []*shownBoard) {
	t.Helper()
	files, err := filepath.Glob("../../grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, file := range files {
		boards = append(boards, readBoard(t, file))
	}
	return boards
}

func readBoard(t *testing.T, file string) *shownBoard {
	t.Helper()
	var d struct {
		Title  string
		Panels []struct {
			Type, Title string
			FieldConfig struct{ Defaults struct{ Unit string } }
			Targets     []struct {
				Expr, LegendFormat string
				Instant            bool
			}
		}
		Annotations struct {
			List []struct{ Name, Expr, TitleFormat string }
		}
		Templating struct{ List []shownVariable }
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	b := &shownBoard{slug: strings.TrimSuffix(filepath.Base(file), ".json"), title: d.Title, variables: d.Templating.List}
	row := ""
	for _, p := range d.Panels {
		if p.Type == "row" {
			row = p.Title
		}
		for _, q := range p.Targets {
			b.queries = append(b.queries, &shownQuery{
				board: d.Title, row: row, panel: p.Title, unit: p.FieldConfig.Defaults.Unit, expr: q.Expr, legend: q.LegendFormat, instant: q.Instant,
			})
		}
	}
	for _, a := range d.Annotations.List {
		b.queries = append(b.queries, &shownQuery{board: d.Title, row: "Marks", panel: a.Name, unit: "none", expr: a.Expr, legend: a.TitleFormat})
	}
	return b
}

// ask asks all queries for the time since from, as Grafana would with one instance and all else chosen.
func (b *shownBoard) ask(t *testing.T, prometheus, instance string, from time.Time) {
	t.Helper()
	now := time.Now()
	variables := strings.NewReplacer("$__range", strconv.Itoa(int(now.Sub(from).Seconds())+1)+"s", "$interval", "10s",
		"$instance", strings.ReplaceAll(regexp.QuoteMeta(instance), `\`, `\\`), "$model_version", ".*", "$feature", ".*")
	for _, q := range b.queries {
		form := url.Values{"query": {variables.Replace(q.expr)}}
		path := "/api/v1/query"
		if !q.instant {
			path = "/api/v1/query_range"
			form.Set("start", strconv.FormatInt(from.Unix(), 10))
			form.Set("end", strconv.FormatInt(now.Unix(), 10))
			form.Set("step", "1")
		}
		if answer := q.read(t, promAsk(t, prometheus+path, form)); len(answer) > 0 {
			q.answer = answer
		}
	}
}

// promAsk asks Prometheus and returns its data.
func promAsk(t *testing.T, address string, form url.Values) json.RawMessage {
	t.Helper()
	res, err := http.Get(address + "?" + form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %s %s %v", form.Get("query"), res.Status, answer.Error, err)
	}
	return answer.Data
}

// read takes the numbers out of an answer; a series of gaps alone is none.
func (q *shownQuery) read(t *testing.T, data json.RawMessage) (out []series) {
	t.Helper()
	var answer struct {
		Result []struct {
			Metric map[string]string
			Value  []any
			Values [][]any
		}
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatalf("%s: %v", q.expr, err)
	}
	for _, r := range answer.Result {
		s := series{legend: legend(q.legend, r.Metric)}
		if r.Value != nil {
			r.Values = append(r.Values, r.Value)
		}
		for _, point := range r.Values {
			text, _ := point[1].(string)
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatalf("%s: %v", q.expr, err)
			}
			if !math.IsNaN(v) {
				s.values = append(s.values, v)
			}
		}
		if len(s.values) > 0 {
			out = append(out, s)
		}
	}
	return out
}

var placeholder = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// legend puts the labels into the format, as Grafana does; a label that is missing leaves its name in <>.
func legend(format string, labels map[string]string) string {
	return placeholder.ReplaceAllStringFunc(format, func(p string) string {
		name := placeholder.FindStringSubmatch(p)[1]
		if labels[name] == "" {
			return "<" + name + ">"
		}
		return labels[name]
	})
}

// check says what a person would notice: no legend, two alike, a number that its unit does not allow.
func (b *shownBoard) check(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, q := range b.queries {
		for _, s := range q.answer {
			if s.legend == "" || strings.Contains(s.legend, "<") {
				t.Errorf("%s: the legend is %q", q.name(), s.legend)
			}
			if key := q.name() + "/" + s.legend; seen[key] {
				t.Errorf("%s: two lines have the legend %q", q.name(), s.legend)
			} else {
				seen[key] = true
			}
			for _, v := range s.values {
				if !plausible(q.unit, v) {
					t.Errorf("%s: %s shows %v, which is no %q", q.name(), s.legend, v, q.unit)
					break
				}
			}
		}
	}
}

// plausible reports whether a number can be what its unit says, on a machine that runs for some minutes.
func plausible(unit string, v float64) bool {
	switch unit {
	case "percentunit":
		return v >= 0 && v <= 1
	case "percent":
		return v >= 0 && v <= 100
	case "s":
		return v >= 0 && v < 1e4
	case "bytes":
		return v == 0 || v >= 1<<10 && v < 1<<50 // a disk that empties is forecast to be empty
	case "Bps":
		return v >= 0 && v < 1<<40
	case "reqps", "ops", "rowsps":
		return v >= 0 && v < 1e5
	case "reqpm":
		return v > 0 && v < 1e8
	case "short":
		return v >= 0 && v < 1e9
	case "none":
		return math.Abs(v) < 100
	}
	return false
}

// checkVariables: each list to choose from has something in it.
func checkVariables(t *testing.T, prometheus string, boards []*shownBoard) {
	t.Helper()
	query := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, b := range boards {
		for _, v := range b.variables {
			if v.Type != "query" {
				continue
			}
			parts := query.FindStringSubmatch(v.Query)
			if parts == nil {
				t.Errorf("%s: $%s asks %q", b.title, v.Name, v.Query)
				continue
			}
			var values []string
			if err := json.Unmarshal(promAsk(t, prometheus+"/api/v1/label/"+parts[2]+"/values", url.Values{"match[]": {parts[1]}}), &values); err != nil || len(values) == 0 {
				t.Errorf("%s: $%s offers %q, %v", b.title, v.Name, values, err)
			}
		}
	}
}

// table is the dashboard for a person to read.
func (b *shownBoard) table() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\n", b.title)
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tpanel\tlegend\tlast\tleast\tmost\tpoints\tunit")
	for _, q := range b.queries {
		if q.answer == nil {
			fmt.Fprintf(w, "%s\t%s\t(nothing: %s)\n", q.row, q.panel, mayBeEmpty[q.name()])
		}
		for _, s := range q.answer {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", q.row, q.panel, s.legend, human(q.unit, s.values[len(s.values)-1]),
				human(q.unit, slices.Min(s.values)), human(q.unit, slices.Max(s.values)), len(s.values), q.unit)
		}
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return out.String()
}

// human writes a number as Grafana would.
func human(unit string, v float64) string {
	switch unit {
	case "percentunit":
		return fmt.Sprintf("%.4g %%", v*100)
	case "percent":
		return fmt.Sprintf("%.4g %%", v)
	case "s":
		return time.Duration(v * float64(time.Second)).Round(time.Microsecond).String()
	case "bytes":
		return fmt.Sprintf("%.4g MiB", v/(1<<20))
	case "Bps":
		return fmt.Sprintf("%.4g kB/s", v/1e3)
	case "reqps", "ops", "rowsps":
		return fmt.Sprintf("%.4g /s", v)
	case "reqpm":
		return fmt.Sprintf("%.4g /min", v)
	}
	return fmt.Sprintf("%.5g", v)
}
