package webui

import (
	"context"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/chart"
)

// driftData is what the page of drift shows.
type driftData struct {
	Last     *api.DriftDetection
	Outcome  string
	Tone     string
	Features []featureNow
	Scores   template.HTML
	Checks   []checkRow
	Total    int64
	Chosen   bool // a range of time was chosen
}

// featureNow is how far a feature is from the training data.
type featureNow struct {
	api.FeatureScore
	Width float64 // of its bar, in percent
}

type checkRow struct {
	api.DriftDetection
	Outcome, Tone string
}

const (
	mostChecks  = 1000 // that the API gives at once
	shownChecks = 25
)

func loadDrift(ctx context.Context, v *visit) (any, error) {
	history, err := v.client.Drift(ctx, mostChecks)
	if err != nil {
		return nil, err
	}
	d := driftData{Total: history.Total}
	checks := history.DriftDetections
	if len(checks) > 0 {
		d.Last = &checks[0]
		d.Outcome, d.Tone = outcome(checks[0]), toneOf(checks[0])
	}
	if i := slices.IndexFunc(checks, func(c api.DriftDetection) bool { return len(c.Details.Scores) > 0 }); i >= 0 {
		for _, f := range checks[i].Details.Scores {
			d.Features = append(d.Features, featureNow{f, min(f.KS, 1) * 100})
		}
	}
	from, to := timeRange(v.query)
	if d.Chosen = !from.IsZero() || !to.IsZero(); d.Chosen {
		checks = slices.DeleteFunc(slices.Clone(checks), func(c api.DriftDetection) bool {
			return c.CreatedAt.Before(from) || !to.IsZero() && c.CreatedAt.After(to)
		})
	}
	d.Scores = v.featureCurves(checks)
	for _, c := range checks[:min(len(checks), shownChecks)] {
		d.Checks = append(d.Checks, checkRow{c, outcome(c), toneOf(c)})
	}
	return d, nil
}

// timeRange reads ?from=&to= in Unix seconds, as a chart gives them; what is no time is no bound.
func timeRange(q url.Values) (from, to time.Time) {
	read := func(name string) time.Time {
		seconds, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil {
			return time.Time{}
		}
		return time.Unix(seconds, 0)
	}
	return read("from"), read("to")
}

// featureCurves are the scores of each feature over the checks. More than a few lines can't be told apart:
// those that moved most lately are shown.
func (v *visit) featureCurves(checks []api.DriftDetection) template.HTML {
	const mostLines = 6
	l := v.timeLine("drift-curves", "drift.curves")
	zero := 0.0
	l.Low = &zero
	points := map[string][]chart.Point{}
	var names []string
	for i, c := range slices.Backward(checks) {
		for _, f := range c.Details.Scores {
			if points[f.Feature] == nil {
				names = append(names, f.Feature)
			}
			points[f.Feature] = append(points[f.Feature], chart.Point{X: float64(c.CreatedAt.Unix()), Y: f.KS})
		}
		if c.Drift && begins(checks, i) {
			l.Marks = append(l.Marks, chart.Mark{X: float64(c.CreatedAt.Unix()), Class: "warn", Text: v.must("event.drift")})
		}
	}
	latest := func(name string) float64 { return points[name][len(points[name])-1].Y }
	if len(names) > mostLines {
		slices.SortFunc(names, func(a, b string) int {
			if latest(a) > latest(b) {
				return -1
			}
			return 1
		})
		names = names[:mostLines]
	}
	for _, name := range names {
		l.Series = append(l.Series, chart.Series{Name: name, Points: points[name]})
	}
	l.Summary = v.must("drift.curves_summary", len(names), len(l.Marks))
	return v.spanned(l).HTML()
}
