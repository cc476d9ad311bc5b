package monitor

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iacontinu/internal/ml"
)

func TestRandomCheckFollowsTheDocumentedSteps(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.draw = 0.31
	got := b.check(t)
	steps := []string{"claim", "health", "tell health", "draw", "tell drift", "retrain", "tell retrain", "record"}
	if d := cmp.Diff(steps, b.did.steps); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
	want := ml.DriftReport{
		ID: 1, Slot: noon.Unix() / 30, ModelVersion: "v1", Method: "random", TriggerValue: 0.31, Threshold: 0.5,
		Drift: true, Action: ml.ActionRetrained, CreatedAt: noon,
		Details: ml.CheckDetails{
			JobID: 77, NewVersion: "v2",
			Note:    "too few predictions since the version's activation to score: 0 of the 200 needed",
			Remarks: []ml.Remark{{Code: "check.few_rows", Values: map[string]any{"rows": 0, "want": 200}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
	want.ID = 1
	if d := cmp.Diff([]ml.DriftReport{want}, b.store.recorded()); d != "" {
		t.Errorf("recorded (-want +got):\n%s", d)
	}
	trigger := want
	trigger.ID, trigger.Action, trigger.Details.JobID, trigger.Details.NewVersion, trigger.Details.Note, trigger.Details.Remarks = 0, ml.ActionNone, 0, "", "", nil
	if d := cmp.Diff([]ml.Trigger{{Report: trigger}}, b.api.triggers); d != "" {
		t.Errorf("the retraining is asked for with (-want +got):\n%s", d)
	}
}

func TestRandomThreshold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		threshold, draw float64
		drift           bool
	}{
		{0, 0, true},
		{0, math.Nextafter(0.5, 0), true},
		{0, 0.5, false},
		{0, 0.999, false},
		{0.2, 0.19, true},
		{0.2, 0.21, false},
	} {
		b := setup(t, Options{Threshold: tt.threshold})
		b.draw = tt.draw
		r := b.check(t)
		if r.Drift != tt.drift || (b.api.retrains == 1) != tt.drift || (r.Action == ml.ActionNone) == tt.drift {
			t.Errorf("draw %v below %v: drift %v, action %s, %d retrainings", tt.draw, r.Threshold, r.Drift, r.Action, b.api.retrains)
		}
	}
}

// TestRandomWithoutModel: the first start of the platform is no drift to tell people of; the worker
// trains the first version.
func TestRandomWithoutModel(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.store.active, b.store.versions, b.draw = nil, nil, 0.1
	r := b.check(t)
	if r.Drift || r.Action != ml.ActionNone || b.api.retrains != 0 || r.TriggerValue != 0.1 || r.ModelVersion != "" || !strings.Contains(r.Details.Note, "no model is active yet") {
		t.Errorf("%+v", r)
	}
}

func TestDefaultDrawIsUniform(t *testing.T) {
	t.Parallel()
	o := Options{}.withDefaults()
	const n = 10_000
	var sum, below float64
	for range n {
		v := o.Random()
		if v < 0 || v >= 1 {
			t.Fatalf("draw %v", v)
		}
		sum += v
		if v < 0.5 {
			below++
		}
	}
	if math.Abs(sum/n-0.5) > 0.02 || math.Abs(below/n-0.5) > 0.03 { // six standard errors
		t.Errorf("mean %v, share below 0.5 %v", sum/n, below/n)
	}
}

func TestFailedHealthCheckIsAnOutcome(t *testing.T) {
	t.Parallel()
	for _, detector := range []string{Random, Statistical} {
		b := setup(t, Options{Detector: detector})
		b.store.predict(1, "v1", 500, -3, 0)
		b.check(t)
		b.draw = 0.1 // would be drift
		b.did.steps = nil
		b.queue.events = nil
		retrains := b.api.retrains

		b.api.health = func(context.Context) error { return errors.New("connection refused") }
		r := b.check(t)
		if r.Action != ml.ActionHealthCheckFailed || r.Drift || r.ModelVersion != "v1" || r.Method != detector {
			t.Errorf("%s: %+v", detector, r)
		}
		if !strings.Contains(r.Details.Note, "connection refused") {
			t.Errorf("%s: note %q", detector, r.Details.Note)
		}
		if d := cmp.Diff([]string{"claim", "health", "health", "health", "tell health", "record"}, b.did.steps); d != "" {
			t.Errorf("%s: steps (-want +got):\n%s", detector, d)
		}
		b.check(t) // still down: no second message
		b.api.health = nil
		b.draw = 0.9
		b.check(t)
		b.check(t)
		var health []string
		for _, s := range b.queue.states() {
			if strings.HasPrefix(s, "health") {
				health = append(health, s)
			}
		}
		if d := cmp.Diff([]string{"health down", "health up"}, health); d != "" {
			t.Errorf("%s: messages (-want +got):\n%s", detector, d)
		}
		if detector == Random && b.api.retrains != retrains {
			t.Errorf("%d retrainings while the API was down", b.api.retrains-retrains)
		}
	}
}

func TestHangingHealthCheckEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Options{HealthTimeout: 3 * time.Second, Clock: time.Now})
		b.api.health = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		started := time.Now()
		if r := b.check(t); r.Action != ml.ActionHealthCheckFailed || r.Details.Duration != 3 {
			t.Errorf("%+v", r)
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("the check took %v", took)
		}
	})
}

