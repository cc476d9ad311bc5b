package apiserver

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// evaluated is a version with what a retraining writes of it.
func evaluated(t *testing.T, w *world) {
	t.Helper()
	m, err := logreg.Evaluate([]float64{0.1, 0.6, 0.7, 0.9}, []uint8{0, 0, 1, 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	w.versionRows[0].Metrics = text
	w.artifact = &logreg.Artifact{
		Features: []string{"a", "b"}, Model: logreg.Model{Coef: []float64{2, -1}, Intercept: 0.25}, Options: logreg.Options{C: 1},
		Seed: 7, Fit: logreg.FitReport{Solver: "newton", Iterations: 5, Converged: true}, HoldoutSamples: 4,
	}
	w.window = [][]float64{{-1, 1}, {0, 10}}
	w.trained = []ml.TrainingRecord{{ID: 3, Version: "v2", Reason: "drift", Verdict: ml.VerdictActivated, Details: "better", MLflowRunID: "abc", CreatedAt: testNow}}
	w.champion = "v1"
}

func TestModelInFull(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.MLflowURL = "http://mlflow.example" })
	evaluated(t, b.world)
	got, err := b.client(t, "user").Model(t.Context(), "v2")
	if err != nil {
		t.Fatal(err)
	}
	q := got.Quality
	if q == nil || q.Accuracy != 0.75 || q.MajorityAccuracy != 0.5 || q.Confusion != [2][2]int{{1, 1}, {0, 2}} || len(q.Calibration) != 10 ||
		*q.ROCAUC != 1 || q.ROC == nil || q.ROC.TPR[len(q.ROC.TPR)-1] != 1 || q.AccuracyLow >= 0.75 {
		t.Errorf("quality %+v", q)
	}
	number := func(v float64) *float64 { return &v }
	want := []api.ModelFeature{
		{Name: "a", Coefficient: 2, Min: number(-1), Max: number(1), Mean: number(0), Scale: number(1)},
		{Name: "b", Coefficient: -1, Min: number(0), Max: number(10), Mean: number(5), Scale: number(5)},
	}
	if diff := cmp.Diff(want, got.Details); diff != "" || *got.Intercept != 0.25 {
		t.Errorf("intercept %v, features (-want +got):\n%s", got.Intercept, diff)
	}
	if f := got.Fit; f == nil || f.C != 1 || f.Seed != 7 || !f.Converged || f.HoldoutSamples != 4 {
		t.Errorf("fit %+v", got.Fit)
	}
	if got.Training == nil || got.Training.Details != "better" || got.Champion != "v1" || got.MLflowURL != "http://mlflow.example/#/runs/abc" {
		t.Errorf("training %+v, champion %q, MLflow %q", got.Training, got.Champion, got.MLflowURL)
	}
	if !got.IsActive || got.Metrics != nil || got.Problem != "" {
		t.Errorf("version %+v", got.Version)
	}
}

// A version of the earlier system, or one whose folder is lost, is still described.
func TestModelWithoutArtifact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, err := b.client(t, "user").Model(t.Context(), "v1")
	if err != nil || got.Problem == "" || got.Quality != nil || got.Training != nil || got.Details == nil || got.Intercept != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.client(t, "user").Model(t.Context(), "nope"); api.AsProblem(err) == nil || api.AsProblem(err).Status != 404 {
		t.Errorf("a version that is not there: %v", err)
	}
}

func TestPredictExplains(t *testing.T) {
	t.Parallel()
	b := setup(t)
	evaluated(t, b.world)
	got, err := b.client(t, "user").PredictExplained(t.Context(), map[string]float64{"b": -3, "a": 0.5})
	if err != nil {
		t.Fatal(err)
	}
	low, high, zero, ten := -1.0, 1.0, 0.0, 10.0
	want := &api.Explanation{Intercept: 0.5, LogOdds: -4.5, Contributions: []api.Contribution{
		{Feature: "a", Value: 0.5, Contribution: 1, Min: &low, Max: &high},
		{Feature: "b", Value: -3, Contribution: -6, Min: &zero, Max: &ten, OutOfRange: true},
	}}
	if diff := cmp.Diff(want, got.Explanation); diff != "" || got.PredictionID == "" {
		t.Errorf("%+v, explanation (-want +got):\n%s", got, diff)
	}
	plain, err := b.client(t, "user").Predict(t.Context(), []float64{1, 2})
	if err != nil || plain.Explanation != nil {
		t.Errorf("explained without being asked: %+v, %v", plain, err)
	}
	p := problem(t, b.send(t, "POST", "/predict", "user", `{"features":[1,2],"explain":"yes"}`), 422)
	if diff := cmp.Diff([]string{"body.explain"}, fields(p)); diff != "" {
		t.Errorf("wrong fields (-want +got):\n%s", diff)
	}
	// Numbers beyond the largest are not lost as an answer that is no JSON.
	if r := b.send(t, "POST", "/predict", "user", `{"features":[1.7e308,-1.7e308],"explain":true}`); r.StatusCode != 200 || !json.Valid([]byte(r.body)) {
		t.Errorf("%d: %s", r.StatusCode, r.body)
	}
}

// A window is read once, and one that can't be read is asked for again.
func TestWindowsAreRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	evaluated(t, b.world)
	for range 3 {
		if _, err := b.client(t, "user").Model(t.Context(), "v2"); err != nil {
			t.Fatal(err)
		}
	}
	b.window = nil
	if got, err := b.client(t, "user").Model(t.Context(), "v2"); err != nil || got.Details[0].Min == nil {
		t.Errorf("forgotten: %+v, %v", got.Details, err)
	}
}
