package webui

import (
	"cmp"
	"context"
	"html/template"
	"slices"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/chart"
)

// overviewData is what the overview shows.
type overviewData struct {
	Verdict verdict
	Model   api.ModelInfo
	Stats   api.PredictionStats
	Checks  template.HTML // the latest, as a strip
	Last    *api.DriftDetection
	Curves  []template.HTML
	Events  []event
	Parts   []part
}

// verdict is how the platform is in one sentence, by the key of its words.
type verdict struct {
	Code string
	Tone string // good, warn or bad
}

// part is a part of the platform as /health tells of it.
type part struct {
	Name string
	api.Check
}

const (
	stripChecks  = 40
	curveChecks  = 200
	timelineLast = 12
)

func loadOverview(ctx context.Context, v *visit) (any, error) {
	var d overviewData
	var health api.Health
	var checks api.DriftHistory
	var trainings api.TrainingHistory
	c := v.client
	err := together(ctx,
		ask(&health, c.Health), ask(&d.Model, c.ModelInfo), ask(&d.Stats, c.Stats),
		ask(&checks, func(ctx context.Context) (api.DriftHistory, error) { return c.Drift(ctx, curveChecks) }),
		ask(&trainings, func(ctx context.Context) (api.TrainingHistory, error) { return c.Trainings(ctx, 100) }),
	)
	if err != nil {
		return nil, err
	}
	if len(checks.DriftDetections) > 0 {
		d.Last = &checks.DriftDetections[0]
	}
	d.Verdict = judge(health, d.Model, d.Last)
	d.Parts = partsOf(health)
	d.Checks = v.checkStrip(checks.DriftDetections)
	d.Events = eventsOf(trainings.Trainings, checks.DriftDetections)
	d.Curves = []template.HTML{v.accuracyCurve(trainings.Trainings), v.scoreCurve(checks.DriftDetections)}
	return d, nil
}

// judge says how the platform is: what is worst comes first.
func judge(health api.Health, model api.ModelInfo, last *api.DriftDetection) verdict {
	troubled := func(name, status string) bool { return health.Checks[name].Status == status }
	switch {
	case troubled("database", api.CheckDown) || troubled("database", api.CheckWarn):
		return verdict{"database", "bad"}
	case !model.ModelLoaded:
		return verdict{"no_model", "warn"}
	case troubled("worker", api.CheckWarn):
		return verdict{"no_worker", "warn"}
	case troubled("flow", api.CheckWarn):
		return verdict{"no_flow", "warn"}
	case last == nil:
		return verdict{"unchecked", "good"}
	case last.ActionTaken == "health_check_failed":
		return verdict{"check_failed", "warn"}
	case last.Drift:
	case len(last.Details.Scores) == 0: // nothing says that it is well
		return verdict{"unmeasured", "good"}
	case slices.ContainsFunc(last.Details.Scores, func(f api.FeatureScore) bool { return f.Drift }):
		return verdict{"moved", "warn"} // seen, though this detector does not act on it
	default:
		return verdict{"well", "good"}
	}
	switch last.ActionTaken {
	case "retrained":
		return verdict{"drift_retrained", "good"}
	case "retrain_rejected":
		return verdict{"drift_kept", "warn"}
	case "retrain_failed":
		return verdict{"drift_failed", "bad"}
	case "new_data_needed":
		return verdict{"drift_data", "bad"}
	}
	return verdict{"drift_handled", "warn"}
}

