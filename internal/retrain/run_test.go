package retrain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

func TestFirstVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registry := prometheus.NewRegistry()
	r := w.retrainer(t, func(o *Options) { o.Registerer = registry })
	if err := r.Run(t.Context(), 7, testCreated(), ml.RetrainArgs{Generate: true, Reason: ml.ReasonBootstrap}, nil); err != nil {
		t.Fatal(err)
	}
	got := w.result(t, 7)
	const name = "v20260504-030201-7"
	if got.Verdict != ml.VerdictActivated || got.Version != name || got.Candidate != name {
		t.Errorf("result %+v, want %s activated", got, name)
	}
	if got.CandidateAccuracy < 0.95 || got.ChampionAccuracy != nil || got.MajorityAccuracy < 0.5 || got.MajorityAccuracy > 0.6 {
		t.Errorf("accuracy %v champion %v majority %v", got.CandidateAccuracy, got.ChampionAccuracy, got.MajorityAccuracy)
	}
	if got.TrainingSamples != 800 || got.HoldoutSamples != 200 || !slices.Equal(got.DatasetIDs, []int64{1}) {
		t.Errorf("rows %d and %d of datasets %v, want 800 and 200 of [1]", got.TrainingSamples, got.HoldoutSamples, got.DatasetIDs)
	}
	if want := []string{"data", "split", "train", "evaluate", "gate", "save", "activate"}; !slices.Equal(w.steps, want) {
		t.Errorf("steps %v, want %v", w.steps, want)
	}
	if a, err := logreg.LoadArtifact(filepath.Join(w.dir, name)); err != nil || a.Seed != 1 || !a.CreatedAt.Equal(testCreated()) {
		t.Errorf("artifact %+v err %v, want seed 1 and the time of the job", a, err)
	}
	if want := []string{"model " + name, "retrain ok"}; !slices.Equal(w.topics(), want) {
		t.Errorf("events %v, want %v", w.topics(), want)
	}
	v := w.versions[0]
	if v.Status != ml.VersionReady || v.Accuracy != got.CandidateAccuracy || !v.Schema.Equal(ml.GeneratedSchema()) || len(v.Metrics) == 0 {
		t.Errorf("version %+v", v)
	}
	if digest, err := logreg.Digest(filepath.Join(w.dir, name)); err != nil || digest != v.Digest {
		t.Errorf("digest %q err %v, want the stored %q", digest, err, v.Digest)
	}
	if reference, err := logreg.LoadReference(filepath.Join(w.dir, name)); err != nil || len(reference) != 2 || len(reference[0]) != 800 {
		t.Errorf("reference window %d columns err %v, want 2 of all 800 training rows", len(reference), err)
	}
	if n := testutil.ToFloat64(r.metrics.retrains.WithLabelValues(ml.ReasonBootstrap)); n != 1 {
		t.Errorf("%v retrainings counted, want 1", n)
	}
	if n, err := testutil.GatherAndCount(registry, "ml_training_duration_seconds", "iacontinu_retrain_verdicts_total"); n != 2 || err != nil {
		t.Errorf("%d metrics registered, err %v", n, err)
	}
}

// killed stands for the death of the process in a test that has only one.
type killed struct{ after string }

// Killed after any step and run again, a job ends as if nothing had happened.
func TestKilledInAnyStep(t *testing.T) {
	t.Parallel()
	args := ml.RetrainArgs{Generate: true, Reason: ml.ReasonDrift, Seed: 3}
	whole := newWorld(t)
	whole.add(ml.GeneratedSchema(), sample(300, 5, plane))
	whole.run(t, 9, args)
	for _, step := range []string{"data", "split", "train", "evaluate", "gate", "save", "activate"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add(ml.GeneratedSchema(), sample(300, 5, plane))
			func() {
				defer func() {
					if k, ok := recover().(killed); !ok || k.after != step {
						t.Fatalf("not killed after %s", step)
					}
				}()
				r := w.retrainer(t, func(o *Options) {
					o.AfterStep = func(s string) {
						if s == step {
							panic(killed{s})
						}
					}
				})
				_ = r.Run(t.Context(), 9, testCreated(), args, nil)
			}()
			w.run(t, 9, args)
			if diff := cmp.Diff(whole.outcomes, w.outcomes); diff != "" {
				t.Errorf("another end than without the kill (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(whole.events, w.events); diff != "" {
				t.Errorf("other messages (-want +got):\n%s", diff)
			}
			if len(w.sets) != len(whole.sets) {
				t.Errorf("%d datasets, want %d", len(w.sets), len(whole.sets))
			}
		})
	}
}

