package apiserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func factCodes(facts []api.Fact) (out []string) {
	for _, f := range facts {
		out = append(out, f.Code)
	}
	return out
}

func TestOverview(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slot := testNow.Unix() / 30
	b.reports = []ml.DriftReport{
		{ID: 2, Slot: slot, CreatedAt: testNow, Method: "statistical", TriggerValue: 0.4, Threshold: 0.001, Details: ml.CheckDetails{Scores: []ml.FeatureScore{{KS: 0.1}, {KS: 0.2}}}},
		{ID: 1, Slot: slot - 1, CreatedAt: testNow.Add(-30 * time.Second), Drift: true, Action: ml.ActionRetrained},
	}
	b.undone = api.Waiting{Jobs: []api.QueueDepth{{Queue: "notify", Waiting: 1}}}
	b.happened = []ml.Happening{{At: testNow.Add(-time.Hour), Kind: ml.HappenedSwap, Version: "v2"}}
	got, err := b.client(t, "user").Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Level != "ok" || !slices.Equal(factCodes(got.Facts), []string{"well"}) || got.Facts[0].Values["version"] != "v2" {
		t.Errorf("%s: %+v", got.Level, got.Facts)
	}
	if m := got.Model; m == nil || m.Version != "v2" || m.Accuracy != 0.9 || !slices.Equal(m.AccuracyInterval, []float64{0.85, 0.93}) {
		t.Errorf("model %+v", got.Model)
	}
	if len(got.Checks) != 2 || got.Checks[0].ID != 1 || got.Checks[1].KS == nil || *got.Checks[1].KS != 0.2 || got.Checks[0].KS != nil {
		t.Errorf("checks %+v", got.Checks)
	}
	if got.Interval != 30 || got.NextCheckAt == nil || !got.NextCheckAt.Equal(testNow.Add(30*time.Second)) {
		t.Errorf("every %v s, next at %v", got.Interval, got.NextCheckAt)
	}
	if len(got.Waiting.Jobs) != 1 || got.Waiting.Deliveries == nil || len(got.Events) != 1 || got.Events[0].Kind != "swap" {
		t.Errorf("waiting %+v, events %+v", got.Waiting, got.Events)
	}
}

// A check is missed two intervals and half a minute after it was due.
func TestOverviewTellsOfAnOverdueCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ago  time.Duration // the last one, of one each 30 s
		late bool
	}{{120 * time.Second, false}, {150 * time.Second, true}} {
		b := setup(t)
		at := testNow.Add(-tt.ago)
		b.reports = []ml.DriftReport{{ID: 1, Slot: at.Unix() / 30, CreatedAt: at}}
		got, err := b.client(t, "user").Overview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if late := slices.Contains(factCodes(got.Facts), "checks_overdue"); late != tt.late || (got.NextCheckAt == nil) != tt.late {
			t.Errorf("%v after the last check: %+v, next at %v", tt.ago, got.Facts, got.NextCheckAt)
		}
	}
}

func TestOverviewTellsOfATrainingThatFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.failedJob = 39
	got, err := b.client(t, "user").Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.Index(factCodes(got.Facts), "training_failed"); i < 0 || got.Facts[i].Values["job"] != 39.0 || got.Level == "ok" {
		t.Errorf("%s: %+v", got.Level, got.Facts)
	}
}

