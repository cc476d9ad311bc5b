package monitor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

// flowers is a schema whose rows come from people alone.
func flowers() ml.Schema {
	return ml.Schema{Features: []string{"petal", "sepal"}, Target: "kind", Classes: [2]string{"a", "b"}}
}

// drifting is a platform of imported rows, dataset 4, on which v1 serves and its traffic has moved.
func drifting(t *testing.T, schema ml.Schema, o Options) *bundle {
	t.Helper()
	b := statistical(t, o)
	b.store.active.Schema, b.store.active.DatasetIDs = schema, []int64{4}
	b.store.versions = []ml.Version{*b.store.active}
	b.store.sets = []ml.Dataset{{ID: 4, Fingerprint: "f4"}}
	b.store.predict(1, "v1", 500, -1, 0)
	return b
}

// trains has retrainings end as the verdict says, with a version of the given datasets.
func (b *bundle) trains(verdict ml.Verdict, name string, datasets ...int64) {
	b.api.retrain = func(context.Context) (*ml.RetrainResult, int64, error) {
		v := ml.Version{
			Name: name, Status: ml.VersionRejected, Reason: ml.ReasonDrift, Schema: b.store.active.Schema,
			CreatedAt: b.now.Add(time.Second), DatasetIDs: datasets,
		}
		if verdict == ml.VerdictActivated {
			v.Status, v.ActivatedAt = ml.VersionReady, v.CreatedAt
			b.store.active = &v
		}
		b.store.versions = append(b.store.versions, v)
		return &ml.RetrainResult{Verdict: verdict, Candidate: name, Version: b.store.active.Name, DatasetIDs: datasets}, 7, nil
	}
}

