package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// outcome is a retraining that ended well.
func outcome(job int64, version string, activate bool, datasets ...int64) ml.RetrainOutcome {
	before := 0.75
	return ml.RetrainOutcome{
		Version: ml.Version{
			Name: version, Accuracy: 0.9, TrainingSamples: 800, CreatedAt: at(2026, 1, 2, 3, 4, 5, 0),
			Status: ml.VersionReady, Schema: ml.GeneratedSchema(), Reason: ml.ReasonDrift, DatasetIDs: datasets,
			Metrics: json.RawMessage(`{"accuracy":0.9}`), Digest: "abc", JobID: job,
		},
		Record: ml.TrainingRecord{
			Version: version, Reason: ml.ReasonDrift, TrainingSamples: 800, AccuracyBefore: &before, AccuracyAfter: 0.9,
			Duration: 1500 * time.Millisecond, CreatedAt: at(2026, 1, 2, 3, 4, 6, 0), Verdict: ml.VerdictActivated,
			Details: "better", JobID: job,
		},
		Result:   ml.RetrainResult{Verdict: ml.VerdictActivated, Version: version, CandidateAccuracy: 0.9, ChampionAccuracy: &before},
		Activate: activate,
	}
}

func finishRetrain(t *testing.T, s *store.Store, job int64, version string, activate bool, datasets ...int64) {
	t.Helper()
	o := outcome(job, version, activate, datasets...)
	if champion, err := s.Active(t.Context()); err == nil {
		o.Champion = champion.Name
	}
	ok(t, s.FinishRetrain(t.Context(), o, nil))
}

func TestRetrainIsStoredAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := at(2026, 1, 2, 3, 4, 7, 0)
	s := setup(t, func(o *store.Options) { o.Clock = func() time.Time { return now } })
	ok(t, s.LogBatch(ctx, make([]ml.Prediction, 3)))
	o := outcome(5, "v1", true, 1, 2)
	calls := 0
	then := func(tx *sql.Tx) error {
		calls++
		_, err := tx.ExecContext(ctx, "INSERT INTO notification_state (topic, state, revision) VALUES ('t', 's', 1)")
		return err
	}
	ok(t, s.FinishRetrain(ctx, o, then))
	ok(t, s.FinishRetrain(ctx, o, then)) // the job was killed before it could say that it was done
	if calls != 1 {
		t.Errorf("then was called %d times", calls)
	}
	want := o.Version
	want.ID, want.Active, want.ActivatedAt, want.SincePrediction = 1, true, now, 3
	got, err := s.Active(ctx)
	ok(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("active (-want +got):\n%s", diff)
	}
	records, total, err := s.TrainingHistory(ctx, 10)
	ok(t, err)
	o.Record.ID = 1
	if diff := cmp.Diff([]ml.TrainingRecord{o.Record}, records); diff != "" || total != 1 {
		t.Errorf("%d trainings (-want +got):\n%s", total, diff)
	}
	ok(t, s.SetProgress(ctx, 5, "train", 0.5)) // a straggler must not undo the end
	progress, err := s.Progress(ctx, 5)
	ok(t, err)
	if diff := cmp.Diff(ml.JobProgress{Step: "activate", Fraction: 1, UpdatedAt: now, Result: &o.Result}, progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if n, err := s.NotificationState(ctx, "t"); err != nil || n.State != "s" {
		t.Errorf("what then wrote: %v, %v", n, err)
	}
}

func TestFailedRetrainLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	finishRetrain(t, s, 1, "v1", true)
	boom := errors.New("boom")
	overtaken := outcome(2, "v2", true)
	overtaken.Champion = "v0"
	if err := s.FinishRetrain(ctx, overtaken, nil); ml.CodeOf(err) != ml.CodeConflict {
		t.Errorf("FinishRetrain against another champion: %v, want code conflict", err)
	}
	second := outcome(2, "v2", true)
	second.Champion = "v1"
	if err := s.FinishRetrain(ctx, second, func(*sql.Tx) error { return boom }); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if v, err := s.Active(ctx); err != nil || v.Name != "v1" {
		t.Errorf("active is %v, %v", v.Name, err)
	}
	_, err := s.Version(ctx, "v2")
	wantCode(t, err, ml.CodeNotFound)
	if p, err := s.Progress(ctx, 2); err != nil || p.Result != nil {
		t.Errorf("progress %v, %v", p, err)
	}
	if err := s.FinishRetrain(ctx, outcome(0, "v3", true), nil); err == nil {
		t.Error("an outcome of no job is taken")
	}
}

