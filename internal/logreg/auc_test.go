package logreg

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func curveOf(t *testing.T, p []float64, y []uint8, w []float64) Metrics {
	t.Helper()
	m, err := Evaluate(p, y, w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestROCCurveOfFewRows(t *testing.T) {
	t.Parallel()
	// scikit-learn 1.9.1: roc_curve([0,0,1,1,1,0], [.1,.4,.35,.8,.4,.9], drop_intermediate=False)
	got := curveOf(t, []float64{0.1, 0.4, 0.35, 0.8, 0.4, 0.9}, []uint8{0, 0, 1, 1, 1, 0}, nil).ROC
	third := func(n float64) float64 { return 1 - (3-n)/3 }
	want := &ROCCurve{
		FPR: []float64{0, third(1), third(1), third(2), third(2), 1},
		TPR: []float64{0, 0, third(1), third(2), 1, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m := curveOf(t, []float64{0.1, 0.4}, []uint8{1, 1}, nil); m.ROC != nil {
		t.Errorf("a curve of one class: %+v", m.ROC)
	}
}

// The kept points are few, rise, and enclose the area that is measured on all rows.
func TestROCCurveOfManyRows(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	n := 20000
	p, y, w := make([]float64, n), make([]uint8, n), make([]float64, n)
	for i := range p {
		y[i] = uint8(random.IntN(2))
		p[i] = 1 / (1 + math.Exp(-random.NormFloat64()-float64(y[i])))
		w[i] = random.Float64()
	}
	m := curveOf(t, p, y, w)
	points := len(m.ROC.FPR)
	if points > rocPoints || points < rocPoints/2 {
		t.Errorf("%d points, want at most %d and not much fewer", points, rocPoints)
	}
	if fault := m.ROC.validate(); fault != "" {
		t.Error(fault)
	}
	var area float64
	for i := 1; i < points; i++ {
		area += (m.ROC.FPR[i] - m.ROC.FPR[i-1]) * (m.ROC.TPR[i] + m.ROC.TPR[i-1]) / 2
	}
	if math.Abs(area-*m.ROCAUC) > 1e-3 {
		t.Errorf("area %v under the points, %v under the curve", area, *m.ROCAUC)
	}
}

func TestArtifactROCCurve(t *testing.T) {
	t.Parallel()
	a := testArtifact()
	if text, err := a.encode(); err != nil || strings.Contains(string(text), "roc_curve") {
		t.Errorf("an artifact without a curve names it (%v)", err)
	}
	dir := t.TempDir() + "/v"
	a.Metrics.ROC = &ROCCurve{FPR: []float64{0, 0.5, 1}, TPR: []float64{0, 0.5, 1}}
	save(t, a, dir)
	got, err := LoadArtifact(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.Metrics.ROC, got.Metrics.ROC); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []ROCCurve{
		{},
		{FPR: []float64{0, 1}, TPR: []float64{0}},
		{FPR: []float64{0, 2}, TPR: []float64{0, 1}},
		{FPR: []float64{0.5, 0}, TPR: []float64{0, 1}},
	} {
		a.Metrics.ROC = &bad
		if _, err := a.Save(dir); err == nil || !strings.Contains(err.Error(), "metrics.roc_curve") {
			text, _ := json.Marshal(bad)
			t.Errorf("%s: got %v", text, err)
		}
	}
}
