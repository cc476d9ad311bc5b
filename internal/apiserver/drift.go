package apiserver

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/drift"
	"iacontinu/internal/ml"
	"iacontinu/internal/summary"
)

// checkLog reads the checks and what they scored.
type checkLog interface {
	// Checks reads those of a span of time, oldest first, at most so many evenly spread, and says how many
	// there are.
	Checks(ctx context.Context, from, to time.Time, most int) ([]ml.DriftReport, int64, error)
	// Check fails with ml.CodeNotFound if there is none.
	Check(ctx context.Context, id int64) (ml.DriftReport, error)
	// PredictionsUntil reads the newest predictions of a version up to a moment: k columns of n values.
	PredictionsUntil(ctx context.Context, version string, until time.Time, limit, k int) (columns [][]float64, n int, err error)
}

const (
	readChecks    = 1000   // that one answer is made of
	shownFeatures = 12     // that moved most, if none is named
	bins          = 20     // of a histogram
	latestAmong   = 60     // checks, the latest one that scored anything is looked for
	mostScored    = 10_000 // predictions that are set against the reference
)

// defaultPoints is that of the field below.
const defaultPoints = 200

type askedScores struct {
	During
	Points   int      `query:"points" minimum:"2" maximum:"500" default:"200" doc:"Most points; each stands for as many checks as it takes, with the worst of them"`
	Features []string `query:"feature,explode" maxItems:"50" doc:"Only these; once for each. Left out: those that moved most"`
}

// driftScores shares the answer that open pages ask for again and again.
func (s *Server) driftScores(ctx context.Context, in *askedScores) (_ *with[api.DriftScores], err error) {
	var out api.DriftScores
	if in.From.IsZero() && in.To.IsZero() && len(in.Features) == 0 && in.Points == defaultPoints {
		out, err = s.lastScores.get(ctx, s.opt.Clock, overviewAge, func(ctx context.Context) (api.DriftScores, error) { return s.makeScores(ctx, in) })
	} else {
		out, err = s.makeScores(ctx, in)
	}
	if err != nil {
		return nil, err
	}
	return &with[api.DriftScores]{out}, nil
}

func (s *Server) makeScores(ctx context.Context, in *askedScores) (api.DriftScores, error) {
	from, to, err := s.span(in.During)
	if err != nil {
		return api.DriftScores{}, err
	}
	checks, total, err := s.opt.CheckLog.Checks(ctx, from, to, readChecks)
	if err != nil {
		return api.DriftScores{}, err
	}
	features := in.Features
	if len(features) == 0 {
		features = mostMoved(checks)
	}
	out := api.DriftScores{
		From: stamp(from), To: stamp(to), Checks: total, Read: len(checks), Features: list(features), Points: []api.ScorePoint{},
		Thresholds: api.DriftThresholds{KS: drift.KSNoticeable, PSI: drift.PSIModerate, PSIMajor: drift.PSIMajor, PValue: drift.Level},
	}
	for _, c := range checks {
		if c.Method == "statistical" {
			out.Thresholds.PValue = c.Threshold
		}
	}
	points := min(in.Points, len(checks))
	for i := range points {
		out.Points = append(out.Points, pointOf(checks[i*len(checks)/points:(i+1)*len(checks)/points], features))
	}
	return out, nil
}

// mostMoved are the features with the largest distances, in the order of their largest.
func mostMoved(checks []ml.DriftReport) []string {
	largest := map[string]float64{}
	var names []string
	for _, c := range checks {
		for _, f := range c.Details.Scores {
			if _, known := largest[f.Feature]; !known {
				names = append(names, f.Feature)
			}
			largest[f.Feature] = max(largest[f.Feature], f.KS)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(largest[b], largest[a]) })
	return names[:min(len(names), shownFeatures)]
}