// remarks are those of a part that warns.
func remarks(part string, codes ...string) map[string]api.Check {
	c := api.Check{Status: api.CheckWarn}
	for _, code := range codes {
		c.Remarks = append(c.Remarks, api.Remark{Code: code})
	}
	return map[string]api.Check{part: c}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	well := api.Overview{Model: &api.OverviewModel{Version: "v1", Accuracy: 0.9}, Checks: []api.ShortCheck{{}}}
	for name, tt := range map[string]struct {
		change  func(*api.Overview)
		check   *ml.DriftReport
		parts   map[string]api.Check
		overdue bool
		want    []string
	}{
		"well":           {want: []string{"well"}},
		"nothing serves": {change: func(o *api.Overview) { o.Model = nil }, want: []string{"no_model"}},
		"the first one trains": {change: func(o *api.Overview) {
			o.Model, o.Waiting.Jobs = nil, []api.QueueDepth{{Queue: "notify", Waiting: 1}, {Queue: "retrain", Running: 1}}
		}, want: []string{"first_training"}},
		"only messages wait":      {change: func(o *api.Overview) { o.Model, o.Waiting.Jobs = nil, []api.QueueDepth{{Queue: "notify", Waiting: 1}} }, want: []string{"no_model"}},
		"not accurate":            {change: func(o *api.Overview) { o.Model = &api.OverviewModel{Accuracy: 0.8} }, want: []string{"accuracy_low"}},
		"drift dealt with":        {check: &ml.DriftReport{Drift: true, Action: ml.ActionRetrained}, want: []string{"well"}},
		"drift":                   {check: &ml.DriftReport{Drift: true, Action: ml.ActionCooldown, Method: "statistical"}, want: []string{"drift"}},
		"a draw":                  {check: &ml.DriftReport{Drift: true, Action: ml.ActionRetrainRejected, Method: "random"}, want: []string{"drawn_drift"}},
		"data needed":             {check: &ml.DriftReport{Drift: true, Action: ml.ActionNewDataNeeded}, want: []string{"new_data_needed"}},
		"the API was away":        {check: &ml.DriftReport{Action: ml.ActionHealthCheckFailed}, want: []string{"health_check_failed"}},
		"retraining failed":       {check: &ml.DriftReport{Drift: true, Action: ml.ActionRetrainFailed}, want: []string{"retrain_failed"}},
		"nobody checks":           {parts: remarks("flow", "part.no_flow"), overdue: true, want: []string{"flow_absent"}},
		"an operator paused them": {parts: remarks("flow", "part.checks_overdue", "part.prefect_paused"), overdue: true, want: []string{"checks_paused"}},
		"none began yet":          {parts: remarks("flow", "part.checks_overdue"), want: []string{"checks_overdue"}},
		"it can't be told":        {parts: remarks("flow", "part.unknown"), want: []string{"well"}},
		"checks hang":             {overdue: true, want: []string{"checks_overdue"}},
		"a full disk":             {parts: map[string]api.Check{"database": {Status: api.CheckWarn}}, want: []string{"database_readonly"}},
		"MLflow is away": {change: func(o *api.Overview) {
			o.Waiting.Deliveries = []api.DeliveryDepth{{Service: "mlflow", Waiting: 2, Failing: true}}
		}, want: []string{"deliveries_wait"}},
		"MLflow is told":     {change: func(o *api.Overview) { o.Waiting.Deliveries = []api.DeliveryDepth{{Service: "mlflow", Waiting: 2}} }, want: []string{"well"}},
		"jobs pile up":       {change: func(o *api.Overview) { o.Waiting.Jobs = []api.QueueDepth{{Queue: "retrain", OldestSeconds: 90}} }, want: []string{"jobs_wait"}},
		"the worst is first": {change: func(o *api.Overview) { o.Model = &api.OverviewModel{} }, parts: remarks("worker", "part.no_worker"), want: []string{"worker_absent", "accuracy_low"}},
	} {
		o := well
		if tt.change != nil {
			tt.change(&o)
		}
		var checks []ml.DriftReport
		if tt.check != nil {
			checks = append(checks, *tt.check)
		}
		if got := factCodes(facts(o, checks, tt.parts, tt.overdue)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// The interval is found from any moment of a slot.
func TestIntervalOfASlot(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{time.Second, 1500 * time.Millisecond, 5 * time.Second, 30 * time.Second, 45 * time.Second, 10 * time.Minute, time.Hour, 24 * time.Hour} {
		for _, late := range []float64{0, 0.3, 0.99} {
			t.Run(fmt.Sprint(interval, late), func(t *testing.T) {
				t.Parallel()
				slot := int64(testNow.Sub(time.Unix(0, 0)) / interval)
				at := time.Unix(0, slot*int64(interval)).Add(time.Duration(late * float64(interval)))
				if got := intervalBetween(ml.DriftReport{Slot: slot, CreatedAt: at}); got != interval.Seconds() {
					t.Errorf("%v s, want %v", got, interval.Seconds())
				}
			})
		}
	}
	if got := intervalBetween(ml.DriftReport{CreatedAt: testNow}); got != 0 {
		t.Errorf("%v of a check that no tick asked for", got)
	}
}
