package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// world is what the tracker needs of the platform. All numbers in it are written down, not computed, so
// that each machine sends the same bytes.
type world struct {
	artifacts map[string]*logreg.Artifact
	sets      map[int64]ml.Dataset
}

func newWorld() *world {
	return &world{artifacts: map[string]*logreg.Artifact{}, sets: map[int64]ml.Dataset{}}
}

func (w *world) Dataset(_ context.Context, id int64) (ml.Dataset, error) {
	ds, ok := w.sets[id]
	if !ok {
		return ml.Dataset{}, ml.Errorf(ml.CodeNotFound, "there is no dataset %d", id)
	}
	return ds, nil
}

func (w *world) artifact(_ context.Context, version string) (*logreg.Artifact, error) {
	a, ok := w.artifacts[version]
	if !ok {
		return nil, fmt.Errorf("load %s: %w", version, fs.ErrNotExist)
	}
	return a, nil
}

func noon() time.Time { return time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC) }

func schema(k int) ml.Schema {
	s := ml.Schema{Target: "sold \"yet\"", Classes: [2]string{"no", "yes: it's"}}
	for j := range k {
		s.Features = append(s.Features, fmt.Sprintf("feature %d", j+1))
	}
	return s
}

// retraining is one of k features that the gate let in, with its artifact and dataset in the world.
func (w *world) retraining(job int64, k int) ml.TrackedRun {
	started := noon().Add(time.Duration(job) * time.Hour)
	name := fmt.Sprintf("v20240501-%02d0000-%d", started.Hour(), job)
	s := schema(k)
	auc, champion := 0.875, 0.79
	a := &logreg.Artifact{
		FormatVersion: logreg.FormatVersion, Version: name, Features: s.Features, Target: s.Target, Classes: s.Classes,
		Model: logreg.Model{Intercept: -0.25},
		Metrics: logreg.Metrics{
			N: 200, Accuracy: 0.81, AccuracyLow: 0.75, AccuracyHigh: 0.86, Precision: 0.8, Recall: 0.82, F1: 0.8099,
			LogLoss: 0.42, Brier: 0.13, ROCAUC: &auc, Confusion: [2][2]int{{80, 20}, {18, 82}},
			ROC:         &logreg.ROCCurve{FPR: []float64{0, 0.1, 0.4, 1}, TPR: []float64{0, 0.6, 0.9, 1}},
			Calibration: []logreg.CalibrationBin{{High: 0.5, MeanPredicted: 0.2, FractionPositive: 0.25, Count: 98}, {Low: 0.5, High: 1, MeanPredicted: 0.8, FractionPositive: 0.75, Count: 102}},
		},
		Options: logreg.Options{C: 0.5, Balanced: true}, Seed: 7,
		Fit:        logreg.FitReport{Iterations: 6, Converged: true, GradNorm: 1e-9, Objective: 321.5, Solver: logreg.SolverNewton},
		DatasetIDs: []int64{job}, DataFingerprint: strings.Repeat("ab", 32), TrainingSamples: 800, HoldoutSamples: 200, CreatedAt: started,
	}
	for j := range k {
		a.Model.Coef = append(a.Model.Coef, []float64{1.3, -0.7, 0.1, -2.5}[j%4]/float64(1+j/4))
		a.Reference = append(a.Reference, []float64{3, 1, float64(j), 2.5})
	}
	w.artifacts[name] = a
	w.sets[job] = ml.Dataset{
		ID: job, Samples: 1000, State: ml.DatasetReady, Source: ml.SourceImported, Name: "été \"1\".csv", Schema: s,
		ClassCounts: [2]int{498, 502}, Fingerprint: strings.Repeat("cd", 32), CreatedAt: started.Add(-time.Hour),
	}
	metrics, _ := json.Marshal(a.Metrics)
	return ml.TrackedRun{
		JobID: job, Started: started, Ended: started.Add(90 * time.Second),
		Args: ml.RetrainArgs{C: 0.5, Balanced: true, Seed: 7, Reason: ml.ReasonManual, RequestedBy: "admin"},
		Version: &ml.Version{
			Name: name, Accuracy: 0.81, TrainingSamples: 800, CreatedAt: started, Status: ml.VersionReady, Schema: s,
			Reason: ml.ReasonManual, DatasetIDs: []int64{job}, Metrics: metrics, JobID: job,
		},
		Result: &ml.RetrainResult{
			Verdict: ml.VerdictActivated, Version: name, Candidate: name, CandidateAccuracy: 0.81, ChampionAccuracy: &champion,
			MajorityAccuracy: 0.5, TrainingSamples: 800, HoldoutSamples: 200, DurationSeconds: 88.5, DatasetIDs: []int64{job},
			Details: "accuracy 0.8100 is no worse than the 0.7900 of the champion",
		},
		Aliases: &ml.Aliases{Champion: name},
	}
}

// rejected is a retraining after a check, not let in.
func (w *world) rejected(job int64, k int, champion string) ml.TrackedRun {
	r := w.retraining(job, k)
	r.Result.Verdict, r.Result.Version, r.Version.Status = ml.VerdictRejected, champion, ml.VersionRejected
	r.Args.Reason, r.Args.RequestedBy = ml.ReasonDrift, ""
	r.Args.Trigger = &ml.Trigger{FlowRun: "0b4a", Report: ml.DriftReport{
		Slot: 57, ModelVersion: champion, Method: "statistical", TriggerValue: 0.001, Threshold: 0.05, Drift: true, CreatedAt: r.Started,
		Details: ml.CheckDetails{Rows: 500, Scores: []ml.FeatureScore{{Feature: "feature 1", KS: 0.2, PValue: 0.001, PSI: 0.3, Drift: true}}},
	}}
	r.Aliases = &ml.Aliases{Champion: champion, Challenger: r.Version.Name}
	return r
}

// failed is a retraining without a verdict.
func (w *world) failed(job int64, champion string) ml.TrackedRun {
	r := w.retraining(job, 2)
	delete(w.artifacts, r.Version.Name)
	r.Version, r.Result, r.Failure = nil, nil, "the data can't be trained on: only one class in the data"
	r.Args.DatasetID, r.Aliases = job, &ml.Aliases{Champion: champion}
	return r
}

// page keeps the notes of one delivery.
type page struct {
	mu    sync.Mutex
	notes json.RawMessage
	fail  bool
}

func (p *page) save(_ context.Context, notes json.RawMessage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail {
		return errors.New("the database is away")
	}
	p.notes = notes
	return nil
}

func (w *world) tracker(t *testing.T, o Options) *Tracker {
	t.Helper()
	o.Clock = noon
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := NewTracker(TrackerOptions{Client: c, Artifact: w.artifact, Datasets: w, Installation: "here", Revision: "0123abc"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Transport != nil { // drawing is slow under the race detector, and has a test of its own
		tr.render = func(func() (*drawing, error)) ([]byte, error) { return []byte("a picture"), nil }
	}
	return tr
}

// local hands requests to a handler without a network.
type local struct{ handler http.Handler }

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	l.handler.ServeHTTP(rec, r)
	return rec.Result(), nil
}
