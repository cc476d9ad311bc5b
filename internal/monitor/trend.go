package monitor

import (
	"slices"

	"iacontinu/internal/forecast"
	"iacontinu/internal/ml"
)

// measureTrends fits the trend of the holdout accuracy over the versions, and of each feature's KS
// statistic over the checks.
func (c *check) measureTrends() {
	d := &c.report.Details
	if c.version.Name == "" {
		return
	}
	d.AccuracyTrend = c.trend(accuracies(c.versions, c.version.Schema), c.opt.AccuracyFloor, -1)
	for _, s := range d.Scores {
		if t := c.trend(c.distances(s), MinKS, +1); t != nil {
			if d.ScoreTrends == nil {
				d.ScoreTrends = map[string]ml.Trend{}
			}
			d.ScoreTrends[s.Feature] = *t
		}
	}
}

// accuracies are those of the versions that the gate let in and that answer the same question, oldest
// first. A version of the earlier system may have none.
func accuracies(newestFirst []ml.Version, schema ml.Schema) []float64 {
	var out []float64
	for _, v := range slices.Backward(newestFirst) {
		if v.Status != ml.VersionRejected && v.Accuracy > 0 && v.Schema.Equal(schema) {
			out = append(out, v.Accuracy)
		}
	}
	return out
}

// distances are the KS statistics of a feature in the checks since the version became active, the latest
// trendChecks of them, oldest first, this check's last. Another version has another reference window, so its
// scores do not compare.
func (c *check) distances(now ml.FeatureScore) []float64 {
	out := []float64{now.KS}
	for _, r := range c.past {
		if r.ModelVersion != c.version.Name || len(out) == trendChecks {
			break
		}
		for _, s := range r.Details.Scores {
			if s.Feature == now.Feature {
				out = append(out, s.KS)
			}
		}
	}
	slices.Reverse(out)
	return out
}

// trend fits a line, nil if there are too few values for one that could be believed. The crossing is
// told only in the bad direction: -1 for a floor, +1 for a ceiling.
func (c *check) trend(values []float64, limit, bad float64) *ml.Trend {
	if len(values) < forecast.MinCrossN {
		return nil
	}
	line, err := forecast.Fit(values)
	if err != nil {
		c.failed("fit a trend", err)
		return nil
	}
	t := &ml.Trend{Slope: line.Slope, R2: line.R2, N: line.N, Limit: limit}
	if steps, ok := line.Cross(limit); ok && line.Slope*bad > 0 {
		t.StepsToCross = &steps
	}
	return t
}
