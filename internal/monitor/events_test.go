package monitor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

// worded is an event as people read it.
func worded(e ml.Event) ml.Event {
	l := wording.In("en")
	e.Title, _ = l.Sentence(e.Says[0].Said())
	e.Text, _ = wording.Text(l, e.Says[1:])
	for _, f := range e.Figures {
		name, value, _ := wording.Figure(l, f)
		e.Fields = append(e.Fields, ml.EventField{Name: name, Value: value})
	}
	e.Says, e.Figures = nil, nil
	return e
}

func TestEventTexts(t *testing.T) {
	t.Parallel()
	champion := 0.9412
	at := noon
	for _, tt := range []struct {
		name string
		make func(*check) ml.Event
		want ml.Event
	}{
		{
			"drift, drawn",
			func(c *check) ml.Event {
				c.report.Drift, c.report.TriggerValue, c.report.Threshold = true, 0.3124, 0.5
				return c.driftEvent(heldBack{})
			},
			ml.Event{
				Topic: ml.EventDrift, State: "drawn_drift", Severity: ml.SeverityDrift, At: at, Title: "Drift detected",
				Text: "The random number 0.312 is below 0.5, which counts as drift. A retraining follows.",
				Fields: []ml.EventField{
					{Name: "Model version", Value: "v1"},
					{Name: "Method", Value: "random"},
					{Name: "Random number", Value: "0.312 (drift below 0.5)"},
				},
			},
		},
		{
			"drift, measured",
			func(c *check) ml.Event {
				c.report.Method, c.report.Drift, c.report.TriggerValue, c.report.Threshold = Statistical, true, 2.345e-9, 0.001
				c.report.Details.Rows = 1234
				c.report.Details.Scores = []ml.FeatureScore{
					{Feature: "age", KS: 0.05, PSI: 0.01, PValue: 1e-20},
					{Feature: "income", KS: 0.2, PSI: 0.31, PValue: 1e-9, Drift: true},
				}
				return c.driftEvent(heldBack{ml.ActionCooldown, []ml.Remark{{Code: "check.cooldown", Values: map[string]any{"ago": 180, "cooldown": 600}}}})
			},
			ml.Event{
				Topic: ml.EventDrift, State: "drift", Severity: ml.SeverityDrift, At: at, Title: "Drift detected",
				Text: "Income no longer looks like the training data in the latest 1,234 predictions." +
					" No retraining, because the last one was 3m ago (cooldown 10m).",
				Fields: []ml.EventField{
					{Name: "Model version", Value: "v1"},
					{Name: "Method", Value: "statistical"},
					{Name: "Smallest p-value", Value: "<\u00a00.0001 (drift below 0.001)"},
					{Name: "Worst feature", Value: "income (KS 0.200, PSI 0.310)"},
					{Name: "Predictions scored", Value: "1,234"},
				},
			},
		},
		{
			"drift in several features, their p-values all zero",
			func(c *check) ml.Event {
				c.report.Method, c.report.Drift = Statistical, true
				c.report.Details.Rows = 2000
				c.report.Details.Scores = []ml.FeatureScore{{Feature: "a", KS: 0.4, Drift: true}, {Feature: "b", KS: 0.9, Drift: true}}
				e := c.driftEvent(heldBack{})
				e.Figures = nil
				return e
			},
			ml.Event{
				Topic: ml.EventDrift, State: "drift", Severity: ml.SeverityDrift, At: at, Title: "Drift detected",
				Text: "2 features, b most, no longer look like the training data in the latest 2,000 predictions. A retraining follows.",
			},
		},
		{
			"stable, drawn",
			func(c *check) ml.Event {
				c.report.TriggerValue, c.report.Threshold = 0.71, 0.5
				e := c.driftEvent(heldBack{})
				e.Figures = nil
				return e
			},
			ml.Event{
				Topic: ml.EventDrift, State: "stable", Severity: ml.SeveritySuccess, At: at, Title: "No drift any more",
				Text: "The random number 0.710 is not below 0.5.",
			},
		},
		{
			"stable, measured",
			func(c *check) ml.Event {
				c.report.Method, c.report.Details.Rows = Statistical, 2000
				e := c.driftEvent(heldBack{})
				e.Figures = nil
				return e
			},
			ml.Event{
				Topic: ml.EventDrift, State: "stable", Severity: ml.SeveritySuccess, At: at, Title: "No drift any more",
				Text: "The latest 2,000 predictions look like the training data.",
			},
		},
		{
			"retrained",
			func(c *check) ml.Event {
				return c.retrainOK(ml.RetrainResult{Candidate: "v2", CandidateAccuracy: 0.95678, ChampionAccuracy: &champion})
			},
			ml.Event{
				Topic: ml.EventRetrain, State: "ok", Severity: ml.SeveritySuccess, At: at, Title: "Retraining succeeded",
				Text: "Version v2 was trained because of drift and serves now.",
				Fields: []ml.EventField{
					{Name: "Model version", Value: "v1"},
					{Name: "Candidate's accuracy", Value: "0.9568"},
					{Name: "Champion's accuracy", Value: "0.9412"},
				},
			},
		},
		{
			"rejected",
			func(c *check) ml.Event {
				return c.retrainRejected(ml.RetrainResult{Candidate: "v2", Version: "v1", CandidateAccuracy: 0.8, Reasons: []ml.Remark{{Code: "gate.seen", Values: map[string]any{"rows": 3}}}})
			},
			ml.Event{
				Topic: ml.EventRetrain, State: "rejected", Severity: ml.SeverityWarning, At: at, Title: "Retraining rejected",
				Text:   "Candidate v2 was not let in; version v1 goes on. Up to 3 of these rows may have trained the champion, which favours it.",
				Fields: []ml.EventField{{Name: "Model version", Value: "v1"}, {Name: "Candidate's accuracy", Value: "0.8000"}},
			},
		},
		{
			"retraining failed",
			func(c *check) ml.Event { return c.retrainFailed(errors.New("one class only")) },
			ml.Event{
				Topic: ml.EventRetrain, State: "failed", Severity: ml.SeverityFailure, At: at, Title: "Retraining failed",
				Text:   "The retraining after drift ended in an error: one class only. The old version goes on.",
				Fields: []ml.EventField{{Name: "Model version", Value: "v1"}},
			},
		},
		{
			"down without a model",
			func(c *check) ml.Event {
				c.report.ModelVersion = ""
				return c.healthDown(errors.New("connection refused"))
			},
			ml.Event{
				Topic: ml.EventHealth, State: "down", Severity: ml.SeverityFailure, At: at, Title: "The API is down or unwell",
				Text: "The periodic check got no healthy answer: connection refused.",
			},
		},
		{
			"up",
			func(c *check) ml.Event { return c.healthUp() },
			ml.Event{
				Topic: ml.EventHealth, State: "up", Severity: ml.SeveritySuccess, At: at, Title: "The API is well again",
				Text:   "The periodic check gets healthy answers again.",
				Fields: []ml.EventField{{Name: "Model version", Value: "v1"}},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &check{Monitor: setup(t, Options{}).Monitor, report: ml.DriftReport{ModelVersion: "v1", Method: Random}}
			if d := cmp.Diff(tt.want, worded(tt.make(c))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestOnlyChangesAreTold walks the random detector through its draws.
func TestOnlyChangesAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	for _, draw := range []float64{0.9, 0.8, 0.1, 0.2, 0.3, 0.7, 0.6, 0.4} {
		b.draw = draw
		b.check(t)
	}
	b.api.health = func(context.Context) error { return errors.New("down") }
	b.check(t) // says nothing about drift
	b.api.health = nil
	b.check(t) // drift, as before
	want := []string{"health up", "drift stable", "drift drawn_drift", "drift stable", "drift drawn_drift", "health down", "health up"}
	if d := cmp.Diff(want, b.queue.states(ml.EventHealth, ml.EventDrift)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// TestRetrainingsAreTold each time: between two that failed somebody else's may have succeeded, of which
// people were told.
func TestRetrainingsAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.draw = 0.1
	result := func(v ml.Verdict, err error) func(context.Context) (*ml.RetrainResult, int64, error) {
		return func(context.Context) (*ml.RetrainResult, int64, error) {
			if err != nil {
				return nil, 0, err
			}
			return &ml.RetrainResult{Verdict: v}, 0, nil
		}
	}
	failed, ok := result("", errors.New("no")), result(ml.VerdictActivated, nil)
	rejected := result(ml.VerdictRejected, nil)
	for _, r := range []func(context.Context) (*ml.RetrainResult, int64, error){ok, failed, failed, ok, ok, rejected} {
		b.api.retrain = r
		b.check(t)
	}
	want := []string{"retrain ok", "retrain failed", "retrain failed", "retrain ok", "retrain ok", "retrain rejected"}
	if d := cmp.Diff(want, b.queue.states(ml.EventRetrain)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// What was drawn says nothing about the data: the first drift that is measured is news.
func TestMeasuredDriftIsNewsAfterADraw(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.draw = 0.1
	b.check(t)
	b.queue.events = nil
	b.store.predict(1, "v1", 500, -3, 0)
	for range 2 {
		if r, err := b.RunOnce(t.Context(), Request{Detector: Statistical}); err != nil || !r.Drift {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if d := cmp.Diff([]string{"drift drift"}, b.queue.states(ml.EventDrift)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// TestUndecidedChecksTellNothing: after a swap there are too few predictions to say whether the
// drift is over, and people are not told that it is.
func TestUndecidedChecksTellNothing(t *testing.T) {
	t.Parallel()
	b := statistical(t, Options{})
	b.check(t) // nothing predicted yet
	b.store.predict(1, "v1", 300, -1, 0)
	b.check(t)
	v2 := *b.store.active
	v2.Name = "v2"
	b.store.active = &v2
	b.check(t) // undecided
	if d := cmp.Diff([]string{"drift drift"}, b.queue.states(ml.EventDrift)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	b.api.health = func(context.Context) error { return errors.New("down") }
	b.check(t) // says nothing about drift either
	b.api.health = nil
	b.store.predict(2, "v2", 300, 0, 0)
	b.check(t)
	want := []string{"health up", "drift drift", "health down", "health up", "drift stable"}
	if d := cmp.Diff(want, b.queue.states(ml.EventHealth, ml.EventDrift)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// TestKnownStatesAreOfferedAgain after a start and then once an hour, and not at each check: whoever delivers
// them knows whether they are news, and what was offered before may have been lost.
func TestKnownStatesAreOfferedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	want := []string{}
	for range 2 { // two runners, one after the other
		var err error
		if b.Monitor, err = New(b.opt); err != nil {
			t.Fatal(err)
		}
		for range int(time.Hour/DefaultInterval) + 1 {
			b.check(t)
		}
		want = append(want, "health up", "drift stable", "health up", "drift stable")
	}
	b.store.setFail("DriftHistory", errors.New("locked")) // what others found is not known
	if _, err := b.RunOnce(t.Context(), Request{Slot: b.slot()}); err == nil {
		t.Error("no error")
	}
	if d := cmp.Diff(want, b.queue.states()); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// TestUnrecordedChecksAreHeeded: people may have been told by a check of which there is no record.
func TestUnrecordedChecksAreHeeded(t *testing.T) {
	t.Parallel()
	locked := errors.New("database is locked")
	for _, tt := range []struct {
		name  string
		queue error // what the queue says to the unrecorded check
		set   func(b *bundle, bad bool)
		want  []string
	}{
		{"drift", nil, func(b *bundle, bad bool) {
			b.draw = map[bool]float64{true: 0.1, false: 0.9}[bad]
		}, []string{"drift drawn_drift", "drift stable"}},
		{"owed", locked, func(b *bundle, bad bool) {
			b.api.health = func(context.Context) error { return map[bool]error{true: errors.New("down")}[bad] }
		}, []string{"health down", "health up"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.check(t)
			b.queue.events, b.queue.err = nil, tt.queue
			b.store.setFail("RecordCheck", locked)
			tt.set(b, true)
			if _, err := b.RunOnce(t.Context(), Request{Slot: b.slot()}); !errors.Is(err, locked) {
				t.Errorf("the check that was not recorded: %v", err)
			}
			b.now = b.now.Add(DefaultInterval)
			b.queue.err = nil
			b.store.setFail("RecordCheck", nil)
			tt.set(b, false)
			b.check(t)
			b.check(t)
			if d := cmp.Diff(tt.want, b.queue.states(ml.EventHealth, ml.EventDrift)); d != "" {
				t.Errorf("told (-want +got):\n%s", d)
			}
		})
	}
}

// TestChecksOfOthersAreHeeded: what another runner has told is not what this one did.
func TestChecksOfOthersAreHeeded(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.check(t)
	other, err := New(b.opt)
	if err != nil {
		t.Fatal(err)
	}
	b.draw = 0.1
	if _, err := other.RunOnce(t.Context(), Request{Slot: b.slot()}); err != nil {
		t.Fatal(err)
	}
	b.now, b.draw = b.now.Add(DefaultInterval), 0.9
	b.check(t)
	want := []string{"drift stable", "drift drawn_drift", "drift stable"}
	if d := cmp.Diff(want, b.queue.states(ml.EventDrift)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// TestEventsAreOwed: what the queue did not take is offered again, the latest of a topic.
func TestEventsAreOwed(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.draw, b.queue.err = 0.1, errors.New("database is locked")
	if _, err := b.RunOnce(t.Context(), Request{Slot: b.slot()}); err == nil {
		t.Error("the refused message is no error")
	}
	b.now = b.now.Add(30 * time.Second)
	b.queue.err = nil
	b.check(t) // drift goes on, which is no news
	if d := cmp.Diff([]string{"drift drawn_drift"}, b.queue.states(ml.EventDrift)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	if !b.queue.events[0].At.Equal(noon) {
		t.Errorf("at %v, want the time of the change", b.queue.events[0].At)
	}
	b.check(t)
	if n := len(b.queue.states(ml.EventDrift)); n != 1 {
		t.Errorf("told %d times", n)
	}

	// Two changes while the queue refuses: the first is of no interest any more.
	b.draw, b.queue.err, b.queue.events = 0.9, errors.New("locked"), nil
	for _, draw := range []float64{0.9, 0.1} {
		b.draw = draw
		if _, err := b.RunOnce(t.Context(), Request{Slot: b.slot()}); err == nil {
			t.Error("no error")
		}
		b.now = b.now.Add(30 * time.Second)
	}
	b.queue.err = nil
	b.check(t)
	if d := cmp.Diff([]string{"drift drawn_drift"}, b.queue.states(ml.EventDrift)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}
