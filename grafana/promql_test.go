package grafana

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"iacontinu/docs"
)

// metricLabels are the labels of each series that Prometheus has, by its name.
func metricLabels() map[string]labelSet {
	scraped := setOf("job", "instance") // Prometheus adds them
	series := map[string]labelSet{
		// What Prometheus itself knows of each scrape and of each alert.
		"up": scraped, "scrape_duration_seconds": scraped, "ALERTS": setOf("alertname", "alertstate", "severity"),
	}
	for name, own := range docs.Series() {
		series[name] = union(scraped, setOf(own...))
	}
	return series
}

// labelSet are the labels that series may have.
type labelSet map[string]bool

func setOf(names ...string) labelSet {
	s := labelSet{}
	for _, n := range names {
		s[n] = true
	}
	return s
}

func union(a, b labelSet) labelSet {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// scope checks an expression against the metrics there are, and finds out which labels its answer has, so that a legend
// can be held to them. What is wrong is added to faults.
type scope struct {
	known  map[string]labelSet
	faults []string
}

func (s *scope) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// check parses an expression whose variables have their values.
func (s *scope) check(expr string) labelSet {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		s.fault("%v", err)
		return nil
	}
	return s.labels(tree)
}

func (s *scope) labels(e parser.Expr) labelSet {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return s.selected(e)
	case *parser.AggregateExpr:
		return s.aggregated(e)
	case *parser.BinaryExpr:
		return s.combined(e)
	case *parser.Call:
		return s.called(e)
	case *parser.MatrixSelector:
		return s.labels(e.VectorSelector)
	case *parser.SubqueryExpr:
		return s.labels(e.Expr)
	case *parser.ParenExpr:
		return s.labels(e.Expr)
	case *parser.UnaryExpr:
		return s.labels(e.Expr)
	case *parser.StepInvariantExpr:
		return s.labels(e.Expr)
	default: // a number or a text
		return labelSet{}
	}
}

func (s *scope) selected(e *parser.VectorSelector) labelSet {
	have, ok := s.known[e.Name]
	if !ok {
		s.fault("there is no metric %s", e.Name)
		return labelSet{}
	}
	for _, m := range e.LabelMatchers {
		if m.Name != "__name__" && !have[m.Name] {
			s.fault("%s has no label %s", e.Name, m.Name)
		}
	}
	return have
}

func (s *scope) aggregated(e *parser.AggregateExpr) labelSet {
	in := s.labels(e.Expr)
	for _, l := range e.Grouping {
		if !in[l] {
			s.fault("no label %s to group by in %s", l, e.Expr)
		}
	}
	switch {
	case e.Op == parser.TOPK || e.Op == parser.BOTTOMK:
		return in
	case e.Without:
		out := maps.Clone(in)
		for _, l := range e.Grouping {
			delete(out, l)
		}
		return out
	}
	return setOf(e.Grouping...)
}

// combined is what an operator leaves: on both sides the same labels, unless one is a number or stands in for nothing.
func (s *scope) combined(e *parser.BinaryExpr) labelSet {
	left, right := s.labels(e.LHS), s.labels(e.RHS)
	if e.VectorMatching == nil {
		return union(left, right)
	}
	for _, l := range e.VectorMatching.MatchingLabels {
		if !left[l] || !right[l] {
			s.fault("no label %s to match on in %s", l, e)
		}
	}
	ignored := len(e.VectorMatching.MatchingLabels) > 0 || e.Op == parser.LOR || e.Op == parser.LUNLESS
	if !ignored && !maps.Equal(left, right) {
		s.fault("%s finds no pairs: %v against %v", e, slices.Sorted(maps.Keys(left)), slices.Sorted(maps.Keys(right)))
	}
	return left
}

func (s *scope) called(e *parser.Call) labelSet {
	out := labelSet{}
	for _, arg := range e.Args {
		out = union(out, s.labels(arg))
	}
	if e.Func.Name == "histogram_quantile" {
		if !out["le"] {
			s.fault("%s has no label le to read", e)
		}
		delete(out, "le")
	}
	return out
}

// substitute gives the variables values, as Grafana would.
var substitute = strings.NewReplacer(
	"$__range", "1h", "$interval", "5m", "$instance", ".*", "$model_version", ".*", "$feature", ".*",
)

func TestScopeFindsFaults(t *testing.T) {
	t.Parallel()
	known := map[string]labelSet{
		"x_bucket": setOf("a", "le"), "y": setOf("a", "b"), "z": setOf("b"),
	}
	for expr, want := range map[string]string{
		`histogram_quantile(0.9, sum by (le, a) (rate(x_bucket{a="1"}[5m])))`: "",
		`sum by (b) (y) / sum by (b) (z) or vector(0)`:                        "",
		`sum(`:                       "parse error",
		`missing`:                    "no metric missing",
		`y{c="1"}`:                   "y has no label c",
		`sum by (c) (y)`:             "no label c to group by",
		`y / z`:                      "finds no pairs",
		`y / on (a) z`:               "no label a to match on",
		`histogram_quantile(0.9, y)`: "no label le",
	} {
		s := scope{known: known}
		s.check(expr)
		if got := strings.Join(s.faults, "; "); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: faults %q, want %q", expr, got, want)
		}
	}
	s := scope{known: known}
	if got, want := s.check(`topk(3, sum by (a) (y))`), setOf("a"); !maps.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
}
