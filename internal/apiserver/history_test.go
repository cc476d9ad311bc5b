package apiserver

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func TestHistoryIsOnesOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, who := range []string{"user", "other", "service", "user"} {
		if _, err := b.client(t, who).Predict(t.Context(), []float64{1, -2}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.client(t, "user").History(t.Context(), 1)
	if err != nil || got.Total != 2 || len(got.Predictions) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	user, one, two := int64(2), 1.0, -2.0
	want := api.LoggedPrediction{
		ID: 1, UserID: &user, ModelVersion: "v2", Feature1: &one, Feature2: &two, Prediction: 1, Confidence: 0.75,
		ResponseTimeMS: 1.5, CreatedAt: testNow, PredictionID: "p-1",
	}
	if diff := cmp.Diff(want, got.Predictions[0]); diff != "" {
		t.Errorf("prediction (-want +got):\n%s", diff)
	}
	// An administrator's own history is not everybody's either.
	if own, err := b.client(t, "admin").History(t.Context(), 0); err != nil || own.Total != 0 || own.Predictions == nil {
		t.Errorf("an administrator's own: %+v, %v", own, err)
	}
	all, err := b.client(t, "admin").HistoryAll(t.Context(), 0)
	if err != nil || all.Total != 4 || all.Predictions[2].UserID != nil {
		t.Errorf("all: %+v, %v", all, err)
	}
}

func TestHistoryOfOtherWidths(t *testing.T) {
	t.Parallel()
	if got := loggedOf(ml.LoggedPrediction{Prediction: ml.Prediction{Features: []float64{1}}}); *got.Feature1 != 1 || got.Feature2 != nil || got.Features != nil {
		t.Errorf("one feature: %+v", got)
	}
	got := loggedOf(ml.LoggedPrediction{Prediction: ml.Prediction{Features: []float64{1, 2, 3}}})
	if diff := cmp.Diff([]float64{1, 2, 3}, got.Features); diff != "" || *got.Feature2 != 2 {
		t.Errorf("three features: %+v", got)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := api.PredictionStats{TotalPredictions: 3, PredictionsByModel: map[string]int64{"v1": 3}, AverageConfidence: 0.75, AverageResponseTimeMS: 1.5}
	for who, asked := range map[string]int64{"user": 2, "admin": everybody, "service": everybody} {
		got, err := b.client(t, who).Stats(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" || b.statsFor != asked {
			t.Errorf("%s: %v, of user %d, want %d (-want +got):\n%s", who, err, b.statsFor, asked, diff)
		}
	}
}

func TestTrainings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := 0.8
	b.trained = []ml.TrainingRecord{
		{ID: 2, Version: "v2", Reason: "drift", TrainingSamples: 800, AccuracyBefore: &before, AccuracyAfter: 0.9, Duration: 1500 * time.Millisecond, CreatedAt: testNow, Verdict: ml.VerdictActivated, Details: "better", JobID: 5},
		{ID: 1, Version: "v1", Reason: "bootstrap", CreatedAt: testNow, MLflowRunID: "run"},
	}
	got, err := b.client(t, "user").Trainings(t.Context(), 0)
	if err != nil || got.Total != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := api.Training{
		ID: 2, ModelVersion: "v2", TriggerReason: "drift", TrainingSamples: 800, AccuracyBefore: &before, AccuracyAfter: 0.9,
		TrainingDurationSeconds: 1.5, CreatedAt: testNow, Verdict: "activated", Details: "better", JobID: 5,
	}
	if diff := cmp.Diff(want, got.Trainings[0]); diff != "" {
		t.Errorf("training (-want +got):\n%s", diff)
	}
	if first := got.Trainings[1]; first.AccuracyBefore != nil || *first.MLflowRunID != "run" {
		t.Errorf("first training %+v", first)
	}
}

func TestDriftHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.reports = []ml.DriftReport{{
		ID: 3, ModelVersion: "v2", Method: "statistical", TriggerValue: 0.001, Threshold: 0.01, Drift: true, Action: ml.ActionRetrained, CreatedAt: testNow,
		Details: ml.CheckDetails{Scores: []ml.FeatureScore{{Feature: "a", KS: 0.4, PValue: 0.001, PSI: 0.3, Drift: true}}, Rows: 500, JobID: 5, NewVersion: "v3", Duration: 0.5},
	}}
	got, err := b.client(t, "user").Drift(t.Context(), 0)
	want := api.DriftHistory{Total: 1, DriftDetections: []api.DriftDetection{{
		ID: 3, ModelVersion: "v2", DetectionMethod: "statistical", TriggerValue: 0.001, Threshold: 0.01, Drift: true, ActionTaken: "retrained", CreatedAt: testNow,
		Details: api.DriftDetails{Scores: []api.FeatureScore{{Feature: "a", KS: 0.4, PValue: 0.001, PSI: 0.3, Drift: true}}, Rows: 500, JobID: 5, NewVersion: "v3", DurationSeconds: 0.5},
	}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, history (-want +got):\n%s", err, diff)
	}
	for before, want := range map[int64]int{3: 0, 4: 1} {
		if got, err := b.client(t, "user").DriftBefore(t.Context(), before, 10); err != nil || len(got.DriftDetections) != want || got.Total != 1 {
			t.Errorf("before %d: %+v, %v", before, got, err)
		}
	}
}

// The bodies of the contract by their exact names, as clients written before this server read them,
// and lists that are never null.
func TestFieldNamesOfTheContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.client(t, "user").Predict(t.Context(), []float64{1, 2}); err != nil {
		t.Fatal(err)
	}
	b.begin("testuser")
	b.finish(ml.RetrainResult{Verdict: ml.VerdictActivated, Version: "v2"})
	for _, tt := range []struct{ method, path, who, body, want string }{
		{"GET", "/health", "", "", "status timestamp version checks"},
		{"POST", "/auth/login", "", `{"username":"testuser","password":"test123"}`, "access_token token_type expires_in user_id username role"},
		{"GET", "/auth/me", "user", "", "id username email role is_active created_at"},
		{"POST", "/predict", "user", `{"features":[1,2]}`, "prediction model_version confidence timestamp prediction_id"},
		{"POST", "/generate", "user", "", "generation_id samples_created timestamp"},
		{"POST", "/retrain", "user", "", "status model_version training_samples accuracy timestamp verdict champion_accuracy candidate_accuracy job_id"},
		{"POST", "/retrain/conditional", "user", "", "status action_taken current_accuracy threshold model_version retrain_triggered timestamp details"},
		{"GET", "/model/info", "", "", "model_version model_loaded model_type timestamp"},
		{"GET", "/datasets/list", "", "", "datasets total_datasets generation_id samples_count created_at hour_generated"},
		{"GET", "/predictions/history", "user", "", "predictions total id user_id model_version feature1 feature2 prediction confidence response_time_ms created_at"},
		{"GET", "/predictions/stats", "user", "", "total_predictions predictions_by_model average_confidence average_response_time_ms"},
		{"GET", "/training/history", "user", "", "trainings total"},
		{"GET", "/drift/history", "user", "", "drift_detections total"},
		{"GET", "/logs/system", "admin", "", "logs total id level component event_type message details user_id created_at"},
	} {
		r := b.send(t, tt.method, tt.path, tt.who, tt.body)
		if r.StatusCode != 200 {
			t.Errorf("%s: %d %s", tt.path, r.StatusCode, r.body)
		}
		for name := range strings.FieldsSeq(tt.want) {
			if !strings.Contains(r.body, `"`+name+`":`) {
				t.Errorf("%s has no %s: %s", tt.path, name, r.body)
			}
		}
		if strings.Contains(r.body, `s":null`) {
			t.Errorf("%s has a list that is null: %s", tt.path, r.body)
		}
		if strings.Contains(r.body, "$schema") {
			t.Errorf("%s has a $schema: %s", tt.path, r.body)
		}
	}
}
