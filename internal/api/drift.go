package api

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// DriftScores are the scores of checks over a span of time.
type DriftScores struct {
	From       time.Time       `json:"from"`
	To         time.Time       `json:"to"`
	Checks     int64           `json:"checks" doc:"How many there were in that time"`
	Read       int             `json:"read" doc:"How many of them the points stand for: all, or so many evenly spread over the time"`
	Thresholds DriftThresholds `json:"thresholds"`
	Features   []string        `json:"features" doc:"Those that points have scores of: the ones asked for, or those that moved most"`
	Points     []ScorePoint    `json:"points" doc:"Oldest first"`
}

// DriftThresholds are what scores are held against.
type DriftThresholds struct {
	KS       float64 `json:"ks" doc:"A feature that moved less, and by PSI less too, is no drift however sure the test is"`
	PSI      float64 `json:"psi"`
	PSIMajor float64 `json:"psi_major" doc:"From here on it is another population"`
	PValue   float64 `json:"p_value" doc:"Level of the test for all features together"`
}

// ScorePoint stands for one or several checks, with the worst of them.
type ScorePoint struct {
	At           time.Time      `json:"at" doc:"Of the last of them"`
	CheckID      int64          `json:"check_id" doc:"The last of them"`
	ModelVersion string         `json:"model_version"`
	Checks       int            `json:"checks"`
	Drift        bool           `json:"drift" doc:"One of them saw drift"`
	Scores       []FeatureScore `json:"scores" doc:"In the order of features; one that was not scored is missing. The largest ks and psi, the smallest p_value"`
}

// DriftDistributions set the predictions that a check scored against the reference window.
type DriftDistributions struct {
	Check         DriftDetection        `json:"check"`
	ReferenceRows int                   `json:"reference_rows"`
	CurrentRows   int                   `json:"current_rows" doc:"0 if there were none, or they are gone"`
	Features      []FeatureDistribution `json:"features" doc:"Those that moved most first; empty if no window is pinned to the version"`
}

// FeatureDistribution is one feature in both windows.
type FeatureDistribution struct {
	Feature       string        `json:"feature"`
	Edges         []float64     `json:"edges" doc:"Of the bins of both histograms; one more than there are bins"`
	Reference     []int         `json:"reference" doc:"Rows in each bin"`
	Current       []int         `json:"current"`
	ReferenceMean float64       `json:"reference_mean"`
	CurrentMean   *float64      `json:"current_mean"`
	Score         *FeatureScore `json:"score,omitempty" doc:"As the check measured it"`
}

// DriftScores reads the scores of the checks in a span of time in at most so many points; 0 means the
// server's default. Without names they are of the features that moved most.
func (c *Client) DriftScores(ctx context.Context, d During, points int, features ...string) (DriftScores, error) {
	q := d.query()
	if points > 0 {
		q.Set("points", strconv.Itoa(points))
	}
	if len(features) > 0 {
		q["feature"] = features
	}
	return get[DriftScores](ctx, c, PathDriftScores, q)
}

// DriftDistributions reads both windows of a check; 0 means the latest.
func (c *Client) DriftDistributions(ctx context.Context, check int64) (DriftDistributions, error) {
	q := url.Values{}
	if check > 0 {
		q.Set("check", strconv.FormatInt(check, 10))
	}
	return get[DriftDistributions](ctx, c, PathDriftDistributions, q)
}
