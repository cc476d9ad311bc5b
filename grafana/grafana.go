// Package grafana holds the dashboards as Go code. Grafana reads what is made of it, the files in the folder
// dashboards; go test ./grafana -update writes them. No process of the platform imports this package.
//
// A panel asks in PromQL, where {here} stands for the chosen instances and {version} for the chosen model versions, so
// that {here,le="0.1"} is a whole selector.
package grafana

import (
	"encoding/json"
	"fmt"
)

// Files returns the dashboards, as Grafana loads them, by file name.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, b := range boards() {
		d, err := b.build()
		if err != nil {
			return nil, fmt.Errorf("grafana: dashboard %s: %w", b.slug, err)
		}
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("grafana: dashboard %s: %w", b.slug, err)
		}
		files[b.slug+".json"] = append(text, '\n')
	}
	return files, nil
}

func boards() []board {
	return []board{apiPerformance(), systemHealth(), mlMetrics(), businessKPIs(), driftBoard(), pipeline()}
}

// board is a dashboard; its uid is "ia-continu-" and the slug.
type board struct {
	slug, title, about string
	from               string  // start of the time that is shown at first; empty: an hour ago
	versions, features bool    // lets the reader choose among them
	shows              []event // events that are marked at first; the others wait for a click
	rows               []row
}

type row struct {
	title  string
	panels []panel
}

// kind is what a panel looks like.
type kind int

const (
	overTime kind = iota
	figure        // of now
	named         // the legends of now
	heat          // a histogram's buckets over time
	timeline      // a state over time, one line a series
	listing       // the labels of now
)

type panel struct {
	kind               kind
	title, unit, about string
	w                  uint32 // of 24 columns; 0: 4 for a figure, 8 for others
	queries            []query
	goal               []step // colours by value, the lowest first
	states             []state
	decimals           float64 // 0: as fits
	top                float64 // of the axis, which starts at 0; 0: as fits
	stacked            bool
	logarithmic        bool
	absent             string // what to say while no series is there
}

// state is what a value means.
type state struct{ value, text, color string }

type query struct{ legend, expr string }

// step is a colour that holds from a value on.
type step struct {
	from  float64
	color string
}

const (
	good = "green"
	bad  = "red"
	odd  = "orange"
)

// atLeast colours an objective that has to be reached.
func atLeast(value float64) []step { return []step{{0, bad}, {value, good}} }

// below colours an objective that must not be reached.
func below(value float64) []step { return []step{{0, good}, {value, bad}} }

// one is a single query.
func one(legend, expr string) []query { return []query{{legend, expr}} }

// quantiles of a histogram; the selector is what stands between its braces.
func quantiles(histogram, selector string) []query {
	var out []query
	for _, q := range []struct{ legend, share string }{{"p50", "0.5"}, {"p95", "0.95"}, {"p99", "0.99"}} {
		// Nothing was observed: no quantile, and a gap instead of NaN.
		out = append(out, query{q.legend, fmt.Sprintf(`histogram_quantile(%s, sum by (le) (rate(%s_bucket{%s}[$interval]))) >= 0`, q.share, histogram, selector)})
	}
	return out
}
