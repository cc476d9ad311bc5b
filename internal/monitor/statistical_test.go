package monitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

func statistical(t testing.TB, o Options) *bundle {
	t.Helper()
	o.Detector = Statistical
	return setup(t, o)
}

func TestStatisticalDetector(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		rows   int
		means  []float64
		window int
		drift  [2]bool
		action ml.CheckAction
		note   string
	}{
		{"no change", 1000, []float64{0, 0}, 0, [2]bool{}, ml.ActionNone, ""},
		{"the odd hour's shift", 200, []float64{-0.5, 0}, 0, [2]bool{true, false}, ml.ActionRetrained, ""},
		{"the other feature", 1000, []float64{0, 0.4}, 0, [2]bool{false, true}, ml.ActionRetrained, ""},
		{"both", 1000, []float64{1, 1}, 0, [2]bool{true, true}, ml.ActionRetrained, ""},
		{"too few rows", 199, []float64{-3, 0}, 0, [2]bool{}, ml.ActionNone, "too few predictions since the version's activation to score: 199 of the 200 needed"},
		{"significant and too small", 9000, []float64{0.15, 0}, 9000, [2]bool{}, ml.ActionNone, "too small to matter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := statistical(t, Options{Window: tt.window})
			b.draw = 0 // of no account
			b.store.predict(5, "v1", tt.rows, tt.means...)
			r := b.check(t)
			if r.Action != tt.action || r.Drift != (tt.drift[0] || tt.drift[1]) || r.Method != "statistical" {
				t.Errorf("%+v", r)
			}
			if tt.note == "" && r.Details.Note != "" || !strings.Contains(r.Details.Note, tt.note) {
				t.Errorf("note %q, want %q", r.Details.Note, tt.note)
			}
			if tt.rows < DefaultMinRows {
				if r.Details.Scores != nil || r.TriggerValue != 1 || r.Details.Rows != tt.rows {
					t.Errorf("%+v", r)
				}
				return
			}
			for j, s := range r.Details.Scores {
				if s.Feature != ml.GeneratedSchema().Features[j] || s.Drift != tt.drift[j] || s.PValue > 1 || s.KS <= 0 || s.PSI <= 0 {
					t.Errorf("score %d: %+v", j, s)
				}
			}
			if r.Drift && r.TriggerValue >= r.Threshold {
				t.Errorf("drift with %v against %v", r.TriggerValue, r.Threshold)
			}
		})
	}
}

// TestJudgeWantsASignificantDifferenceThatMatters: either distance may show that it does.
func TestJudgeWantsASignificantDifferenceThatMatters(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		p, ks, psi float64
		want       bool
	}{
		"both are large":     {1e-9, 0.3, 0.5, true},
		"only KS is large":   {1e-9, MinKS, 0.01, true},
		"only PSI is large":  {1e-9, 0.01, MinPSI, true},
		"neither is large":   {1e-9, MinKS - 0.001, MinPSI - 0.001, false},
		"it may be chance":   {0.001, 0.3, 0.5, false},
		"less than the half": {0.00049, 0.3, 0.5, true}, // of two features, by Holm
	} {
		scores := []ml.FeatureScore{{PValue: tt.p, KS: tt.ks, PSI: tt.psi}, {PValue: 1}}
		if judge(scores, 0.001); scores[0].Drift != tt.want || scores[1].Drift {
			t.Errorf("%s: %v", name, scores)
		}
	}
}

// TestWindowIsTheLatestPredictions: older ones than the window, those of other versions, and those
// before the activation do not count.
func TestWindowIsTheLatestPredictions(t *testing.T) {
	t.Parallel()
	b := statistical(t, Options{Window: 1000})
	b.store.predict(1, "v1", 3000, -2, 0) // before v1 was activated once more
	b.store.active.SincePrediction = 3000
	b.store.predict(2, "v0", 3000, 2, 0) // of a version that serves no more
	b.store.predict(3, "v1", 150, 0, 0)
	if r := b.check(t); r.Details.Rows != 150 || r.Details.Scores != nil || r.Drift {
		t.Errorf("150 rows since the activation: %+v", r)
	}
	b.store.predict(4, "v1", 1000, 0, 0)
	if r := b.check(t); r.Details.Rows != 1000 || r.Drift {
		t.Errorf("1000 rows that have not moved: %+v", r)
	}
	b.store.predict(5, "v1", 1000, 0.8, 0)
	if r := b.check(t); r.Details.Rows != 1000 || !r.Drift {
		t.Errorf("1000 rows that have moved: %+v", r)
	}
}