func partsOf(health api.Health) []part {
	var out []part
	for name, check := range health.Checks {
		out = append(out, part{name, check})
	}
	slices.SortFunc(out, func(a, b part) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// checkStrip draws the latest checks, oldest first.
func (v *visit) checkStrip(checks []api.DriftDetection) template.HTML {
	s := chart.Strip{Title: v.must("overview.strip"), Empty: v.must("overview.no_checks")}
	drifts := int64(0)
	for _, c := range slices.Backward(checks[:min(len(checks), stripChecks)]) {
		tone := toneOf(c)
		if c.Drift {
			drifts++
		}
		sign := map[string]string{"good": "", "warn": "!", "bad": "×", "none": "·"}[tone]
		s.Cells = append(s.Cells, chart.Cell{Class: tone, Sign: sign, Text: v.exact(float64(c.CreatedAt.Unix())) + "\n" + v.or("check."+outcome(c), outcome(c))})
	}
	s.Summary = v.must("overview.strip_summary", int64(len(s.Cells)), drifts)
	return s.HTML()
}

// outcome is what a check found, as a key of words.
func outcome(c api.DriftDetection) string {
	switch {
	case c.ActionTaken == "health_check_failed":
		return "failed"
	case c.Drift:
		return c.ActionTaken
	case len(c.Details.Scores) == 0:
		return "unmeasured"
	}
	return "stable"
}

func toneOf(c api.DriftDetection) string {
	switch outcome(c) {
	case "stable":
		return "good"
	case "unmeasured":
		return "none"
	case "failed", "retrain_failed":
		return "bad"
	}
	return "warn"
}

// accuracyCurve is the accuracy of what was trained, over time.
func (v *visit) accuracyCurve(trainings []api.Training) template.HTML {
	l := v.timeLine("curve-accuracy", "overview.accuracy_curve")
	l.Y = func(y float64) string { return v.percent(1, y) }
	s := chart.Series{Name: v.must("figure.accuracy")}
	for _, t := range slices.Backward(trainings) {
		s.Points = append(s.Points, chart.Point{X: float64(t.CreatedAt.Unix()), Y: t.AccuracyAfter})
		if t.Verdict == "rejected" {
			l.Marks = append(l.Marks, chart.Mark{X: float64(t.CreatedAt.Unix()), Class: "bad", Text: v.must("event.rejected") + " " + t.ModelVersion})
		}
	}
	l.Series = []chart.Series{s}
	if n := len(s.Points); n > 0 {
		l.Summary = v.must("overview.accuracy_summary", n, l.Y(s.Points[n-1].Y))
	}
	return v.spanned(l).HTML()
}

// scoreCurve is the greatest distance of any feature in each check.
func (v *visit) scoreCurve(checks []api.DriftDetection) template.HTML {
	l := v.timeLine("curve-score", "overview.score_curve")
	zero := 0.0
	l.Low = &zero
	s := chart.Series{Name: v.must("figure.ks")}
	for _, c := range slices.Backward(checks) {
		if len(c.Details.Scores) == 0 {
			continue
		}
		worst := slices.MaxFunc(c.Details.Scores, func(a, b api.FeatureScore) int { return cmp.Compare(a.KS, b.KS) })
		s.Points = append(s.Points, chart.Point{X: float64(c.CreatedAt.Unix()), Y: worst.KS})
	}
	l.Series = []chart.Series{s}
	if n := len(s.Points); n > 0 {
		l.Summary = v.must("overview.score_summary", n, v.significant(s.Points[n-1].Y))
	}
	return v.spanned(l).HTML()
}

// timeLine is a chart over time in the reader's language.
func (v *visit) timeLine(id, title string) chart.Line {
	return chart.Line{
		ID: id, Title: v.must(title), Time: true, X: v.exact, Y: v.significant,
		Labels: chart.Labels{X: v.must("chart.time"), Figures: v.must("chart.figures"), Empty: v.must(title + "_empty")},
	}
}

// spanned writes the moments of an axis as short as the time it spans allows.
func (v *visit) spanned(l chart.Line) chart.Line {
	low, high := 0.0, 0.0
	for _, s := range l.Series {
		for _, p := range s.Points {
			if low == 0 || p.X < low {
				low = p.X
			}
			high = max(high, p.X)
		}
	}
	l.TickX = v.axis(time.Duration(high-low) * time.Second)
	return l
}

// begins reports whether a check is the first in a row of its kind: what goes on is told once. The checks
// are in their order, the newest first.
func begins(checks []api.DriftDetection, i int) bool {
	if i == len(checks)-1 {
		return true
	}
	before := checks[i+1]
	return before.Drift != checks[i].Drift || before.ModelVersion != checks[i].ModelVersion ||
		(before.ActionTaken == "health_check_failed") != (checks[i].ActionTaken == "health_check_failed")
}

// event is something that happened.
type event struct {
	At      time.Time
	Code    string // of its words
	Tone    string
	Version string
	Share   *float64
}

// eventsOf are the latest things that happened, newest first.
func eventsOf(trainings []api.Training, checks []api.DriftDetection) []event {
	var out []event
	for _, t := range trainings {
		e := event{At: t.CreatedAt, Code: t.Verdict, Tone: "good", Version: t.ModelVersion, Share: &t.AccuracyAfter}
		if t.Verdict == "rejected" {
			e.Tone = "none"
		}
		out = append(out, e)
	}
	for i, c := range checks {
		switch {
		case !begins(checks, i):
		case c.ActionTaken == "health_check_failed":
			out = append(out, event{At: c.CreatedAt, Code: "check_failed", Tone: "bad", Version: c.ModelVersion})
		case c.Drift:
			out = append(out, event{At: c.CreatedAt, Code: "drift", Tone: "warn", Version: c.ModelVersion})
		}
	}
	slices.SortStableFunc(out, func(a, b event) int { return b.At.Compare(a.At) })
	return out[:min(len(out), timelineLast)]
}
