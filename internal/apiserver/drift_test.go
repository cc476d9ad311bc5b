package apiserver

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func scored(id int64, at time.Time, a, b float64) ml.DriftReport {
	return ml.DriftReport{
		ID: id, CreatedAt: at, ModelVersion: "v2", Method: "statistical", Threshold: 0.005, Drift: a > 0.3,
		Details: ml.CheckDetails{Rows: 3, Scores: []ml.FeatureScore{
			{Feature: "a", KS: a, PValue: 1 - a, PSI: a / 2, Drift: a > 0.3}, {Feature: "b", KS: b, PValue: 1 - b, PSI: b / 2},
		}},
	}
}

func TestDriftScores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.reports = []ml.DriftReport{ // newest first
		scored(4, testNow, 0.1, 0.2), scored(3, testNow.Add(-time.Minute), 0.4, 0.1),
		{ID: 2, CreatedAt: testNow.Add(-2 * time.Minute)},
		scored(1, testNow.Add(-3*time.Minute), 0.2, 0.25),
		scored(0, testNow.AddDate(0, 0, -2), 0.9, 0.9),
	}
	got, err := b.client(t, "user").DriftScores(t.Context(), api.During{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []api.ScorePoint{
		{At: testNow.Add(-2 * time.Minute), CheckID: 2, Checks: 2, Scores: []api.FeatureScore{
			{Feature: "a", KS: 0.2, PValue: 0.8, PSI: 0.1}, {Feature: "b", KS: 0.25, PValue: 0.75, PSI: 0.125},
		}},
		{At: testNow, CheckID: 4, ModelVersion: "v2", Checks: 2, Drift: true, Scores: []api.FeatureScore{
			{Feature: "a", KS: 0.4, PValue: 0.6, PSI: 0.2, Drift: true}, {Feature: "b", KS: 0.2, PValue: 0.8, PSI: 0.1},
		}},
	}
	if diff := cmp.Diff(want, got.Points); diff != "" {
		t.Errorf("points, each the worst of its checks (-want +got):\n%s", diff)
	}
	if got.Checks != 4 || !slices.Equal(got.Features, []string{"a", "b"}) || got.Thresholds.PValue != 0.005 || got.Thresholds.KS != 0.1 {
		t.Errorf("%+v", got)
	}
	got, err = b.client(t, "user").DriftScores(t.Context(), api.During{}, 0, "b")
	if err != nil || len(got.Points) != 4 || len(got.Points[0].Scores) != 1 || got.Points[0].Scores[0].Feature != "b" || got.Points[1].Scores == nil {
		t.Errorf("of one feature: %+v, %v", got, err)
	}
	got, err = b.client(t, "user").DriftScores(t.Context(), api.During{To: testNow.AddDate(-1, 0, 0)}, 0)
	if err != nil || got.Points == nil || got.Features == nil {
		t.Errorf("of a time without checks: %+v, %v", got, err)
	}
}

// predictionsUntil keeps until when predictions were read.
type predictionsUntil struct {
	*world
	until *time.Time
}

func (p predictionsUntil) PredictionsUntil(ctx context.Context, version string, until time.Time, limit, k int) ([][]float64, int, error) {
	*p.until = until
	return p.world.PredictionsUntil(ctx, version, until, limit, k)
}

// A check saw the predictions before it, not those that came since.
func TestDriftDistributionsEndAtTheCheck(t *testing.T) {
	t.Parallel()
	var until time.Time
	b := setup(t, func(w *world, o *Options) { o.CheckLog = predictionsUntil{w, &until} })
	at := testNow.Add(-time.Hour)
	b.reports = []ml.DriftReport{scored(4, at, 0.1, 0.9)}
	b.window = [][]float64{{0, 1}, {7, 7}}
	b.recent = [][]float64{{20, 20, 4}, {7, 7, 7}}
	if _, err := b.client(t, "user").DriftDistributions(t.Context(), 4); err != nil || !until.Equal(at) {
		t.Errorf("predictions until %v, %v; want %v", until, err, at)
	}
}

func TestDriftDistributions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "user")
	if _, err := c.DriftDistributions(t.Context(), 0); api.AsProblem(err) == nil || api.AsProblem(err).Status != 404 {
		t.Errorf("before the first check: %v", err)
	}
	b.reports = []ml.DriftReport{{ID: 5, CreatedAt: testNow}, scored(4, testNow, 0.1, 0.9)} // the last one had too few rows
	got, err := c.DriftDistributions(t.Context(), 0)
	if err != nil || got.Check.ID != 4 || got.Features == nil || len(got.Features) != 0 {
		t.Errorf("without a reference window: %+v, %v", got, err)
	}
	b.window = [][]float64{{0, 1, 2, 4}, {7, 7, 7, 7}}
	b.recent = [][]float64{{20, 20, 4, 99}, {7, 7, 7, 7}}
	if got, err = c.DriftDistributions(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if got.ReferenceRows != 4 || got.CurrentRows != 3 || len(got.Features) != 2 || got.Features[0].Feature != "b" {
		t.Fatalf("%+v", got) // the one that moved most is first
	}
	a := got.Features[1]
	if len(a.Edges) != 21 || a.Edges[0] != 0 || a.Edges[20] != 20 || a.Reference[0] != 1 || a.Reference[4] != 1 ||
		a.Current[4] != 1 || a.Current[19] != 2 || a.Score == nil || a.Score.KS != 0.1 || a.ReferenceMean != 1.75 {
		t.Errorf("%+v", a)
	}
	for _, query := range []string{"?check=0", "?check=-1", "?check=oldest", "?check=99999999999999999999"} {
		problem(t, b.send(t, "GET", "/drift/distributions"+query, "user", ""), 422)
	}
	problem(t, b.send(t, "GET", "/drift/distributions?check=77", "user", ""), 404)
}