// TestRandomMeasuresToo: the scores are recorded in both modes and decide in one.
func TestRandomMeasuresToo(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.store.predict(1, "v1", 500, -1, 0)
	r := b.check(t)
	if r.Drift || r.Action != ml.ActionNone || r.TriggerValue != 0.9 {
		t.Errorf("the scores decided: %+v", r)
	}
	if s := r.Details.Scores; len(s) != 2 || !s[0].Drift || s[1].Drift || s[0].KS < 0.3 || s[0].PSI < 0.25 {
		t.Errorf("scores %+v", r.Details.Scores)
	}
	if d := b.store.recorded()[0].Details; len(d.Scores) != 2 || d.Rows != 500 {
		t.Errorf("recorded %+v", d)
	}
}

func TestPinnedWindow(t *testing.T) {
	t.Parallel()
	b := statistical(t, Options{})
	b.store.predict(1, "v1", 300, 0, 0)
	b.check(t)
	b.check(t)
	if b.references != 1 {
		t.Errorf("the window of one version was read %d times", b.references)
	}
	v2 := *b.store.active
	v2.Name = "v2"
	b.store.active = &v2
	b.store.predict(2, "v2", 300, 0, 0)
	b.check(t)
	if b.references != 2 {
		t.Errorf("the windows of two versions were read %d times", b.references)
	}

	for _, tt := range []struct {
		name    string
		columns [][]float64
		err     error
		note    string
		logged  string
	}{
		{"none pinned", nil, ml.Errorf(ml.CodeNotFound, "no file"), "no reference window is pinned to version v1", ""},
		{"unreadable", nil, errors.New("digest differs"), "could not be scored", "digest differs"},
		{"of another schema", normalColumns(1, 300, 0, 0, 0), nil, "could not be scored", "3 columns"},
		{"empty", [][]float64{{}, {}}, nil, "could not be scored", "feature1"},
	} {
		b := statistical(t, Options{Reference: func(context.Context, string) ([][]float64, error) { return tt.columns, tt.err }})
		b.store.predict(1, "v1", 300, -3, 0)
		r, err := b.RunOnce(t.Context(), Request{Slot: 1})
		if r.Drift || r.Action != ml.ActionNone || !strings.Contains(r.Details.Note, tt.note) || len(b.queue.states(ml.EventDrift)) != 0 {
			t.Errorf("%s: %+v", tt.name, r)
		}
		if (err == nil) != (tt.logged == "") || err != nil && !strings.Contains(err.Error(), tt.logged) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.logged)
		}
	}
}

