package grafana

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/units"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// spans gives values to the variables of time alone, so that the others can still be seen.
var spans = strings.NewReplacer("$__range", "1h", "$interval", "5m")

func parse(t *testing.T, expr string) parser.Expr {
	t.Helper()
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(spans.Replace(expr))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// selectors are what an expression reads.
func selectors(e parser.Expr) (out []*parser.VectorSelector) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			out = append(out, s)
		}
		return nil
	})
	return out
}

// eachQuery calls f with every query of every panel.
func eachQuery(t *testing.T, f func(where string, p loadedPanel, e parser.Expr)) {
	t.Helper()
	for file, d := range load(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				f(file+": "+p.Title, p, parse(t, q.Expr))
			}
		}
	}
}

// TestTheChosenInstancesAreShown: and no others, in any panel.
func TestTheChosenInstancesAreShown(t *testing.T) {
	t.Parallel()
	known := metricLabels()
	eachQuery(t, func(where string, _ loadedPanel, e parser.Expr) {
		for _, s := range selectors(e) {
			chosen := slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.String() == `instance=~"$instance"` })
			if known[s.Name]["instance"] && !chosen {
				t.Errorf("%s: %s is read of every instance", where, s)
			}
		}
	})
}

// TestScrapesAreNoRequests: as docs/slo.md has it, except where they are a route among the others.
func TestScrapesAreNoRequests(t *testing.T) {
	t.Parallel()
	known := metricLabels()
	eachQuery(t, func(where string, _ loadedPanel, e parser.Expr) {
		if s := (scope{known: known}); s.labels(e)["endpoint"] {
			return
		}
		for _, s := range selectors(e) {
			left := slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == "endpoint" && !m.Matches("/metrics") })
			if strings.HasPrefix(s.Name, "api_") && known[s.Name]["endpoint"] && !left {
				t.Errorf("%s: %s counts scrapes", where, s)
			}
		}
	})
}

// series are the names that an expression reads; the buckets of a histogram count as its observations.
func series(e parser.Expr) []string {
	names := map[string]bool{}
	for _, s := range selectors(e) {
		names[strings.Replace(s.Name, "_bucket", "_count", 1)] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// TestSharesHaveTheUnitOfShares: what is divided by more of the same goes from 0 to 1, and only a percentage to 100.
func TestSharesHaveTheUnitOfShares(t *testing.T) {
	t.Parallel()
	shares := 0
	eachQuery(t, func(where string, p loadedPanel, e parser.Expr) {
		unit := p.FieldConfig.Defaults.Unit
		percentage := slices.ContainsFunc(series(e), func(name string) bool { return strings.HasSuffix(name, "_percent") })
		if percentage != (unit == units.Percent) {
			t.Errorf("%s: the unit is %s of %s", where, unit, e)
		}
		parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
			q, ok := n.(*parser.BinaryExpr)
			if !ok || q.Op != parser.DIV || len(series(q.LHS)) == 0 || !slices.Equal(series(q.LHS), series(q.RHS)) {
				return nil
			}
			shares++
			if unit != units.PercentUnit {
				t.Errorf("%s: the unit is %s of the share %s", where, unit, q)
			}
			return nil
		})
	})
	if shares == 0 {
		t.Error("no panel shows a share")
	}
}

// moreIsBetter are the panels whose high values are the good ones.
var moreIsBetter = []string{
	"Accuracy", "Availability", "Confidence", "Error budget left", "Instances that serve", "Mean confidence",
	"Predictions within 100 ms", "Reached by Prometheus", "Room for",
}

// TestGoalsPointTheRightWay: from red to green where more is better, and to red or orange everywhere else.
func TestGoalsPointTheRightWay(t *testing.T) {
	t.Parallel()
	worst := []string{bad, odd, good}
	for file, d := range load(t) {
		for _, p := range d.Panels {
			steps := p.FieldConfig.Defaults.Thresholds.Steps
			for i := 1; i < len(steps); i++ {
				before, after := steps[i-1], steps[i]
				if i > 1 && *before.Value >= *after.Value {
					t.Errorf("%s: %s: a step at %v after that at %v", file, p.Title, *after.Value, *before.Value)
				}
				from, to := slices.Index(worst, before.Color), slices.Index(worst, after.Color)
				if rises := from < to; from < 0 || to < 0 || from == to || rises != slices.Contains(moreIsBetter, p.Title) {
					t.Errorf("%s: %s turns from %s to %s at %v", file, p.Title, before.Color, after.Color, *after.Value)
				}
			}
		}
	}
}
