package webui

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/chart"
)

// overviewData is what the overview shows.
type overviewData struct {
	api.Overview
	Verdict verdict
	Also    []verdict // what else a person should know
	Stats   api.PredictionStats
	Strip   template.HTML // the latest checks
	Last    *api.ShortCheck
	Curves  []template.HTML
	Events  []event
	Chosen  bool // a range of time was chosen
	Spans   []span
}

// verdict is how the platform is in one sentence, by the key of its words.
type verdict struct {
	Code string
	Tone string // good, warn or bad
	Link string // to where more is told
	What string // which service or queue it is of
}

const (
	timelineLast = 14
	mostDrifts   = 200 // checks that saw drift, of which those in a row are told once
)

func loadOverview(ctx context.Context, v *visit) (any, error) {
	var d overviewData
	var scores api.DriftScores
	var trainings api.TrainingHistory
	var happened, drifts api.EventList
	c := v.client
	from, to := timeRange(v.query)
	during := api.During{From: from, To: to}
	d.Chosen = !from.IsZero() || !to.IsZero()
	d.Spans = v.spans("/", time.Now())
	err := together(ctx,
		ask(&d.Overview, c.Overview), ask(&d.Stats, c.Stats),
		ask(&scores, func(ctx context.Context) (api.DriftScores, error) { return c.DriftScores(ctx, during, 0) }),
		ask(&trainings, func(ctx context.Context) (api.TrainingHistory, error) { return c.Trainings(ctx, 100) }),
		ask(&happened, func(ctx context.Context) (api.EventList, error) {
			return c.Events(ctx, during, 2*timelineLast, "failed", "verdict", "swap", "rollback", "import", "generate")
		}),
		ask(&drifts, func(ctx context.Context) (api.EventList, error) { return c.Events(ctx, during, mostDrifts, "drift") }),
	)
	if err != nil {
		return nil, err
	}
	if n := len(d.Checks); n > 0 {
		d.Last = &d.Checks[n-1]
	}
	all := v.judge(d.Overview)
	d.Verdict, d.Also = all[0], all[1:]
	d.Strip = v.checkStrip(d.Checks)
	d.Events = eventsOf(happened.Events, drifts.Events)
	if d.Chosen {
		trainings.Trainings = slices.DeleteFunc(trainings.Trainings, func(t api.Training) bool {
			return t.CreatedAt.Before(from) || !to.IsZero() && t.CreatedAt.After(to)
		})
	}
	d.Curves = []template.HTML{v.accuracyCurve(trainings.Trainings, d.Events), v.scoreCurve(scores)}
	return d, nil
}

// Waits reports whether anything is still to be done.
func (d overviewData) Waits() bool { return len(d.Waiting.Jobs)+len(d.Waiting.Deliveries) > 0 }

// judge says how the platform is, what is worst first.
func (v *visit) judge(o api.Overview) []verdict {
	tones := map[string]string{api.LevelOK: "good", api.LevelWatch: "warn", api.LevelAct: "bad"}
	var out []verdict
	for _, f := range o.Facts {
		code := f.Code
		switch {
		case code == "drift" && f.Values["action"] == "retrain_rejected":
			code = "drift_kept"
		case code == "drift" && f.Values["action"] == "cooldown":
			code = "drift_cooldown"
		case code == "well" && len(o.Checks) == 0:
			code = "unchecked"
		case code == "well":
			last := o.Checks[len(o.Checks)-1]
			if last.Drift && last.ActionTaken == "retrained" {
				code = "drift_retrained"
			} else if last.KS == nil { // nothing says that it is well
				code = "unmeasured"
			}
		}
		told := verdict{Code: code, Tone: cmp.Or(tones[f.Level], "warn")}
		if v.or("verdict."+code, "") == "" { // of an API newer than the pages
			told.Code, told.What = "unknown", code
		}
		if job, ok := f.Values["job"].(float64); ok {
			told.Link = fmt.Sprintf("/models?job=%.0f", job)
		}
		for _, of := range []string{"service", "queue"} {
			if name, ok := f.Values[of].(string); ok {
				told.What = v.or(of+"."+name, name)
			}
		}
		out = append(out, told)
	}
	if len(out) == 0 { // the API says that there is always one
		out = []verdict{{Code: "unchecked", Tone: "warn"}}
	}
	return out
}

// checkStrip draws the latest checks, which come oldest first.
func (v *visit) checkStrip(checks []api.ShortCheck) template.HTML {
	s := chart.Strip{Title: v.must("overview.strip"), Empty: v.must("overview.no_checks")}
	drifts := int64(0)
	for _, c := range checks {
		found := outcomeOf(c.ActionTaken, c.Drift, c.KS != nil)
		tone := toneOf(found)
		if c.Drift {
			drifts++
		}
		sign := map[string]string{"good": "", "warn": "!", "bad": "×", "none": "·"}[tone]
		s.Cells = append(s.Cells, chart.Cell{Class: tone, Sign: sign, Text: v.exact(float64(c.At.Unix())) + "\n" + v.or("check."+found, found)})
	}
	s.Summary = v.must("overview.strip_summary", int64(len(s.Cells)), drifts)
	return s.HTML()
}

// outcome is what a check found, as a key of words.
func outcome(c api.DriftDetection) string {
	return outcomeOf(c.ActionTaken, c.Drift, len(c.Details.Scores) > 0)
}