func TestRejectedVersionIsKept(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	finishRetrain(t, s, 1, "v1", true)
	o := outcome(2, "v2", false)
	o.Version.Status, o.Record.Verdict = ml.VersionRejected, ml.VerdictRejected
	ok(t, s.FinishRetrain(ctx, o, nil))
	if name, _, err := s.ActiveName(ctx); err != nil || name != "v1" {
		t.Errorf("active is %q, %v", name, err)
	}
	got, err := s.Version(ctx, "v2")
	ok(t, err)
	if got.Status != ml.VersionRejected || got.Active || !got.ActivatedAt.IsZero() {
		t.Errorf("rejected version is %+v", got)
	}
	versions, total, err := s.Versions(ctx, 1)
	ok(t, err)
	if len(versions) != 1 || versions[0].Name != "v2" || total != 2 {
		t.Errorf("versions are %v of %d", versions, total)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	if p, err := s.Progress(ctx, 9); err != nil || p != (ml.JobProgress{}) {
		t.Errorf("a job that said nothing: %v, %v", p, err)
	}
	ok(t, s.SetProgress(ctx, 9, "data", 0.1))
	ok(t, s.SetProgress(ctx, 9, "train", 0.4))
	if p, err := s.Progress(ctx, 9); err != nil || p.Step != "train" || p.Fraction != 0.4 || p.UpdatedAt.IsZero() {
		t.Errorf("progress %v, %v", p, err)
	}
}

func TestActivateAndRollback(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	_, _, err := s.ActiveName(ctx)
	wantCode(t, err, ml.CodeNotFound)
	_, err = s.Rollback(ctx, "ann", nil)
	wantCode(t, err, ml.CodeConflict)
	for i, name := range []string{"v1", "v2", "v3"} {
		finishRetrain(t, s, int64(i+1), name, true)
	}
	_, before, err := s.ActiveName(ctx)
	ok(t, err)
	var told ml.Version
	v, err := s.Rollback(ctx, "ann", func(_ *sql.Tx, v ml.Version) error { told = v; return nil })
	ok(t, err)
	if v.Name != "v2" || !v.Active || told.Name != "v2" {
		t.Errorf("rolled back to %+v, told %+v", v, told)
	}
	name, after, err := s.ActiveName(ctx)
	ok(t, err)
	if name != "v2" || after <= before {
		t.Errorf("active %q, activation %d after %d", name, after, before)
	}
	unchanged, err := s.Activate(ctx, "v2", "ann", func(*sql.Tx, ml.Version) error { t.Error("then was called"); return nil })
	if err != nil || unchanged.Name != "v2" {
		t.Errorf("activated again: %v, %v", unchanged, err)
	}
	_, err = s.Activate(ctx, "v9", "ann", nil)
	wantCode(t, err, ml.CodeNotFound)
	boom := errors.New("boom")
	if _, err := s.Activate(ctx, "v3", "ann", func(*sql.Tx, ml.Version) error { return boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
	if v, err := s.Active(ctx); err != nil || v.Name != "v2" {
		t.Errorf("after a failure %q is active, %v", v.Name, err)
	}
}

func TestDeleteVersion(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	for i, name := range []string{"v1", "v2", "v3"} {
		finishRetrain(t, s, int64(i+1), name, true)
	}
	wantCode(t, s.DeleteVersion(ctx, "v3"), ml.CodeConflict)
	wantCode(t, s.DeleteVersion(ctx, "v9"), ml.CodeNotFound)
	ok(t, s.DeleteVersion(ctx, "v2"))
	v, err := s.Rollback(ctx, "ann", nil)
	ok(t, err)
	if v.Name != "v1" {
		t.Errorf("rolled back to %q past the deleted one, want v1", v.Name)
	}
	// v1, v3, v1: with v3 gone there is nothing but v1 to roll back to.
	for _, name := range []string{"v3", "v1"} {
		_, err := s.Activate(ctx, name, "ann", nil)
		ok(t, err)
	}
	ok(t, s.DeleteVersion(ctx, "v3"))
	_, err = s.Rollback(ctx, "ann", nil)
	wantCode(t, err, ml.CodeConflict)
}

// Whatever is activated and rolled back, the active version is that of a simple stack.
func TestActivationsAreAStack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	rapid.Check(t, func(r *rapid.T) {
		for _, table := range []string{"models", "activations", "job_progress"} {
			_, err := s.Writer().ExecContext(ctx, "DELETE FROM "+table)
			ok(t, err)
		}
		var names, stack []string
		for i := range 3 {
			names = append(names, fmt.Sprintf("v%d", i))
			ok(t, s.FinishRetrain(ctx, outcome(int64(i+1), names[i], false), nil))
		}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "rollback") {
				under := len(stack) - 2
				for under >= 0 && stack[under] == stack[len(stack)-1] {
					under--
				}
				_, err := s.Rollback(ctx, "x", nil)
				if under < 0 {
					wantCode(t, err, ml.CodeConflict)
					continue
				}
				ok(t, err)
				stack = stack[:under+1]
			} else {
				name := rapid.SampledFrom(names).Draw(r, "version")
				_, err := s.Activate(ctx, name, "x", nil)
				ok(t, err)
				if len(stack) == 0 || stack[len(stack)-1] != name {
					stack = append(stack, name)
				}
			}
			if len(stack) == 0 {
				continue
			}
			if name, _, err := s.ActiveName(ctx); err != nil || name != stack[len(stack)-1] {
				r.Fatalf("active %q, %v, want the top of %v", name, err, stack)
			}
		}
		versions, _, err := s.Versions(ctx, 0)
		ok(t, err)
		active := slices.DeleteFunc(versions, func(v ml.Version) bool { return !v.Active })
		if len(active) > 1 {
			r.Fatalf("%d versions are active", len(active))
		}
	})
}

// What is told of a retraining is kept to the millisecond, and with who asked for what.
func TestWhatWasToldOfARetrainingIsKept(t *testing.T) {
	t.Parallel()
	s := setup(t)
	o := outcome(5, "v1", true)
	o.Record.Told = &ml.TrackedRun{
		JobID: 5, Args: ml.RetrainArgs{Generate: true, RequestedBy: "ann"}, Result: &o.Result,
		Started: at(2026, 1, 2, 3, 4, 5, 6_000_000), Ended: at(2026, 1, 2, 3, 4, 6, 789_000_000),
	}
	ok(t, s.FinishRetrain(t.Context(), o, nil))
	got, err := s.Training(t.Context(), "v1")
	ok(t, err)
	if diff := cmp.Diff(o.Record.Told, got.Told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