func TestMessagesAndVersionAreOneTransaction(t *testing.T) {
	t.Parallel()
	locked := errors.New("database is locked")
	for name, prepare := range map[string]func(*world){
		"a message can't be owed": func(w *world) { w.enqueueError = locked },
		"the commit fails":        func(w *world) { w.commitError = locked },
	} {
		w := newWorld(t)
		prepare(w)
		if err := w.retrainer(t, nil).Run(t.Context(), 1, testCreated(), ml.RetrainArgs{}, nil); !errors.Is(err, locked) || ml.CodeOf(err) != "" {
			t.Fatalf("%s: got %v, want an error worth another try", name, err)
		}
		if len(w.versions) != 0 || w.progress[1].Result != nil {
			t.Errorf("%s: a version was stored without its message", name)
		}
		if len(w.events) != 0 {
			t.Errorf("%s: %v is owed without a version", name, w.topics())
		}
	}
}

func TestSameDataAgainIsNoWorse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(500, 1, plane))
	first := w.run(t, 1, ml.RetrainArgs{})
	second := w.run(t, 2, ml.RetrainArgs{})
	if second.Verdict != ml.VerdictActivated || *second.ChampionAccuracy != first.CandidateAccuracy || second.CandidateAccuracy != first.CandidateAccuracy {
		t.Errorf("second result %+v after the first %+v, want the same figures", second, first)
	}
	if strings.Contains(second.Details, "may have trained") {
		t.Errorf("%q speaks of a leak where champion and candidate have the same sides", second.Details)
	}
}

// A candidate that learnt from rows of the past, by a rule that holds no more, is not let in.
func TestWorseCandidateIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(200, 1, plane))
	champion := w.run(t, 1, ml.RetrainArgs{})
	w.events = nil
	turned := func(f1, f2 float64) uint8 { return label(0.5*f1-0.9*f2 > 0) }
	w.add(ml.GeneratedSchema(), sample(4000, 2, turned))
	w.add(ml.GeneratedSchema(), sample(900, 3, plane)) // newest: the holdout
	got := w.run(t, 2, ml.RetrainArgs{Reason: ml.ReasonManual})

	if got.Verdict != ml.VerdictRejected || got.Version != champion.Version || got.Candidate != "v20260504-030201-2" {
		t.Errorf("result %+v, want the candidate rejected and the champion kept", got)
	}
	if got.ChampionAccuracy == nil || *got.ChampionAccuracy <= got.CandidateAccuracy || got.CandidateAccuracy <= got.MajorityAccuracy {
		t.Errorf("figures %+v: this test wants the champion to be what beats the candidate", got)
	}
	if !strings.Contains(got.Details, "worse than") || !strings.Contains(got.Details, fmt.Sprintf("%.4f", *got.ChampionAccuracy)) ||
		!strings.Contains(got.Details, fmt.Sprintf("%.4f", got.CandidateAccuracy)) {
		t.Errorf("details %q, want the reason and both figures", got.Details)
	}
	if a := w.active(); a.Name != champion.Version {
		t.Errorf("%s is active, want %s", a.Name, champion.Version)
	}
	if v := w.versions[1]; v.Status != ml.VersionRejected {
		t.Errorf("status %s, want rejected", v.Status)
	}
	if _, err := logreg.LoadArtifact(filepath.Join(w.dir, got.Candidate)); err != nil {
		t.Errorf("the rejected version was not saved: %v", err)
	}
	if want := []string{"retrain rejected"}; !slices.Equal(w.topics(), want) {
		t.Errorf("events %v, want %v", w.topics(), want)
	}
}

func TestUselessFirstCandidateIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := 0
	w.add(ml.GeneratedSchema(), sample(2000, 1, func(_, _ float64) uint8 { // nothing to learn, 1 in 4
		i++
		return label(i%4 == 0)
	}))
	got := w.run(t, 1, ml.RetrainArgs{})
	if got.Verdict != ml.VerdictRejected || got.Version != "" || !strings.Contains(got.Details, "more frequent class") {
		t.Errorf("result %+v, want rejected with nothing serving", got)
	}
}

func flowers() ml.Schema {
	return ml.Schema{Features: []string{"petal", "sepal"}, Target: "kind", Classes: [2]string{"setosa", "other"}}
}

func TestNamedDatasetChangesTheServedSchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 1, ml.RetrainArgs{})
	ds := w.add(flowers(), sample(100, 2, plane))
	got := w.run(t, 2, ml.RetrainArgs{DatasetID: ds.ID})
	if got.Verdict != ml.VerdictActivated || got.ChampionAccuracy != nil || !strings.Contains(got.Details, "other features") {
		t.Errorf("result %+v, want activated without a comparison", got)
	}
	if a := w.active(); !a.Schema.Equal(flowers()) {
		t.Errorf("schema %+v, want the dataset's", a.Schema)
	}
	// From now on that schema is served: unnamed rows of another are not used.
	w.add(ml.GeneratedSchema(), sample(100, 3, plane))
	sets := len(w.sets)
	third := w.run(t, 3, ml.RetrainArgs{Generate: true})
	if !slices.Equal(third.DatasetIDs, []int64{ds.ID}) || len(w.sets) != sets {
		t.Errorf("trained on %v, want %v alone and nothing generated", third.DatasetIDs, ds.ID)
	}
}

