package webui

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
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
	Compared *api.DriftDistributions // both windows of a check
	Charts   []template.HTML
	Unshown  int // features without a chart
	Checks   []checkRow
	Listing  listing
	Scored   *api.DriftDetection // whose features are shown
	Chosen   bool                // a range of time was chosen
	Spans    []span
}

// Apart reports whether what was measured last was measured of another version than that of the latest check.
func (d driftData) Apart() bool {
	return d.Scored != nil && d.Last != nil && d.Scored.ModelVersion != d.Last.ModelVersion
}

// featureNow is how far a feature is from the training data.
type featureNow struct {
	api.FeatureScore
	Width float64 // of its bar, in percent
}

type checkRow struct {
	api.DriftDetection
	Outcome, Tone string
	Measured      string
}

const (
	shownChecks = 25
	lastScored  = 60 // checks that the latest one with scores is looked for among
)

func loadDrift(ctx context.Context, v *visit) (any, error) {
	var d driftData
	var newest api.DriftHistory
	var scores api.DriftScores
	from, to := timeRange(v.query)
	d.Chosen = !from.IsZero() || !to.IsZero()
	d.Spans = v.spans("/drift", time.Now())
	err := together(ctx,
		ask(&newest, func(ctx context.Context) (api.DriftHistory, error) { return v.client.Drift(ctx, lastScored) }),
		ask(&scores, func(ctx context.Context) (api.DriftScores, error) {
			return v.client.DriftScores(ctx, api.During{From: from, To: to}, 0)
		}),
		func(ctx context.Context) error { return d.compare(ctx, v) },
	)
	if err != nil {
		return nil, err
	}
	d.tellLatest(newest.DriftDetections)
	d.Scores = v.featureCurves(scores)
	return d, d.listChecks(ctx, v, newest, scores.Points, from)
}

// tellLatest is what the latest check found, and what the latest one that measured something did.
func (d *driftData) tellLatest(checks []api.DriftDetection) {
	if len(checks) > 0 {
		d.Last = &checks[0]
		d.Outcome, d.Tone = outcome(checks[0]), toneOf(outcome(checks[0]))
	}
	if i := slices.IndexFunc(checks, func(c api.DriftDetection) bool { return len(c.Details.Scores) > 0 }); i >= 0 {
		d.Scored = &checks[i]
		for _, f := range checks[i].Details.Scores {
			d.Features = append(d.Features, featureNow{f, min(f.KS, 1) * 100})
		}
	}
}

// listChecks lists checks, newest first: from the newest on, from the one that the address names, or from the end of
// the time that was chosen.
func (d *driftData) listChecks(ctx context.Context, v *visit, newest api.DriftHistory, points []api.ScorePoint, from time.Time) error {
	d.Listing = listing{Of: "checks", Part: "drift-checks", Total: newest.Total, None: v.must("drift.no_checks")}
	before := v.before()
	switch {
	case before > 0:
	case d.Chosen && len(points) == 0:
		return nil
	case d.Chosen:
		before = points[len(points)-1].CheckID + 1
	}
	checks := newest.DriftDetections
	if before > 0 {
		older, err := v.client.DriftBefore(ctx, before, shownChecks+1)
		if err != nil {
			return err
		}
		checks = older.DriftDetections
	}
	checks = slices.DeleteFunc(slices.Clone(checks), func(c api.DriftDetection) bool { return c.CreatedAt.Before(from) })
	for _, c := range cut(v, &d.Listing, checks, shownChecks, func(c api.DriftDetection) int64 { return c.ID }) {
		d.Checks = append(d.Checks, checkRow{c, outcome(c), toneOf(outcome(c)), v.measured(c)})
	}
	return nil
}

// measured is what a check goes by: the feature that moved most, or what was drawn.
func (v *visit) measured(c api.DriftDetection) string {
	switch {
	case outcome(c) == "failed":
		return "–"
	case c.DetectionMethod == "random":
		return v.must("drift.drawn", v.significant(c.TriggerValue), v.significant(c.Threshold))
	case len(c.Details.Scores) == 0:
		return "–"
	}
	worst := slices.MaxFunc(c.Details.Scores, func(a, b api.FeatureScore) int { return cmp.Compare(a.KS, b.KS) })
	return v.must("drift.largest", v.significant(worst.KS), worst.Feature)
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

// span is a time up to now that charts can be asked for without dragging over them.
type span struct {
	Name, Href string
}

// spans leads to times of a page's charts.
func (v *visit) spans(path string, now time.Time) []span {
	var out []span
	for _, s := range []struct {
		name string
		long time.Duration
	}{{"hour", time.Hour}, {"day", 24 * time.Hour}, {"week", 7 * 24 * time.Hour}, {"month", 30 * 24 * time.Hour}} {
		out = append(out, span{v.must("span." + s.name), fmt.Sprintf("%s?from=%d", path, now.Add(-s.long).Unix())})
	}
	return out
}

// compare asks for both windows of the check that the address names, else of the latest. Where none was
// scored there is nothing to compare.
func (d *driftData) compare(ctx context.Context, v *visit) error {
	check, _ := strconv.ParseInt(v.query.Get("check"), 10, 64) // no number: the latest
	compared, err := v.client.DriftDistributions(ctx, max(check, 0))
	if p := api.AsProblem(err); p != nil && p.Status == http.StatusNotFound {
		return nil
	}
	if err != nil || compared.CurrentRows == 0 {
		return err
	}
	d.Compared = &compared
	shown := compared.Features[:min(len(compared.Features), shownFeatures)]
	d.Unshown = len(compared.Features) - len(shown)
	for i, f := range shown {
		h := v.histogram(fmt.Sprintf("compared-%d", i), f.Feature)
		h.Edges, h.Shares, h.Y = f.Edges, true, func(share float64) string { return v.percent(1, share) }
		h.Series = []chart.Counted{{Name: v.must("drift.learned"), Counts: f.Reference}, {Name: v.must("drift.asked"), Counts: f.Current}}
		if f.CurrentMean != nil {
			h.Summary = v.must("drift.means", v.significant(f.ReferenceMean), v.significant(*f.CurrentMean))
		}
		d.Charts = append(d.Charts, h.HTML())
	}
	return nil
}

// featureCurves are the scores of each feature over the checks: of those that moved most, if there are many.
func (v *visit) featureCurves(scores api.DriftScores) template.HTML {
	const mostLines = 6
	l := v.timeLine("drift-curves", "drift.curves")
	zero := 0.0
	l.Low, l.Limits = &zero, v.limits(scores.Thresholds)
	points := map[string][]chart.Point{}
	for i, p := range scores.Points {
		for _, f := range p.Scores {
			points[f.Feature] = append(points[f.Feature], chart.Point{X: float64(p.At.Unix()), Y: f.KS})
		}
		if begins(scores.Points, i) {
			l.Marks = append(l.Marks, chart.Mark{X: float64(p.At.Unix()), Class: "warn", Text: v.must("event.drift")})
		}
	}
	for _, name := range scores.Features[:min(len(scores.Features), mostLines)] {
		l.Series = append(l.Series, chart.Series{Name: name, Points: points[name]})
	}
	l.Summary = v.must("drift.curves_summary", len(l.Series), len(l.Marks))
	return v.spanned(l).HTML()
}
