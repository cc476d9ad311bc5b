package monitor

import (
	"cmp"
	"slices"

	"iacontinu/internal/drift"
	"iacontinu/internal/ml"
)

// decide says whether there is drift, in the report and in the flag of each score. It returns false if
// that could not be told.
func (c *check) decide(draw float64) bool {
	r := &c.report
	if r.Method == Random {
		judge(r.Details.Scores, DefaultStatisticalThreshold) // for the reader alone
		r.TriggerValue = draw
		if c.noModel { // what is not there can't have drifted
			return false
		}
		r.Drift = draw < r.Threshold
		return true
	}
	r.TriggerValue = judge(r.Details.Scores, r.Threshold)
	for _, s := range r.Details.Scores {
		r.Drift = r.Drift || s.Drift
	}
	if !r.Drift && r.TriggerValue < r.Threshold {
		c.note("check.too_small", map[string]any{"ks": MinKS, "psi": MinPSI})
	}
	return len(r.Details.Scores) > 0
}

// judge flags each feature whose difference is both significant, at the given level for all features
// together, and large enough to matter. It returns the smallest corrected p-value, 1 without scores.
func judge(scores []ml.FeatureScore, level float64) (smallest float64) {
	p := make([]float64, len(scores))
	for i, s := range scores {
		p[i] = s.PValue
	}
	smallest = 1
	for i, corrected := range drift.Holm(p) {
		s := &scores[i]
		s.Drift = corrected < level && (s.KS >= MinKS || s.PSI >= MinPSI)
		smallest = min(smallest, corrected)
	}
	return smallest
}

// worst returns the score of the feature that differs most: one flagged as drift before others, then
// by p-value, then by distance, since many p-values are too small to be told from zero.
func worst(scores []ml.FeatureScore) (s ml.FeatureScore, ok bool) {
	if len(scores) == 0 {
		return s, false
	}
	return slices.MinFunc(scores, func(a, b ml.FeatureScore) int {
		if a.Drift != b.Drift {
			if a.Drift {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.PValue, b.PValue), cmp.Compare(b.KS, a.KS))
	}), true
}