// An administrator activates another schema while a job of the former one runs: the job must not
// take that back.
func TestJobOfAFormerSchemaEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 1, ml.RetrainArgs{})
	w.versions = append(w.versions, ml.Version{Name: "v-flowers", Schema: flowers()})
	r := w.retrainer(t, func(o *Options) {
		o.AfterStep = func(step string) {
			if step == "train" {
				w.activate("v-flowers")
			}
		}
	})
	err := r.Run(t.Context(), 2, testCreated(), ml.RetrainArgs{Seed: 2}, nil)
	if ml.CodeOf(err) != ml.CodeConflict || w.active().Name != "v-flowers" {
		t.Fatalf("got %v with %s active, want a conflict and v-flowers", err, w.active().Name)
	}
}

func TestStopIsNoVerdictOnTheData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := w.retrainer(t, func(o *Options) {
		o.AfterStep = func(step string) {
			if step == "split" {
				cancel()
			}
		}
	})
	if err := r.Run(ctx, 1, testCreated(), ml.RetrainArgs{}, nil); !errors.Is(err, context.Canceled) || ml.CodeOf(err) != "" {
		t.Fatalf("got %v, want context.Canceled without a code", err)
	}
}

func TestChampionThatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.run(t, 1, ml.RetrainArgs{})
	if err := os.WriteFile(filepath.Join(w.dir, first.Version, "model.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := w.run(t, 2, ml.RetrainArgs{})
	if got.Verdict != ml.VerdictActivated || got.ChampionAccuracy != nil || !strings.Contains(got.Details, first.Version+" could not be loaded") {
		t.Errorf("result %+v, want activated and the reader told why nothing was compared", got)
	}
	if !strings.Contains(w.log.String(), "level=WARN") {
		t.Error("no warning in the log")
	}
}

// Another version becomes active between the gate and the activation: the candidate has to beat that.
func TestOvertakenCandidateIsComparedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(500, 1, plane))
	w.run(t, 1, ml.RetrainArgs{C: 1e-9}) // a poor champion, and the first of its kind
	w.run(t, 2, ml.RetrainArgs{})
	first, second := w.versions[0].Name, w.versions[1].Name
	w.activate(first)
	w.beforeFinish = func() {
		w.beforeFinish = nil
		w.activate(second)
	}
	w.steps = nil
	got := w.run(t, 3, ml.RetrainArgs{C: 2})
	if want := []string{"data", "split", "train", "evaluate", "gate", "save", "activate", "evaluate", "gate", "save", "activate"}; !slices.Equal(w.steps, want) {
		t.Errorf("steps %v, want %v", w.steps, want)
	}
	if !strings.Contains(got.Details, second) {
		t.Errorf("details %q, want a comparison with %s", got.Details, second)
	}
}

func TestCandidateThatIsAlwaysOvertakenComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(200, 1, plane))
	w.run(t, 1, ml.RetrainArgs{})
	w.run(t, 2, ml.RetrainArgs{})
	w.beforeFinish = func() {
		if w.versions[0].Active {
			w.activate(w.versions[1].Name)
		} else {
			w.activate(w.versions[0].Name)
		}
	}
	if err := w.retrainer(t, nil).Run(t.Context(), 3, testCreated(), ml.RetrainArgs{}, nil); ml.CodeOf(err) != ml.CodeUnavailable {
		t.Fatalf("got %v, want unavailable", err)
	}
	if n := len(w.steps) - 2*stepsEnd; n != stepsEnd+3*4 {
		t.Errorf("%d steps, want all and three times the last four", n)
	}
}

func TestFailureIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		says string
	}{
		{ml.Errorf(ml.CodeUnprocessed, "9 rows are too few"), "9 rows are too few."},
		{&ml.Error{Message: "given up: the worker died 21 times"}, "Given up: the worker died 21 times."},
		{errors.New("open /secret: permission denied"), "An internal error; the worker's log has it."},
	} {
		w := newWorld(t)
		if err := w.retrainer(t, nil).Failed(t.Context(), 4, testCreated(), ml.RetrainArgs{Reason: ml.ReasonManual}, nil, c.err); err != nil {
			t.Fatal(err)
		}
		if e := w.events[0]; e.Topic != ml.EventRetrain || e.State != "failed" || english().text(e.Says[1:]) != c.says || e.At.IsZero() {
			t.Errorf("event %+v, want %q", e, c.says)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*Options){
		"Datasets":       func(o *Options) { o.Datasets = nil },
		"Generate":       func(o *Options) { o.Generate = nil },
		"ModelsDir":      func(o *Options) { o.ModelsDir = "" },
		"TrainingWindow": func(o *Options) { o.TrainingWindow = 9 },
		"Samples":        func(o *Options) { o.Samples = 2_000_000 },
		"KeepVersions":   func(o *Options) { o.KeepVersions = -1 },
		"KeepDatasets":   func(o *Options) { o.KeepDatasets = -1 },
	} {
		o := w.options()
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want an error that names it", name, err)
		}
	}
}
