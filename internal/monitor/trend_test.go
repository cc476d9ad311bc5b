package monitor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/ml"
)

var approximately = cmpopts.EquateApprox(0, 1e-9)

// versionsOf are versions of the generated schema with these accuracies, oldest first.
func versionsOf(accuracies ...float64) []ml.Version {
	var out []ml.Version
	for i, a := range accuracies {
		out = append(out, ml.Version{
			Name: fmt.Sprintf("v%d", i), Accuracy: a, Status: ml.VersionReady, Schema: ml.GeneratedSchema(),
			CreatedAt: noon.Add(-48 * time.Hour),
		})
	}
	return out
}

func TestAccuracyTrend(t *testing.T) {
	t.Parallel()
	steps := func(v float64) *float64 { return &v }
	falling := versionsOf(0.98, 0.97, 0.96, 0.95, 0.94, 0.93)
	other := ml.Version{Accuracy: 0.5, Status: ml.VersionReady, Schema: ml.Schema{Features: []string{"x"}, Target: "y"}}
	rejected := versionsOf(0.2)[0]
	rejected.Status = ml.VersionRejected
	legacy := versionsOf(0)[0]
	for _, tt := range []struct {
		name     string
		versions []ml.Version
		want     *ml.Trend
	}{
		{"falling", falling, &ml.Trend{Slope: -0.01, R2: 1, N: 6, Limit: 0.9, StepsToCross: steps(3)}},
		{
			"others do not count",
			[]ml.Version{legacy, falling[0], falling[1], other, falling[2], rejected, falling[3], falling[4], falling[5], rejected},
			&ml.Trend{Slope: -0.01, R2: 1, N: 6, Limit: 0.9, StepsToCross: steps(3)},
		},
		{"too few", falling[:4], nil},
		{"rising from below", versionsOf(0.84, 0.85, 0.86, 0.87, 0.88), &ml.Trend{Slope: 0.01, R2: 1, N: 5, Limit: 0.9}},
		{"level", versionsOf(0.95, 0.95, 0.95, 0.95, 0.95), &ml.Trend{N: 5, Limit: 0.9}},
		{"none", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, Options{})
			b.store.versions = tt.versions
			if d := cmp.Diff(tt.want, b.check(t).Details.AccuracyTrend, approximately); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}

	b := setup(t, Options{AccuracyFloor: 0.92})
	b.store.versions = falling
	if got := b.check(t).Details.AccuracyTrend; got.Limit != 0.92 || math.Abs(*got.StepsToCross-1) > 1e-9 {
		t.Errorf("with a floor of 0.92: %+v", got)
	}
}

// pastScores are checks of a version with these KS statistics of feature1, feature2 staying at 0.03.
func pastScores(version string, ks ...float64) []ml.DriftReport {
	var out []ml.DriftReport
	for _, v := range ks {
		out = append(out, ml.DriftReport{ModelVersion: version, Method: Random, Details: ml.CheckDetails{
			Scores: []ml.FeatureScore{{Feature: "feature1", KS: v}, {Feature: "feature2", KS: 0.03}},
		}})
	}
	return out
}

// TestScoreTrend has five checks rise evenly up to the statistic that this one measures.
func TestScoreTrend(t *testing.T) {
	t.Parallel()
	measured := func(t *testing.T, past []ml.DriftReport) ml.DriftReport {
		t.Helper()
		b := setup(t, Options{})
		b.store.predict(3, "v1", 2000, 0.2, 0)
		b.store.checks = past
		return b.check(t)
	}
	now := measured(t, nil)
	ks := now.Details.Scores[0].KS
	if now.Details.ScoreTrends != nil || ks < 0.06 || ks > 0.095 {
		t.Fatalf("one check alone: %+v", now.Details)
	}
	step := ks / 8
	ahead := (MinKS - ks) / step // steps to the limit: a few
	rising := pastScores("v1", ks-5*step, ks-4*step, ks-3*step, ks-2*step, ks-step)

	for _, tt := range []struct {
		name  string
		past  []ml.DriftReport
		n     int // 0: no trend
		cross bool
	}{
		{"rising", rising, 6, true},
		{"of the version before", append(pastScores("v0", 0.9, 0.9, 0.9), rising...), 6, true},
		{"too few of this version", append(pastScores("v0", 0.01, 0.01, 0.01), rising[3:]...), 0, false},
		{"a failed health check between", append(append([]ml.DriftReport{}, rising[:3]...),
			append([]ml.DriftReport{{ModelVersion: "v1", Action: ml.ActionHealthCheckFailed}}, rising[3:]...)...), 6, true},
		{"falling", pastScores("v1", ks+5*step, ks+4*step, ks+3*step, ks+2*step, ks+step), 6, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := measured(t, tt.past).Details.ScoreTrends["feature1"]
			if ok != (tt.n > 0) || got.N != tt.n {
				t.Fatalf("%+v, %v", got, ok)
			}
			if !ok {
				return
			}
			want := step
			if !tt.cross {
				want = -step
			}
			if got.Limit != MinKS || math.Abs(got.Slope-want) > 1e-9 || math.Abs(got.R2-1) > 1e-9 {
				t.Errorf("%+v, want a slope of %v", got, want)
			}
			if (got.StepsToCross != nil) != tt.cross {
				t.Errorf("crossing %v, want one: %v", got.StepsToCross, tt.cross)
			}
			if tt.cross && math.Abs(*got.StepsToCross-ahead) > 1e-6 {
				t.Errorf("crosses in %v steps, want %v", *got.StepsToCross, ahead)
			}
		})
	}
}

