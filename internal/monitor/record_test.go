package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
)

// taken makes one check and returns how it was taken down.
func (b *bundle) taken(ctx context.Context, t *testing.T, r Request) flowrun.Run {
	t.Helper()
	r.Recorder = flowrun.NewRecorder(flowrun.Run{Flow: FlowName, Key: "k", ServerID: "run-1"}, nil)
	if _, err := b.RunOnce(ctx, r); err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return r.Recorder.Snapshot()
}

// outcomes are the states of a run's steps as "name state".
func outcomes(run flowrun.Run) []string {
	var out []string
	for _, s := range run.Steps {
		out = append(out, s.Name+" "+string(s.State))
	}
	return out
}

func TestEachStepOfACheckIsTakenDown(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	for _, tt := range []struct {
		name  string
		set   func(*bundle)
		r     Request
		steps []string
		state flowrun.State
		says  string
	}{
		{
			"no drift", func(*bundle) {},
			Request{Slot: 1},
			[]string{"health_check completed", "draw completed", "detect completed", "trigger_retrain skipped", "notify completed"},
			flowrun.Completed, "no drift",
		},
		{
			"drift", func(b *bundle) { b.draw = 0.1 },
			Request{Slot: 1},
			[]string{"health_check completed", "draw completed", "detect completed", "trigger_retrain completed", "notify completed"},
			flowrun.Completed, "v2 was trained and serves",
		},
		{
			"the API is down", func(b *bundle) { b.api.health = func(context.Context) error { return refused } },
			Request{Slot: 1},
			[]string{"health_check failed", "draw skipped", "detect skipped", "trigger_retrain skipped", "notify completed"},
			flowrun.Failed, "connection refused",
		},
		{
			"the retraining fails", func(b *bundle) {
				b.draw = 0.1
				b.api.retrain = func(context.Context) (*ml.RetrainResult, int64, error) { return nil, 5, errors.New("one class only") }
			},
			Request{Slot: 1},
			[]string{"health_check completed", "draw completed", "detect completed", "trigger_retrain failed", "notify completed"},
			flowrun.Failed, "one class only",
		},
		{
			"the other detector", func(*bundle) {},
			Request{Slot: 1, Detector: Statistical},
			[]string{"health_check completed", "draw skipped", "detect completed", "trigger_retrain skipped", "notify completed"},
			flowrun.Completed, "no drift",
		},
		{
			"forced", func(*bundle) {},
			Request{Force: true},
			[]string{"health_check completed", "draw completed", "detect completed", "trigger_retrain completed", "notify completed"},
			flowrun.Completed, "v2 was trained and serves",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			tt.set(b)
			run := b.taken(t.Context(), t, tt.r)
			if d := cmp.Diff(tt.steps, outcomes(run)); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
			if run.State != tt.state || !strings.Contains(run.Message, tt.says) {
				t.Errorf("the run is %s: %s", run.State, run.Message)
			}
		})
	}
}

func TestTheRecordShowsVerdictAndScores(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Detector: Statistical})
	b.store.predict(1, "v1", 500, -3, 0)
	run := b.taken(t.Context(), t, Request{Slot: 1})
	shown := map[string]json.RawMessage{}
	for _, a := range run.Artifacts {
		shown[a.Key] = a.Data
	}
	var page string
	if err := json.Unmarshal(shown["check-report"], &page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# V2 was trained and serves", "| Detector | statistical |", "| Drift | true |", "| Predictions scored | 500 |"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	var rows []struct {
		Feature string
		Drift   bool
		KS      float64
	}
	if err := json.Unmarshal(shown["feature-scores"], &rows); err != nil || len(rows) != 2 || !rows[0].Drift || rows[1].Drift || rows[0].KS < 0.8 {
		t.Errorf("%v: %s", err, shown["feature-scores"])
	}
	if got := b.api.triggers[0]; got.FlowRun != "run-1" || len(got.Report.Details.Scores) != 2 || !got.Report.Drift {
		t.Errorf("the retraining is asked for with %+v", got)
	}
}

// A check that scored nothing shows no p-value: there is none.
func TestTheRecordShowsNoMeasureOfNothing(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]bool{Statistical: false, Random: true} {
		b := setup(t, Options{Detector: method})
		b.store.predict(1, "v1", DefaultMinRows-1, -3, 0)
		page := string(b.taken(t.Context(), t, Request{Slot: 1}).Artifacts[0].Data)
		if strings.Contains(page, "(drift below ") != want || !strings.Contains(page, "| Drift | ") || !strings.Contains(page, "| Predictions scored | ") {
			t.Errorf("%s shows\n%s", method, page)
		}
	}
}

