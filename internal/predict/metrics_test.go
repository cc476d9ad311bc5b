package predict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/logreg"
)

func TestMetricsTellOfTheVersionThatServes(t *testing.T) {
	t.Parallel()
	p, reg := newPredictor(t, &memoryLog{})
	told := []string{
		"iacontinu_model_loaded", "iacontinu_model_created_timestamp_seconds", "iacontinu_model_training_rows",
		"iacontinu_model_accuracy_interval", "ml_model_accuracy",
	}
	expect := func(when string, want ...string) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range families {
			for _, m := range f.GetMetric() {
				series := strings.TrimPrefix(f.GetName(), "iacontinu_")
				for _, l := range m.GetLabel() {
					series += " " + l.GetValue()
				}
				if slices.Contains(told, f.GetName()) {
					got = append(got, fmt.Sprintf("%s %.12g", series, m.GetGauge().GetValue()))
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	expect("before the first version", "model_loaded 0")

	v := version("v1", "a")
	v.CreatedAt, v.TrainingSamples = time.UnixMilli(1_700_000_000_250), 4800
	v.Metrics = []byte(`{"n":1200,"accuracy":0.9,"accuracy_low":0.88,"accuracy_high":0.92,"roc_auc":null}`)
	p.swap(v, logreg.Model{Coef: []float64{1}})
	expect("while v1 serves", "model_loaded 1", "model_created_timestamp_seconds 1700000000.25", "model_training_rows 4800",
		"model_accuracy_interval low 0.88", "model_accuracy_interval high 0.92", "ml_model_accuracy v1 0.9")
	// A version of the earlier system: no time, and no interval, and none left of the one before.
	old := version("old", "a")
	old.TrainingSamples = 12
	p.swap(old, logreg.Model{Coef: []float64{1}})
	expect("while a version serves of which little is known", "model_loaded 1", "model_training_rows 12", "ml_model_accuracy old 0.9")
}

func TestPredictionsAreCountedByClass(t *testing.T) {
	t.Parallel()
	p, reg := newPredictor(t, &memoryLog{})
	p.swap(version("v1", "a"), logreg.Model{Coef: []float64{1}})
	for _, x := range []float64{-1, 2, 3} {
		if _, err := p.Predict(t.Context(), request("a"), []float64{x}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.PredictBatch(t.Context(), request("a"), [][]float64{{-1}, {-2}, {-3}, {4}}); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP iacontinu_predictions_by_class_total Predictions answered and logged, by the label that was predicted.
# TYPE iacontinu_predictions_by_class_total counter
iacontinu_predictions_by_class_total{class="0"} 4
iacontinu_predictions_by_class_total{class="1"} 3
# HELP ml_predictions_total Predictions answered and logged, by model version (the latest versions only).
# TYPE ml_predictions_total counter
ml_predictions_total{model_version="v1"} 7
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "iacontinu_predictions_by_class_total", "ml_predictions_total"); err != nil {
		t.Error(err)
	}
}

// What was predicted by versions that have no series any more still counts for its class.
func TestClassesAreCountedOverAllVersions(t *testing.T) {
	t.Parallel()
	p, reg := newPredictor(t, &memoryLog{})
	const versions = 50
	for i := range versions {
		p.swap(version(fmt.Sprintf("v%d\n\"hostile\\", i), "a"), logreg.Model{Coef: []float64{1}})
		if _, err := p.PredictBatch(t.Context(), request("a"), [][]float64{{-1}, {1}, {2}}); err != nil {
			t.Fatal(err)
		}
	}
	want := fmt.Sprintf(`
# HELP iacontinu_predictions_by_class_total Predictions answered and logged, by the label that was predicted.
# TYPE iacontinu_predictions_by_class_total counter
iacontinu_predictions_by_class_total{class="0"} %d
iacontinu_predictions_by_class_total{class="1"} %d
`, versions, 2*versions)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "iacontinu_predictions_by_class_total"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]int{"ml_predictions_total": maxVersionLabels, "ml_model_accuracy": 1} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != want {
			t.Errorf("%s has %d series after %d versions, %v; want %d", name, n, versions, err, want)
		}
	}
}
