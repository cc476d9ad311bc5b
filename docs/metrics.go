// Package docs holds pages that tests and generators read: what a page says and what the code does must
// be the same.
package docs

import (
	_ "embed"
	"slices"
	"strings"
)

// The table of metrics lies between these two lines of metrics.md.
const (
	MetricsBegin = "<!-- metrics -->\n"
	MetricsEnd   = "<!-- /metrics -->"
)

//go:embed metrics.md
var metricsPage string

// Metric is a row of the table in metrics.md.
type Metric struct {
	Name string
	Type string // counter, gauge, summary, histogram
	// Native says that a histogram is a native one as well.
	Native bool
	Labels []string
	// Processes are those that tell it: api, flow, worker. iacontinu up tells all.
	Processes []string
	Help      string
}

// Metrics lists what metrics.md lists, by name.
func Metrics() []Metric {
	_, table, _ := strings.Cut(metricsPage, MetricsBegin)
	table, _, _ = strings.Cut(table, MetricsEnd)
	var out []Metric
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 5 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		kind, native := strings.CutSuffix(cells[1], ", native too")
		out = append(out, Metric{
			Name: strings.Trim(cells[0], "`"), Type: kind, Native: native,
			Labels: list(cells[2]), Processes: list(cells[3]), Help: cells[4],
		})
	}
	return out
}

// Series maps each series that a query may name to its labels: a histogram is queried by its buckets,
// its sum and its count, and, if it is native too, by its own name.
func Series() map[string][]string {
	out := map[string][]string{}
	for _, m := range Metrics() {
		if m.Type != "histogram" && m.Type != "summary" || m.Native {
			out[m.Name] = m.Labels
		}
		switch m.Type {
		case "histogram":
			out[m.Name+"_bucket"] = append(slices.Clone(m.Labels), "le")
		case "summary":
			out[m.Name] = append(slices.Clone(m.Labels), "quantile")
		default:
			continue
		}
		out[m.Name+"_sum"], out[m.Name+"_count"] = m.Labels, m.Labels
	}
	return out
}

func list(cell string) []string {
	return strings.FieldsFunc(cell, func(r rune) bool { return r == ',' || r == ' ' || r == '`' })
}