// pointOf is the worst of checks, of which there is one at least.
func pointOf(checks []ml.DriftReport, features []string) api.ScorePoint {
	last := checks[len(checks)-1]
	p := api.ScorePoint{At: stamp(last.CreatedAt), CheckID: last.ID, ModelVersion: last.ModelVersion, Checks: len(checks), Scores: []api.FeatureScore{}}
	worst := map[string]api.FeatureScore{}
	for _, c := range checks {
		p.Drift = p.Drift || c.Drift
		for _, f := range c.Details.Scores {
			w, known := worst[f.Feature]
			if !known {
				w = api.FeatureScore{Feature: f.Feature, PValue: 1}
			}
			w.KS, w.PSI, w.PValue, w.Drift = max(w.KS, f.KS), max(w.PSI, f.PSI), min(w.PValue, f.PValue), w.Drift || f.Drift
			worst[f.Feature] = w
		}
	}
	for _, name := range features {
		if w, scored := worst[name]; scored {
			p.Scores = append(p.Scores, w)
		}
	}
	return p
}

type askedDistributions struct {
	Check string `query:"check" default:"latest" pattern:"^(latest|[1-9][0-9]{0,17})$" patternDescription:"the id of a check, or latest" doc:"The id of a check, or latest: of the last 60 the newest one that scored anything, else the newest"`
}

func (s *Server) driftDistributions(ctx context.Context, in *askedDistributions) (*with[api.DriftDistributions], error) {
	check, err := s.checkOf(ctx, in.Check)
	if err != nil {
		return nil, err
	}
	out := api.DriftDistributions{Check: detectionOf(check), Features: []api.FeatureDistribution{}}
	v, err := s.opt.Versions.Version(ctx, check.ModelVersion)
	if ml.CodeOf(err) == ml.CodeNotFound { // removed by retention, or the check was of no version
		return &with[api.DriftDistributions]{out}, nil
	}
	if err != nil {
		return nil, err
	}
	reference, err := s.opt.Artifacts.Reference(ctx, v.Name)
	if ml.CodeOf(err) == ml.CodeNotFound {
		return &with[api.DriftDistributions]{out}, nil
	}
	if err != nil {
		return nil, err
	}
	current := make([][]float64, len(reference))
	if rows := min(check.Details.Rows, mostScored); rows > 0 {
		current, out.CurrentRows, err = s.opt.CheckLog.PredictionsUntil(ctx, v.Name, check.CreatedAt, rows, len(reference))
		if err != nil {
			return nil, err
		}
	}
	for j := range min(len(reference), len(v.Schema.Features)) {
		out.ReferenceRows = len(reference[j])
		out.Features = append(out.Features, distributionOf(v.Schema.Features[j], reference[j], current[j], check.Details.Scores))
	}
	slices.SortStableFunc(out.Features, func(a, b api.FeatureDistribution) int { return cmp.Compare(moved(b), moved(a)) })
	return &with[api.DriftDistributions]{out}, nil
}

func (s *Server) checkOf(ctx context.Context, asked string) (ml.DriftReport, error) {
	if id, err := strconv.ParseInt(asked, 10, 64); err == nil {
		return s.opt.CheckLog.Check(ctx, id)
	}
	newest, _, err := s.opt.Records.DriftHistory(ctx, latestAmong)
	if err == nil && len(newest) == 0 {
		err = ml.Errorf(ml.CodeNotFound, "there was no check yet").Says("error.gone", nil)
	}
	if err != nil {
		return ml.DriftReport{}, err
	}
	return newest[max(0, slices.IndexFunc(newest, func(r ml.DriftReport) bool { return len(r.Details.Scores) > 0 }))], nil
}

func moved(f api.FeatureDistribution) float64 {
	if f.Score == nil {
		return 0
	}
	return f.Score.KS
}

// distributionOf counts both windows in the same bins, from the smallest value of both to the largest.
func distributionOf(name string, reference, current []float64, scores []ml.FeatureScore) api.FeatureDistribution {
	ref, cur := summary.Of(reference), summary.Of(current)
	low, high := ref.Min, ref.Max
	out := api.FeatureDistribution{Feature: name, ReferenceMean: ref.Mean}
	if cur.N > 0 {
		low, high, out.CurrentMean = math.Min(low, cur.Min), math.Max(high, cur.Max), &cur.Mean
	}
	out.Edges = summary.Edges(low, high, bins)
	out.Reference, out.Current = summary.Counts(reference, out.Edges), summary.Counts(current, out.Edges)
	for _, f := range scores {
		if f.Feature == name {
			score := scoreOf(f)
			out.Score = &score
		}
	}
	return out
}