func TestCooldown(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	past := func(action ml.CheckAction, at time.Time) func(*bundle) {
		return func(b *bundle) {
			b.store.checks = append(b.store.checks, ml.DriftReport{Action: action, CreatedAt: at, Method: Statistical, ModelVersion: "v0"})
		}
	}
	rejected := func(at time.Time) func(*bundle) {
		return func(b *bundle) {
			b.store.versions = append(b.store.versions, ml.Version{Name: "v2", Status: ml.VersionRejected, CreatedAt: at})
		}
	}
	activated := func(at time.Time) func(*bundle) {
		return func(b *bundle) { b.store.active.ActivatedAt = at }
	}
	fails := func(method string) func(*bundle) {
		return func(b *bundle) { b.store.setFail(method, errors.New("locked")) }
	}
	for _, tt := range []struct {
		name     string
		cooldown time.Duration
		before   func(*bundle)
		held     bool
		note     string
	}{
		{"long ago", 0, func(*bundle) {}, false, ""},
		{"activated a while ago", 0, activated(ago(9 * time.Minute)), true, "9m ago (cooldown 10m)"},
		{"activated ten minutes ago", 0, activated(ago(10 * time.Minute)), false, ""},
		{"candidate rejected", 0, rejected(ago(3 * time.Minute)), true, "3m ago"},
		{"candidate rejected long ago", 0, rejected(ago(11 * time.Minute)), false, ""},
		{"a check retrained", 0, past(ml.ActionRetrained, ago(time.Minute)), true, "1m ago"},
		{"a check's retraining was rejected", 0, past(ml.ActionRetrainRejected, ago(time.Minute)), true, ""},
		{"a check's retraining failed", 0, past(ml.ActionRetrainFailed, ago(time.Minute)), true, ""},
		{"a check's retraining goes on", 0, past(ml.ActionRetrainStarted, ago(time.Minute)), true, ""},
		{"a check held back", 0, past(ml.ActionCooldown, ago(time.Minute)), false, ""},
		{"a check found nothing", 0, past(ml.ActionNone, ago(time.Minute)), false, ""},
		{"not the newest check", 0, func(b *bundle) {
			past(ml.ActionRetrainFailed, ago(4*time.Minute))(b)
			past(ml.ActionNone, ago(time.Minute))(b)
		}, true, "4m ago"},
		{"the latest of several", 0, func(b *bundle) {
			activated(ago(5 * time.Minute))(b)
			past(ml.ActionRetrainFailed, ago(4*time.Minute))(b)
			past(ml.ActionRetrainFailed, ago(2*time.Minute))(b)
			past(ml.ActionRetrainFailed, ago(3*time.Minute))(b) // by another runner's clock
		}, true, "2m ago"},
		{"the clock was set back an hour", 0, func(b *bundle) {
			activated(noon.Add(time.Hour))(b)
			past(ml.ActionRetrained, noon.Add(time.Hour))(b)
		}, false, ""},
		{"many checks ago", 6 * time.Hour, func(b *bundle) {
			past(ml.ActionRetrainFailed, ago(4*time.Hour))(b)
			for i := range 4 * 120 { // one every 30 s since
				past(ml.ActionNone, ago(4*time.Hour-time.Duration(i)*30*time.Second))(b)
			}
		}, true, "4h ago"},
		{"shorter", 30 * time.Second, activated(ago(time.Minute)), false, ""},
		{"none", -1, activated(ago(0)), false, ""},
		{"unknown checks", 0, fails("DriftHistory"), true, "not known"},
		{"unknown versions", 0, fails("Versions"), true, "not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := statistical(t, Options{Cooldown: tt.cooldown})
			b.store.predict(1, "v1", 500, -1, 0)
			tt.before(b)
			r, _ := b.RunOnce(t.Context(), Request{Slot: 1}) // the error is that of the unreadable history
			want := ml.ActionRetrained
			if tt.held {
				want = ml.ActionCooldown
			}
			if r.Action != want || (b.api.retrains == 0) != tt.held || !r.Drift {
				t.Errorf("%+v", r)
			}
			if tt.held == (r.Details.Note == "") || !strings.Contains(r.Details.Note, tt.note) {
				t.Errorf("note %q, want %q", r.Details.Note, tt.note)
			}

			random := setup(t, Options{Cooldown: tt.cooldown}) // the documented flow has none
			random.draw = 0.1
			tt.before(random)
			if r, _ := random.RunOnce(t.Context(), Request{Slot: 1}); r.Action != ml.ActionRetrained {
				t.Errorf("the random detector is held back: %+v", r)
			}
		})
	}
}

// TestForceOverridesTheCooldown: an operator's word counts for more than what holds the checks back.
func TestForceOverridesTheCooldown(t *testing.T) {
	t.Parallel()
	b := statistical(t, Options{})
	b.store.predict(1, "v1", 500, -1, 0)
	b.store.active.ActivatedAt = noon.Add(-time.Minute)
	if r := b.check(t); r.Action != ml.ActionCooldown {
		t.Fatalf("unforced: %+v, want it held back", r)
	}
	r, err := b.RunOnce(t.Context(), Request{Force: true})
	if err != nil || r.Action != ml.ActionRetrained || !r.Drift || !strings.Contains(r.Details.Note, "an operator asked") {
		t.Errorf("forced: %+v, %v", r, err)
	}
}

