package flowrun_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/flowrun"
)

// ticking is a clock that goes on by a second each time it is read.
func ticking() func() time.Time {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func states(run flowrun.Run) map[string]flowrun.State {
	out := map[string]flowrun.State{}
	for _, s := range run.Steps {
		out[s.Name] = s.State
	}
	return out
}

func TestStepsAreTakenDownInTheirOrderWithTimesAndMessages(t *testing.T) {
	r := flowrun.NewRecorder(flowrun.Run{Flow: "periodic_check", Key: "slot-1"}, ticking())
	r.Start(flowrun.Step{Name: "draw"}, flowrun.Step{Name: "retrain", After: []string{"draw"}}, flowrun.Step{Name: "notify"})
	err := r.Step(t.Context(), "draw", flowrun.Retries{}, func(context.Context) error {
		r.Note("draw", "drew %.1f", 0.7)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Skip("retrain", "no drift")
	r.End(flowrun.Completed, "no drift")

	run := r.Snapshot()
	want := map[string]flowrun.State{"draw": flowrun.Completed, "retrain": flowrun.Skipped, "notify": flowrun.Skipped}
	if diff := cmp.Diff(want, states(run)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	draw := run.Steps[0]
	if draw.Message != "drew 0.7" || draw.Attempt != 1 || !draw.Ended.After(draw.Started) || !draw.Started.After(run.Started) {
		t.Errorf("draw is %+v", draw)
	}
	if run.State != flowrun.Completed || !run.Ended.After(draw.Ended) {
		t.Errorf("the run is %s, ended %s", run.State, run.Ended)
	}
}

func TestARunCanBeWrittenDownAsEndedBeforeItHas(t *testing.T) {
	r := flowrun.NewRecorder(flowrun.Run{}, nil)
	r.Start(flowrun.Step{Name: "save"}, flowrun.Step{Name: "activate"}, flowrun.Step{Name: "rest"})
	var ended flowrun.Run
	_ = r.Step(t.Context(), "activate", flowrun.Retries{}, func(context.Context) error {
		ended = r.Ended(flowrun.Completed, "v2 serves")
		return nil
	})
	want := map[string]flowrun.State{"save": flowrun.Skipped, "activate": flowrun.Completed, "rest": flowrun.Skipped}
	if diff := cmp.Diff(want, states(ended)); diff != "" || ended.State != flowrun.Completed {
		t.Errorf("%s, states (-want +got):\n%s", ended.State, diff)
	}
	if now := r.Snapshot(); now.State != flowrun.Running || states(now)["save"] != flowrun.Pending {
		t.Errorf("the run itself is %s, %v", now.State, states(now))
	}
}

func TestAFailedStepIsTriedAgainAndSeenAsSuch(t *testing.T) {
	r := flowrun.NewRecorder(flowrun.Run{}, nil)
	tries := 0
	err := r.Step(t.Context(), "health_check", flowrun.Retries{Times: 2}, func(context.Context) error {
		if tries++; tries < 3 {
			return errors.New("connection refused")
		}
		return nil
	})
	step := r.Snapshot().Steps[0]
	if err != nil || step.State != flowrun.Completed || step.Attempt != 3 || step.Message != "" {
		t.Errorf("after %d tries: %v, %+v", tries, err, step)
	}
	lines := r.Snapshot().Lines
	if len(lines) != 2 || lines[0].Level != flowrun.Warning || lines[0].Step != "health_check" {
		t.Errorf("the failures are logged as %+v", lines)
	}
}

func TestAStepThatStaysFailedGivesItsError(t *testing.T) {
	refused, forbidden := errors.New("connection refused"), errors.New("forbidden")
	for _, test := range []struct {
		err   error
		tries int
	}{{refused, 3}, {forbidden, 1}} {
		r := flowrun.NewRecorder(flowrun.Run{}, nil)
		tries := 0
		retries := flowrun.Retries{Times: 2, Worthwhile: func(err error) bool { return errors.Is(err, refused) }}
		err := r.Step(t.Context(), "health_check", retries, func(context.Context) error {
			tries++
			return test.err
		})
		step := r.Snapshot().Steps[0]
		if !errors.Is(err, test.err) || tries != test.tries || step.State != flowrun.Failed || step.Message != test.err.Error() {
			t.Errorf("%v: got %v after %d tries, %+v", test.err, err, tries, step)
		}
	}
}

func TestACancelledStepDidNotFail(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r := flowrun.NewRecorder(flowrun.Run{}, nil)
	_ = r.Step(ctx, "retrain", flowrun.Retries{Times: 5}, func(ctx context.Context) error {
		cancel(flowrun.ErrCancelled)
		return ctx.Err()
	})
	if step := r.Snapshot().Steps[0]; step.State != flowrun.Cancelled || step.Attempt != 1 {
		t.Errorf("the step is %+v", step)
	}
}

func TestWhoWatchesIsWokenOnceForManyChanges(t *testing.T) {
	r := flowrun.NewRecorder(flowrun.Run{}, nil)
	r.Log("", flowrun.Info, "one")
	r.Log("", flowrun.Info, "two")
	<-r.Changed()
	select {
	case <-r.Changed():
		t.Error("woken twice")
	default:
	}
	if n := len(r.Snapshot().Lines); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func TestAnArtifactIsReplacedByItsKey(t *testing.T) {
	r := flowrun.NewRecorder(flowrun.Run{}, nil)
	r.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress}, 10.0)
	r.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress}, 90.0)
	got := r.Snapshot().Artifacts
	want := []flowrun.Artifact{{Key: "progress", Kind: flowrun.Progress, Data: json.RawMessage("90")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
}

func TestWithoutARecorderTheStepsRunAllTheSame(t *testing.T) {
	var r *flowrun.Recorder
	r.Start(flowrun.Step{Name: "draw"})
	ran := false
	if err := r.Step(t.Context(), "draw", flowrun.Retries{}, func(context.Context) error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("ran %v, error %v", ran, err)
	}
	r.End(flowrun.Completed, "")
	if run := r.Snapshot(); run.State != "" {
		t.Errorf("it recorded %+v", run)
	}
}