// A request replaces the settings for its own check, and a person's check takes nobody's slot.
func TestARequestOverridesTheSettings(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Threshold: 0.4})
	b.draw = 0.45
	r, err := b.RunOnce(t.Context(), Request{Threshold: 0.5})
	if err != nil || !r.Drift || r.Slot != 0 || r.Threshold != 0.5 {
		t.Errorf("%+v, %v", r, err)
	}
	if r := b.check(t); r.Drift || r.Threshold != 0.4 {
		t.Errorf("the next one: %+v", r)
	}
	if r, err := b.RunOnce(t.Context(), Request{Detector: Statistical}); err != nil || r.Threshold != DefaultStatisticalThreshold {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []Request{{Detector: "coin"}, {Threshold: 1}, {Threshold: -1}} {
		if _, err := b.RunOnce(t.Context(), bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestACancelledCheckEndsAsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	b.api.health = func(ctx context.Context) error { cancel(flowrun.ErrCancelled); return ctx.Err() }
	run := b.taken(ctx, t, Request{Slot: 1})
	if run.State != flowrun.Cancelled || run.Steps[0].State != flowrun.Cancelled {
		t.Errorf("%s, steps %v", run.State, outcomes(run))
	}

	b = setup(t, Options{})
	b.draw = 0.1
	ctx, cancel = context.WithCancelCause(t.Context())
	b.api.retrain = func(ctx context.Context) (*ml.RetrainResult, int64, error) {
		cancel(flowrun.ErrCancelled)
		return nil, 0, ctx.Err()
	}
	run = b.taken(ctx, t, Request{Slot: 1})
	if run.State != flowrun.Cancelled || run.Steps[3].State != flowrun.Cancelled {
		t.Errorf("while retraining: %s, steps %v", run.State, outcomes(run))
	}
}

// A call that somebody may have heard is not repeated: a second retraining would be asked for.
func TestOnlyAnUnheardCallIsRepeated(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		calls int
	}{
		"connection refused":    {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, 2},
		"no such host":          {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "api", IsNotFound: true}}, 2},
		"reset":                 {&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, 1},
		"closed without a word": {io.EOF, 1},
		"closed amid an answer": {io.ErrUnexpectedEOF, 1},
		"answered":              {errors.New("503 Service Unavailable"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.draw = 0.1
			b.api.retrain = func(context.Context) (*ml.RetrainResult, int64, error) {
				if b.api.retrains == 1 {
					return nil, 0, fmt.Errorf("api: %w", &url.Error{Op: "Post", URL: "http://api/retrain", Err: tt.err})
				}
				return &ml.RetrainResult{Verdict: ml.VerdictActivated, Candidate: "v2"}, 5, nil
			}
			want := ml.ActionRetrainFailed
			if tt.calls == 2 {
				want = ml.ActionRetrained
			}
			if r := b.check(t); r.Action != want || b.api.retrains != tt.calls {
				t.Errorf("%d calls, %+v; want %d and %s", b.api.retrains, r, tt.calls, want)
			}
		})
	}
}

func TestTicksHandTheirRecordsOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var runs []flowrun.Run
		b := setup(t, Options{Clock: time.Now, HandOn: func(_ context.Context, run flowrun.Run) error {
			runs = append(runs, run)
			return nil
		}})
		stop := run(t, b)
		until(t, started, 25*time.Second)
		stop()
		if len(runs) != 2 || runs[0].Key == runs[1].Key || runs[1].State != flowrun.Completed {
			t.Fatalf("%+v", runs)
		}
		if late := runs[1].Started.Sub(runs[1].Due); late != 0 {
			t.Errorf("the second check is %s late", late)
		}
	})
}

// TestACheckThatNeverBeganIsNotHandedOn: no record of it would ever come to an end.
func TestACheckThatNeverBeganIsNotHandedOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var runs []flowrun.Run
		b := setup(t, Options{Clock: time.Now, HandOn: func(_ context.Context, run flowrun.Run) error {
			runs = append(runs, run)
			return nil
		}})
		b.store.setFail("ClaimSlot", errors.New("disk full"))
		stop := run(t, b)
		until(t, started, 15*time.Second)
		b.store.setFail("ClaimSlot", nil)
		until(t, started, 25*time.Second)
		stop()
		if len(runs) != 1 || runs[0].State != flowrun.Completed {
			t.Errorf("handed on: %+v", runs)
		}
	})
}

// TestCheckedIsToldOfEachCheckMade, and not of those that another runner made.
func TestCheckedIsToldOfEachCheckMade(t *testing.T) {
	t.Parallel()
	var told []ml.CheckAction
	b := setup(t, Options{Checked: func(r ml.DriftReport) { told = append(told, r.Action) }})
	for _, slot := range []int64{1, 1, 2} {
		if _, err := b.RunOnce(t.Context(), Request{Slot: slot}); err != nil && !errors.Is(err, ErrSlotTaken) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]ml.CheckAction{ml.ActionNone, ml.ActionNone}, told); diff != "" {
		t.Error(diff)
	}
}

// What a retraining is part of is handed on before it is asked for, and so told before it.
func TestARetrainingFollowsTheRecordOfItsCheck(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var runs []flowrun.Run
		b := setup(t, Options{Clock: time.Now, HandOn: func(_ context.Context, run flowrun.Run) error {
			runs = append(runs, run)
			return nil
		}})
		b.draw = 0.1
		b.api.retrain = func(context.Context) (*ml.RetrainResult, int64, error) {
			if len(runs) != 1 || runs[0].Key == "" || !runs[0].State.Final() {
				t.Errorf("before the retraining: %+v", runs)
			}
			return &ml.RetrainResult{Verdict: ml.VerdictActivated, Candidate: "v2"}, 1, nil
		}
		stop := run(t, b)
		until(t, started, 5*time.Second)
		stop()
		if len(runs) != 2 || runs[1].Key != runs[0].Key || runs[1].Message != "v2 was trained and serves" {
			t.Errorf("after it: %+v", runs)
		}
	})
}

// Enough is enough only after the check under way.
func TestTheLastCheckIsNotBrokenOff(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		b := setup(t, Options{Clock: time.Now})
		b.api.health = func(ctx context.Context) error {
			select {
			case <-ctx.Done():
			case <-time.After(4 * time.Second):
			}
			return ctx.Err()
		}
		enough, done := make(chan struct{}), make(chan error)
		go func() { done <- b.RunUntil(t.Context(), enough) }()
		until(t, started, time.Second)
		close(enough)
		if err := <-done; err != nil || time.Since(started) != 4*time.Second {
			t.Errorf("ended after %s: %v", time.Since(started), err)
		}
		if c := b.store.recorded(); len(c) != 1 || c[0].Action == ml.ActionHealthCheckFailed {
			t.Errorf("recorded %+v", c)
		}
	})
}