// TestScoreTrendsSpanAnHour however far back the cooldown makes a check look: what was before does not count.
func TestScoreTrendsSpanAnHour(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Cooldown: 10 * time.Hour})
	b.store.predict(3, "v1", 2000, 0.2, 0)
	ks := b.check(t).Details.Scores[0].KS
	b.store.checks = pastScores("v1", append(slices.Repeat([]float64{0.9}, 1200), slices.Repeat([]float64{ks}, 119)...)...)
	if got := b.check(t).Details.ScoreTrends["feature1"]; got.N != 120 || math.Abs(got.Slope) > 1e-9 {
		t.Errorf("%+v, want a level trend through 120 checks", got)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := setup(t, Options{Registerer: reg})
	b.store.versions = versionsOf(0.98, 0.97, 0.96, 0.95, 0.94, 0.93)
	b.store.predict(1, "v1", 400, -1, 0)
	b.draw = 0.1
	b.api.retrain = func(context.Context) (*ml.RetrainResult, int64, error) {
		b.now = b.now.Add(9 * time.Second)
		return &ml.RetrainResult{Verdict: ml.VerdictActivated}, 0, nil
	}
	first := b.check(t)
	b.draw = 0.9
	b.check(t)
	if _, err := b.RunOnce(t.Context(), Request{Slot: first.Slot}); err == nil {
		t.Fatal("a slot was checked twice")
	}
	f1, f2 := first.Details.Scores[0], first.Details.Scores[1]
	want := fmt.Sprintf(`
# HELP iacontinu_checks_total Ticks of the periodic check, by what was done in the end.
# TYPE iacontinu_checks_total counter
iacontinu_checks_total{outcome="cooldown"} 0
iacontinu_checks_total{outcome="error"} 0
iacontinu_checks_total{outcome="health_check_failed"} 0
iacontinu_checks_total{outcome="new_data_needed"} 0
iacontinu_checks_total{outcome="none"} 1
iacontinu_checks_total{outcome="retrain_failed"} 0
iacontinu_checks_total{outcome="retrain_rejected"} 0
iacontinu_checks_total{outcome="retrain_started"} 0
iacontinu_checks_total{outcome="retrained"} 1
iacontinu_checks_total{outcome="slot_taken"} 1
# HELP iacontinu_check_duration_seconds Duration of a check, with the retraining that it waited for.
# TYPE iacontinu_check_duration_seconds histogram
iacontinu_check_duration_seconds_bucket{le="0.01"} 1
iacontinu_check_duration_seconds_bucket{le="0.03"} 1
iacontinu_check_duration_seconds_bucket{le="0.1"} 1
iacontinu_check_duration_seconds_bucket{le="0.3"} 1
iacontinu_check_duration_seconds_bucket{le="1"} 1
iacontinu_check_duration_seconds_bucket{le="3"} 1
iacontinu_check_duration_seconds_bucket{le="10"} 2
iacontinu_check_duration_seconds_bucket{le="30"} 2
iacontinu_check_duration_seconds_bucket{le="60"} 2
iacontinu_check_duration_seconds_bucket{le="90"} 2
iacontinu_check_duration_seconds_bucket{le="+Inf"} 2
iacontinu_check_duration_seconds_sum 9
iacontinu_check_duration_seconds_count 2
# HELP model_drift_detected_total Checks that found drift.
# TYPE model_drift_detected_total counter
model_drift_detected_total 1
# HELP iacontinu_drift_score Latest predictions against the active version's window: ks, ks_p_value or psi. Absent while there are too few.
# TYPE iacontinu_drift_score gauge
iacontinu_drift_score{feature="feature1",statistic="ks"} %v
iacontinu_drift_score{feature="feature1",statistic="ks_p_value"} %v
iacontinu_drift_score{feature="feature1",statistic="psi"} %v
iacontinu_drift_score{feature="feature2",statistic="ks"} %v
iacontinu_drift_score{feature="feature2",statistic="ks_p_value"} %v
iacontinu_drift_score{feature="feature2",statistic="psi"} %v
`, f1.KS, f1.PValue, f1.PSI, f2.KS, f2.PValue, f2.PSI)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want),
		"iacontinu_checks_total", "iacontinu_check_duration_seconds", "model_drift_detected_total", "iacontinu_drift_score"); err != nil {
		t.Error(err)
	}
	for name, g := range map[string]struct {
		gauge *prometheus.GaugeVec
		want  float64
	}{
		"slope": {b.metrics.slope, -0.01}, "r2": {b.metrics.r2, 1}, "steps": {b.metrics.steps, 3},
	} {
		if got := testutil.ToFloat64(g.gauge.WithLabelValues("accuracy", "")); math.Abs(got-g.want) > 1e-9 {
			t.Errorf("%s of the accuracy = %v, want %v", name, got, g.want)
		}
	}
	if n, err := testutil.GatherAndCount(reg, "iacontinu_check_duration_seconds", "iacontinu_forecast_slope",
		"iacontinu_forecast_r2", "iacontinu_forecast_steps_to_limit"); err != nil || n != 4 {
		t.Errorf("%d series, %v", n, err)
	}

	// After a swap nothing is known yet, and old scores and forecasts must not stand there.
	v2 := *b.store.active
	v2.Name = "v2"
	b.store.active, b.store.versions = &v2, nil
	b.check(t)
	if n, err := testutil.GatherAndCount(reg, "iacontinu_drift_score", "iacontinu_forecast_slope",
		"iacontinu_forecast_steps_to_limit"); err != nil || n != 0 {
		t.Errorf("%d series of the version before, %v", n, err)
	}

	if _, err := New(b.opt); err == nil {
		t.Error("two monitors share one registry, and nobody says so")
	}
}
