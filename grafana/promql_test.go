package grafana

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	quoted    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	ranges    = regexp.MustCompile(`\[[^\]]*\]`)
	selectors = regexp.MustCompile(`\{[^}]*\}`)
	grouping  = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	number    = regexp.MustCompile(`\b[0-9][0-9a-zA-Z.]*`)
	name      = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*(?:\s*\()?`)
	keywords  = []string{"and", "or", "unless", "offset", "bool", "group_left", "group_right"}
)

// terms takes a PromQL expression apart as far as a name goes: the series it reads and the labels it
// speaks of. It is no parser; the expressions of this folder are simple.
func terms(expr string) (series, labels []string) {
	rest := quoted.ReplaceAllString(expr, `""`)
	for _, s := range selectors.FindAllString(rest, -1) {
		labels = append(labels, name.FindAllString(s, -1)...)
	}
	rest = ranges.ReplaceAllString(selectors.ReplaceAllString(rest, ""), "")
	for _, g := range grouping.FindAllStringSubmatch(rest, -1) {
		labels = append(labels, name.FindAllString(g[1], -1)...)
	}
	rest = number.ReplaceAllString(grouping.ReplaceAllString(rest, ""), "")
	for _, word := range name.FindAllString(rest, -1) {
		if !strings.HasSuffix(word, "(") && !slices.Contains(keywords, word) {
			series = append(series, word)
		}
	}
	return series, labels
}

func TestTerms(t *testing.T) {
	t.Parallel()
	series, labels := terms(`histogram_quantile(0.99, sum by (le, a) (rate(x_bucket{b=~"c.*|d{2}"}[$__rate_interval]))) / 2e3 or vector(0) unless on (e) y offset 1m`)
	if want := []string{"x_bucket", "y"}; !slices.Equal(series, want) {
		t.Errorf("series %q, want %q", series, want)
	}
	if want := []string{"b", "le", "a", "e"}; !slices.Equal(labels, want) {
		t.Errorf("labels %q, want %q", labels, want)
	}
}
