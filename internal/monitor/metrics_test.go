package monitor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/ml"
)

func TestMetricsTellHowChecksAreMade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ detector, level string }{{Random, "0.001"}, {Statistical, "0.01"}} {
		reg := prometheus.NewRegistry()
		o := Options{Detector: tt.detector, Interval: 45 * time.Second, Registerer: reg}
		if tt.detector == Statistical {
			o.Threshold = 0.01
		}
		setup(t, o)
		want := `
# HELP iacontinu_check_detector 1 for the detector that is set: random or statistical.
# TYPE iacontinu_check_detector gauge
iacontinu_check_detector{detector="` + tt.detector + `"} 1
# HELP iacontinu_check_interval_seconds Time between two checks, as set.
# TYPE iacontinu_check_interval_seconds gauge
iacontinu_check_interval_seconds 45
# HELP iacontinu_drift_threshold A feature drifted if ks_p_value, corrected for the number of features, is below its threshold, and ks or psi is at its own or above.
# TYPE iacontinu_drift_threshold gauge
iacontinu_drift_threshold{statistic="ks"} 0.1
iacontinu_drift_threshold{statistic="ks_p_value"} ` + tt.level + `
iacontinu_drift_threshold{statistic="psi"} 0.1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want),
			"iacontinu_check_detector", "iacontinu_check_interval_seconds", "iacontinu_drift_threshold"); err != nil {
			t.Error(err)
		}
	}
}

func TestMetricsTellTheVerdictOfEachFeature(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := statistical(t, Options{Registerer: reg})
	b.store.predict(5, "v1", 1000, -0.5, 0)
	b.check(t)
	want := `
# HELP iacontinu_drift_verdict 1 if the last check found that the feature drifted, else 0: the difference is significant and large enough to matter. Absent while there are too few predictions.
# TYPE iacontinu_drift_verdict gauge
iacontinu_drift_verdict{feature="feature1"} 1
iacontinu_drift_verdict{feature="feature2"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "iacontinu_drift_verdict"); err != nil {
		t.Error(err)
	}
	b.store.rows = nil
	b.check(t)
	if n, err := testutil.GatherAndCount(reg, "iacontinu_drift_verdict", "iacontinu_drift_score"); err != nil || n != 0 {
		t.Errorf("%d series without predictions, %v; want none", n, err)
	}
}

// A restart does not look like a platform that never checked.
func TestTheLastCheckIsKnownAfterARestart(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	if last := testutil.ToFloat64(b.metrics.last); last != 0 {
		t.Errorf("the last check was at %v before the first", last)
	}
	b.check(t)
	if last := testutil.ToFloat64(b.metrics.last); last != float64(noon.Unix()) {
		t.Errorf("the last check was at %v, want noon, %d", last, noon.Unix())
	}
	again, err := New(b.opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Recall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last := testutil.ToFloat64(again.metrics.last); last != float64(noon.Unix()) {
		t.Errorf("after a restart the last check was at %v, want noon, %d", last, noon.Unix())
	}
}

// A table may have thousands of columns, whose names are a stranger's.
func TestFeaturesHaveBoundedSeries(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := newMetrics(Options{Detector: Random, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	const features = 3000
	scores, trends := make([]ml.FeatureScore, features), map[string]ml.Trend{}
	for i := range scores {
		scores[i] = ml.FeatureScore{Feature: fmt.Sprintf("x%d\"}\n# HELP\\", i), KS: float64(i) / features, Drift: i == 7}
		trends[scores[i].Feature] = ml.Trend{Slope: 1}
	}
	m.setScores(scores)
	m.setTrends(nil, scores, trends)
	for name, want := range map[string]int{"iacontinu_drift_score": 3 * maxFeatureLabels, "iacontinu_drift_verdict": maxFeatureLabels, "iacontinu_forecast_slope": maxFeatureLabels} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != want {
			t.Errorf("%s has %d series of %d features, %v; want %d", name, n, features, err, want)
		}
	}
	for i, want := range map[int]float64{7: 1, features - 1: 0} { // one of drift, and the largest distance
		if got := testutil.ToFloat64(m.verdict.WithLabelValues(scores[i].Feature)); got != want {
			t.Errorf("feature %d: %v, want %v", i, got, want)
		}
	}
	if n := testutil.CollectAndCount(m.verdict); n != maxFeatureLabels {
		t.Errorf("the features that matter most have no series: asking for them made %d", n)
	}
}