// TestStoppedHealthCheckIsNoFailure: whoever stops the process learns nothing about the API.
func TestStoppedHealthCheckIsNoFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	ctx, stop := context.WithCancel(t.Context())
	b.api.health = func(ctx context.Context) error { stop(); return ctx.Err() }
	if r, err := b.RunOnce(ctx, Request{Slot: 1}); !errors.Is(err, context.Canceled) || r.Action != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if n := len(b.store.recorded()) + len(b.queue.states()); n != 0 {
		t.Errorf("%v recorded, %v told", b.store.recorded(), b.queue.states())
	}
}

func TestTakenSlotIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	other, err := New(b.opt)
	if err != nil {
		t.Fatal(err)
	}
	b.draw = 0.1
	slot := b.slot()
	b.check(t)
	b.did.steps = nil
	if r, err := other.RunOnce(t.Context(), Request{Slot: slot}); !errors.Is(err, ErrSlotTaken) || r.Action != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if len(b.did.steps) != 0 {
		t.Errorf("did %v", b.did.steps)
	}
}

func TestRetrainOutcomes(t *testing.T) {
	t.Parallel()
	champion := 0.955
	for _, tt := range []struct {
		name    string
		retrain func(context.Context) (*ml.RetrainResult, int64, error)
		action  ml.CheckAction
		version string
		note    string
		told    []string
	}{
		{"activated", func(context.Context) (*ml.RetrainResult, int64, error) {
			return &ml.RetrainResult{Verdict: ml.VerdictActivated, Version: "v2", Candidate: "v2"}, 5, nil
		}, ml.ActionRetrained, "v2", "", []string{"drift drawn_drift", "retrain ok"}},
		{"rejected", func(context.Context) (*ml.RetrainResult, int64, error) {
			return &ml.RetrainResult{Verdict: ml.VerdictRejected, Version: "v1", Candidate: "v2", ChampionAccuracy: &champion}, 5, nil
		}, ml.ActionRetrainRejected, "v2", "", []string{"drift drawn_drift", "retrain rejected"}},
		{"still running", func(context.Context) (*ml.RetrainResult, int64, error) {
			return nil, 5, nil
		}, ml.ActionRetrainStarted, "", "the retraining goes on", []string{"drift drawn_drift"}},
		{"failed", func(context.Context) (*ml.RetrainResult, int64, error) {
			return nil, 5, errors.New("one class only")
		}, ml.ActionRetrainFailed, "", "one class only", []string{"drift drawn_drift", "retrain failed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.draw, b.api.retrain = 0.1, tt.retrain
			r := b.check(t)
			if r.Action != tt.action || r.Details.NewVersion != tt.version || r.Details.JobID != 5 ||
				!strings.Contains(r.Details.Note, tt.note) {
				t.Errorf("%+v", r)
			}
			if d := cmp.Diff(tt.told, b.queue.states(ml.EventDrift, ml.EventRetrain)); d != "" {
				t.Errorf("told (-want +got):\n%s", d)
			}
		})
	}
}

func TestRetrainingThatNeverAnswersEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Options{Clock: time.Now})
		b.draw = 0.1
		b.api.retrain = func(ctx context.Context) (*ml.RetrainResult, int64, error) { <-ctx.Done(); return nil, 0, ctx.Err() }
		if r := b.check(t); r.Action != ml.ActionRetrainFailed || r.Details.Duration != DefaultRetrainTimeout.Seconds() {
			t.Errorf("%+v", r)
		}
	})
}