// TestCooldownSurvivesRestart runs from drift to the end of the cooldown, each check by a new process.
func TestCooldownSurvivesRestart(t *testing.T) {
	t.Parallel()
	b := statistical(t, Options{})
	b.store.predict(1, "v1", 500, -1, 0)
	b.api.retrain = func(context.Context) (*ml.RetrainResult, int64, error) { return nil, 0, errors.New("no data") }
	var actions []string
	for range 22 {
		m, err := New(b.opt)
		if err != nil {
			t.Fatal(err)
		}
		b.Monitor = m
		actions = append(actions, string(b.check(t).Action))
	}
	for i, a := range actions {
		want := string(ml.ActionCooldown)
		if i%20 == 0 { // at once, and ten minutes later
			want = string(ml.ActionRetrainFailed)
		}
		if a != want {
			t.Errorf("check %d: %s, want %s", i, a, want)
		}
	}
}

// stream makes checks over a stream of predictions, one each hundred rows from the 200th to the
// 4000th, and returns at which row drift was found, and at which a difference was significant; 0 if
// that never was.
func stream(b testing.TB, seed uint64, level, shift float64) (found, significant int) {
	const rows = 4000
	schema := ml.GeneratedSchema()
	c := &check{Monitor: &Monitor{words: wording.In("en")}}
	window := normalColumns(2*seed, 2000, 0, 0)
	c.opt.Reference = func(context.Context, string) ([][]float64, error) { return window, nil }
	c.version = ml.Version{Name: "v1", Schema: schema}
	pinned, err := c.window(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	columns := normalColumns(2*seed+1, rows, shift, 0)
	for n := DefaultMinRows; n <= rows; n += 100 {
		latest := make([][]float64, len(columns))
		for j := range columns {
			latest[j] = columns[j][max(0, n-DefaultWindow):n]
		}
		c.report = ml.DriftReport{Method: Statistical, Threshold: level}
		if c.report.Details.Scores, err = score(schema.Features, pinned, latest); err != nil {
			b.Fatal(err)
		}
		c.decide(0)
		if c.report.TriggerValue < level && significant == 0 {
			significant = n
		}
		if c.report.Drift {
			return n, significant
		}
	}
	return 0, significant
}

// TestFalseAlarmsAndPower holds the default level to what the decision record says of it: no false
// alarm in ten activations, the documented shift found with the first 300 rows.
func TestFalseAlarmsAndPower(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		if at, _ := stream(t, seed, DefaultStatisticalThreshold, 0); at != 0 {
			t.Errorf("seed %d: false alarm at row %d", seed, at)
		}
		if at, _ := stream(t, seed, DefaultStatisticalThreshold, -0.5); at == 0 || at > 300 {
			t.Errorf("seed %d: the shift was found at row %d", seed, at)
		}
	}
}

// BenchmarkDetection measures the table of the decision record on drift scores:
//
//	go test -run '^$' -bench Detection -benchtime 300x ./internal/monitor
func BenchmarkDetection(b *testing.B) {
	for _, shift := range []float64{0, 0.15, 0.25, 0.5} {
		for _, level := range []float64{0.05, 0.01, 0.001} {
			b.Run(fmt.Sprintf("shift=%.2f/level=%g", shift, level), func(b *testing.B) {
				var found, significant, rows int
				for i := range b.N {
					at, first := stream(b, uint64(i), level, shift)
					if at > 0 {
						found, rows = found+1, rows+at
					}
					if first > 0 {
						significant++
					}
				}
				b.ReportMetric(float64(found)/float64(b.N), "found/activation")
				b.ReportMetric(float64(significant)/float64(b.N), "significant/activation")
				b.ReportMetric(float64(rows)/float64(max(found, 1)), "rows-until-found")
			})
		}
	}
}
