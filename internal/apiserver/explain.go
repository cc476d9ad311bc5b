package apiserver

import (
	"context"
	"math"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// explanationOf says how a prediction came about. What overflows ends at the largest number, for JSON has
// no infinity.
func (s *Server) explanationOf(ctx context.Context, p ml.Prediction, schema ml.Schema, e ml.Explanation) *api.Explanation {
	out := &api.Explanation{Intercept: e.Intercept, LogOdds: finite(e.LogOdds), Contributions: make([]api.Contribution, len(p.Features))}
	seen := s.seen.of(ctx, p.ModelVersion)
	for j, v := range p.Features {
		c := api.Contribution{Feature: schema.Features[j], Value: v, Contribution: finite(e.Contributions[j])}
		if j < len(seen) {
			c.Min, c.Max = &seen[j].Min, &seen[j].Max
			c.OutOfRange = v < seen[j].Min || v > seen[j].Max
		}
		out.Contributions[j] = c
	}
	return out
}

// finite is v within the range of numbers; infinity less infinity is nothing.
func finite(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, -math.MaxFloat64), math.MaxFloat64)
}