// TestStopWhileRetraining: the check is recorded all the same, for the retraining was asked for.
func TestStopWhileRetraining(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.draw = 0.1
	ctx, stop := context.WithCancel(t.Context())
	b.api.retrain = func(ctx context.Context) (*ml.RetrainResult, int64, error) { stop(); return nil, 0, ctx.Err() }
	if _, err := b.RunOnce(ctx, Request{Slot: 1}); err != nil {
		t.Fatal(err)
	}
	checks := b.store.recorded()
	if len(checks) != 1 || checks[0].Action != ml.ActionRetrainStarted || !checks[0].Drift {
		t.Errorf("recorded %+v", checks)
	}
}

// TestStoreErrors: what can't be read is logged and noted, and the documented check goes on.
func TestStoreErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk I/O error")
	for _, tt := range []struct {
		method string
		note   string
	}{
		{"Active", "the active version could not be read"},
		{"Versions", ""},
		{"DriftHistory", ""},
		{"Recent", "the predictions could not be scored"},
		{"RecordCheck", ""},
	} {
		t.Run(tt.method, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.draw = 0.1
			b.store.setFail(tt.method, broken)
			r, err := b.RunOnce(t.Context(), Request{Slot: 1})
			if !errors.Is(err, broken) {
				t.Errorf("error %v", err)
			}
			if r.Action != ml.ActionRetrained || !strings.Contains(r.Details.Note, tt.note) {
				t.Errorf("%+v", r)
			}
			if strings.Contains(r.Details.Note, "disk") {
				t.Errorf("users read of the disk: %s", r.Details.Note)
			}
		})
	}
	b := setup(t, Options{})
	b.store.setFail("ClaimSlot", broken)
	if r, err := b.RunOnce(t.Context(), Request{Slot: 1}); !errors.Is(err, broken) || r.Action != "" || len(b.did.steps) != 0 {
		t.Errorf("unclaimed: %+v, %v, did %v", r, err, b.did.steps)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := setup(t, Options{}).opt
	tests := []struct {
		name   string
		change func(*Options)
		says   string // empty: good
	}{
		{"defaults", func(*Options) {}, ""},
		{"no API", func(o *Options) { o.API = nil }, "required"},
		{"no datasets", func(o *Options) { o.NewestDatasets = nil }, "required"},
		{"no reference", func(o *Options) { o.Reference = nil }, "required"},
		{"short interval", func(o *Options) { o.Interval = time.Second - 1 }, "Interval must be at least 1s"},
		{"detector", func(o *Options) { o.Detector = "coin" }, "Detector must be random or statistical"},
		{"threshold 1", func(o *Options) { o.Threshold = 1 }, "Threshold must be between 0 and 1"},
		{"threshold below 0", func(o *Options) { o.Threshold = -0.1 }, "Threshold must be between 0 and 1"},
		{"few rows", func(o *Options) { o.MinRows = 19 }, "MinRows must be at least 20"},
		{"many rows", func(o *Options) { o.MinRows = 5000 }, ""},
		{"small window", func(o *Options) { o.MinRows, o.Window = 100, 99 }, "Window must be at least MinRows, 100"},
		{"floor", func(o *Options) { o.AccuracyFloor = 1.5 }, "AccuracyFloor must be between 0 and 1"},
		{"health timeout", func(o *Options) { o.HealthTimeout = -1 }, "HealthTimeout"},
		{"retrain timeout", func(o *Options) { o.RetrainTimeout = -1 }, "RetrainTimeout"},
	}
	for _, tt := range tests {
		o := good
		tt.change(&o)
		_, err := New(o)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}

	type settings struct {
		Interval  time.Duration
		Detector  string
		Threshold float64
		MinRows   int
		Window    int
		Cooldown  time.Duration
		Floor     float64
	}
	read := func(o Options) settings {
		o = o.withDefaults()
		return settings{o.Interval, o.Detector, o.Threshold, o.MinRows, o.Window, o.Cooldown, o.AccuracyFloor}
	}
	want := settings{30 * time.Second, "random", 0.5, 200, 2000, 10 * time.Minute, 0.9}
	if d := cmp.Diff(want, read(Options{})); d != "" {
		t.Errorf("defaults (-want +got):\n%s", d)
	}
	want.Detector, want.Threshold = "statistical", 0.001
	if d := cmp.Diff(want, read(Options{Detector: Statistical}), cmpopts.EquateApprox(0, 0)); d != "" {
		t.Errorf("defaults of the statistical detector (-want +got):\n%s", d)
	}
}