func TestRejectedRetrainingIsNotRepeated(t *testing.T) {
	t.Parallel()
	b := drifting(t, flowers(), Options{Cooldown: time.Minute})
	b.trains(ml.VerdictRejected, "v2", 4)
	if r := b.check(t); r.Action != ml.ActionRetrainRejected || !strings.Contains(r.Details.Note, "the drift stays; new labelled data is needed") {
		t.Errorf("%+v", r)
	}
	for range 2 * trendChecks { // until the checks that are looked back at know nothing of it
		r := b.check(t)
		if r.Action != ml.ActionNewDataNeeded || !strings.Contains(r.Details.Note, "iacontinu import FILE.csv --target kind") ||
			!strings.Contains(r.Details.Note, "POST /datasets?target=kind") {
			t.Fatalf("%+v", r)
		}
	}
	if b.api.retrains != 1 {
		t.Errorf("%d retrainings", b.api.retrains)
	}
	// The last one after each hour, in case that nobody was told.
	want := []string{"drift drift", "retrain rejected", "drift new_data_needed", "drift new_data_needed"}
	if d := cmp.Diff(want, b.queue.states(ml.EventDrift, ml.EventRetrain)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	if e := worded(b.queue.events[3]); !strings.Contains(e.Text, "Petal no longer looks") || !strings.Contains(e.Text, "iacontinu import") {
		t.Errorf("the message does not say what to do: %+v", e)
	}

	b.store.sets = append(b.store.sets, ml.Dataset{ID: 5})
	b.trains(ml.VerdictActivated, "v3", 4, 5)
	if r := b.check(t); r.Action != ml.ActionRetrained || r.Details.Note != "" {
		t.Errorf("with new data: %+v", r)
	}
}

func TestSameDataAgainIsSaid(t *testing.T) {
	t.Parallel()
	b := drifting(t, flowers(), Options{Cooldown: time.Minute})
	b.trains(ml.VerdictActivated, "v2", 4)
	if r := b.check(t); r.Action != ml.ActionRetrained || !strings.Contains(r.Details.Note, "so that the drift may go on; new labelled data") {
		t.Errorf("%+v", r)
	}
	b.now = b.now.Add(time.Hour)
	b.store.predict(2, "v2", 500, -1, 0)
	if r := b.check(t); r.Action != ml.ActionNewDataNeeded || b.api.retrains != 1 {
		t.Errorf("%+v after %d retrainings", r, b.api.retrains)
	}
}

// TestWhatMakesRetrainingWorthwhile starts from a retraining for drift, on drawn rows or on imported
// ones, that was followed by drift.
func TestWhatMakesRetrainingWorthwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		schema ml.Schema
		change func(*bundle)
		futile bool
	}{
		{"nothing, imported", flowers(), func(*bundle) {}, true},
		{"nothing, drawn", ml.GeneratedSchema(), func(*bundle) {}, true},
		{"a dataset of a person", ml.GeneratedSchema(), func(b *bundle) { b.store.sets = append(b.store.sets, ml.Dataset{ID: 6}) }, false},
		{"the dataset that a job drew", ml.GeneratedSchema(), func(b *bundle) { b.store.sets = append(b.store.sets, ml.Dataset{ID: 6, JobID: 9}) }, true},
		{"a dataset of a person, before one that a job drew", ml.GeneratedSchema(), func(b *bundle) {
			b.store.sets = append(b.store.sets, ml.Dataset{ID: 6}, ml.Dataset{ID: 7, JobID: 9})
		}, false},
		{"the same file again", flowers(), func(b *bundle) {
			b.store.sets = append(b.store.sets, ml.Dataset{ID: 6, Fingerprint: "f4"})
		}, true},
		{"the same file again, and the newest of the version's datasets removed", flowers(), func(b *bundle) {
			b.store.sets = []ml.Dataset{b.store.sets[0], {ID: 6, Fingerprint: "f4"}}
		}, true},
		{"another file twice", flowers(), func(b *bundle) {
			b.store.sets = append(b.store.sets, ml.Dataset{ID: 6, Fingerprint: "f6"}, ml.Dataset{ID: 7, Fingerprint: "f6"})
		}, false},
		{"it was a draw that asked for it", flowers(), func(b *bundle) {
			for i := range b.store.checks {
				b.store.checks[i].Method = Random
			}
		}, false},
		{"unknown datasets", flowers(), func(b *bundle) { b.store.setFail("NewestDatasets", errors.New("locked")) }, false},
		{"another version by hand", flowers(), func(b *bundle) {
			b.store.active.Reason, b.store.active.Name = ml.ReasonManual, "v3"
			b.store.versions = append(b.store.versions, *b.store.active)
			b.store.predict(3, "v3", 500, -1, 0)
		}, false},
		{"the drift eased, drawn", ml.GeneratedSchema(), func(b *bundle) { b.store.predict(3, "v2", 2000, -0.5, 0) }, false},
		{"the drift eased, imported", flowers(), func(b *bundle) { b.store.predict(3, "v2", 2000, -0.5, 0) }, true},
		{"it was calm meanwhile, drawn", ml.GeneratedSchema(), func(b *bundle) {
			b.store.checks = append(b.store.checks, ml.DriftReport{
				Method: Statistical, Action: ml.ActionNone, CreatedAt: b.now,
				Details: ml.CheckDetails{Scores: []ml.FeatureScore{{Feature: "feature1", KS: 0.02}}},
			})
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := drifting(t, tt.schema, Options{Cooldown: time.Minute})
			b.store.sets = append(b.store.sets, ml.Dataset{ID: 5, JobID: 7})
			b.trains(ml.VerdictActivated, "v2", 4, 5)
			b.check(t)
			b.now = b.now.Add(time.Hour)
			b.store.predict(2, "v2", 500, -1, 0)
			tt.change(b)
			r, _ := b.RunOnce(t.Context(), Request{Slot: b.slot()}) // the error is that of the unreadable datasets
			if got := r.Action == ml.ActionNewDataNeeded; got != tt.futile || !r.Drift {
				t.Errorf("%+v", r)
			}
		})
	}
}