func outcomeOf(action string, drift, measured bool) string {
	switch {
	case action == "health_check_failed":
		return "failed"
	case drift:
		return action
	case !measured:
		return "unmeasured"
	}
	return "stable"
}

func toneOf(outcome string) string {
	switch outcome {
	case "stable":
		return "good"
	case "unmeasured":
		return "none"
	case "failed", "retrain_failed":
		return "bad"
	}
	return "warn"
}

// accuracyCurve is the accuracy of what was trained, over time, with what became of it.
func (v *visit) accuracyCurve(trainings []api.Training, events []event) template.HTML {
	l := v.timeLine("curve-accuracy", "overview.accuracy_curve")
	l.Y = func(y float64) string { return v.percent(1, y) }
	s := chart.Series{Name: v.must("figure.accuracy")}
	for _, t := range slices.Backward(trainings) {
		s.Points = append(s.Points, chart.Point{X: float64(t.CreatedAt.Unix()), Y: t.AccuracyAfter})
	}
	for _, e := range events {
		switch e.Code {
		case "rejected", "swap", "rollback":
			l.Marks = append(l.Marks, chart.Mark{X: float64(e.At.Unix()), Class: e.Tone, Text: v.must("event."+e.Code) + " " + e.Version})
		}
	}
	l.Series = []chart.Series{s}
	if n := len(s.Points); n > 0 {
		l.Summary = v.must("overview.accuracy_summary", n, l.Y(s.Points[n-1].Y))
	}
	return v.spanned(l).HTML()
}

// scoreCurve is the greatest distance of any feature in each check, and where it begins to count.
func (v *visit) scoreCurve(scores api.DriftScores) template.HTML {
	l := v.timeLine("curve-score", "overview.score_curve")
	zero := 0.0
	l.Low = &zero
	s := chart.Series{Name: v.must("figure.ks")}
	for i, p := range scores.Points {
		if len(p.Scores) == 0 {
			continue
		}
		worst := slices.MaxFunc(p.Scores, func(a, b api.FeatureScore) int { return cmp.Compare(a.KS, b.KS) })
		s.Points = append(s.Points, chart.Point{X: float64(p.At.Unix()), Y: worst.KS})
		if begins(scores.Points, i) {
			l.Marks = append(l.Marks, chart.Mark{X: float64(p.At.Unix()), Class: "warn", Text: v.must("event.drift")})
		}
	}
	l.Series, l.Limits = []chart.Series{s}, v.limits(scores.Thresholds)
	if n := len(s.Points); n > 0 {
		l.Summary = v.must("overview.score_summary", n, v.significant(s.Points[n-1].Y))
	}
	return v.spanned(l).HTML()
}

// limits are where a distance begins to count.
func (v *visit) limits(t api.DriftThresholds) []chart.Limit {
	if t.KS == 0 {
		return nil
	}
	return []chart.Limit{{Name: v.must("drift.limit", v.significant(t.KS)), Value: t.KS}}
}

// begins reports whether drift begins at a point: what goes on is told once.
func begins(points []api.ScorePoint, i int) bool {
	return points[i].Drift && (i == 0 || !points[i-1].Drift || points[i-1].ModelVersion != points[i].ModelVersion)
}

// timeLine is a chart over time in the reader's language.
func (v *visit) timeLine(id, title string) chart.Line {
	return chart.Line{
		ID: id, Title: v.must(title), Time: true, Zone: v.zone, X: v.exact, Y: v.significant,
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

// event is something that happened.
type event struct {
	At      time.Time
	Code    string // of its words
	Tone    string
	Version string
	Detail  string
	Share   *float64
	Rows    int64
	Times   int // how often in a row
}

// eventsOf are the latest things that happened, newest first. A drift that goes on is one event, and so is a
// version that is let in and then serves.
func eventsOf(happened, drifts []api.Event) []event {
	all := append(slices.Clone(happened), drifts...)
	slices.SortStableFunc(all, func(a, b api.Event) int { return b.At.Compare(a.At) })
	swaps := map[string]int{} // where the earliest of each version is, of those met
	var out []event
	for _, a := range all {
		e := event{At: a.At, Code: a.Kind, Tone: "none", Version: a.ModelVersion, Times: 1}
		switch a.Kind {
		case "drift":
			if e.Tone = "warn"; a.Detail == "retrain_failed" {
				e.Code, e.Tone = a.Detail, "bad"
			}
			if n := len(out); n > 0 && out[n-1].Code == e.Code && out[n-1].Version == e.Version {
				out[n-1].Times++
				out[n-1].At = a.At // when it began
				continue
			}
		case "failed":
			e.Tone = "bad"
			if n := len(out); n > 0 && out[n-1].Code == e.Code {
				out[n-1].Times++
				out[n-1].At = a.At
				continue
			}
		case "verdict":
			e.Code, e.Share = a.Detail, a.Value
			if at, ok := swaps[a.ModelVersion]; ok && e.Code == "activated" {
				out[at].Code = e.Code
				continue
			}
		case "swap":
			e.Tone, e.Share = "good", a.Value
			swaps[a.ModelVersion] = len(out)
		case "rollback":
			e.Tone, e.Share = "warn", a.Value
		case "import", "generate":
			e.Detail = a.Detail
			if a.Value != nil {
				e.Rows = int64(*a.Value)
			}
		}
		out = append(out, e)
	}
	return out[:min(len(out), timelineLast)]
}
