package logreg

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExpNegAbs(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(v float64) {
		if e := relativeError(expNegAbs(v), math.Exp(-math.Abs(v))); !(e <= expError) {
			t.Fatalf("exp(-|%v|) = %v is off by %g of it", v, expNegAbs(v), e)
		}
	}
	for range 200_000 {
		check(expLimit * (2*rng.Float64() - 1))
		check(math.Ldexp(rng.Float64(), -rng.IntN(60)))
	}
	for _, v := range []float64{0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, expLimit, -expLimit, math.Ln2, math.Ln2 / expSize} {
		check(v)
	}
	// What the polynomial leaves at the edges between the table's entries.
	for i := range 50_000 {
		edge := (float64(i) + 0.5) * math.Ln2 / expSize
		check(edge)
		check(math.Nextafter(edge, 0))
	}
	for _, v := range []float64{710, 1e300, math.Inf(-1)} {
		if got := expNegAbs(v); !(got >= 0 && got <= 1e-300) {
			t.Errorf("exp(-|%v|) = %v", v, got)
		}
	}
	if !math.IsNaN(expNegAbs(math.NaN())) {
		t.Error("NaN is lost")
	}
}

// The rows of the inner loop against their definition, at both ends too.
func TestLogistic(t *testing.T) {
	t.Parallel()
	eta := []float64{-1000, -701, -300, -40, -1, -1e-9, 0, 1e-300, 0.3, 2, 37, 500, 1000}
	one := make([]float64, 1)
	curvature := make([]float64, 1)
	for _, v := range eta {
		for _, y := range []uint8{0, 1} {
			m := v
			if y == 1 {
				m = -v
			}
			wantLoss := max(m, 0) + math.Log1p(math.Exp(-math.Abs(m)))
			want := 1 / (1 + math.Exp(-m))
			for _, w := range []float64{1, 2.5} {
				loss, hinge := logistic([]float64{v}, []uint8{y}, one, curvature)
				if w != 1 {
					loss, hinge = logisticWeighted([]float64{v}, []uint8{y}, []float64{w}, one, curvature)
				}
				residual := one[0]
				if y == 1 {
					residual = -residual
				}
				if !(math.Abs(loss-w*wantLoss) <= 1e-15*w*(1+wantLoss)) {
					t.Errorf("η=%v y=%d w=%v: loss %v, want %v", v, y, w, loss, w*wantLoss)
				}
				if !(relativeError(residual, w*want) <= 1e-15) && want > 1e-300 {
					t.Errorf("η=%v y=%d w=%v: residual %v, want %v", v, y, w, residual, w*want)
				}
				if h := w * want / (1 + math.Exp(m)); !(relativeError(curvature[0], h) <= 2e-15) && h > 1e-300 {
					t.Errorf("η=%v y=%d w=%v: curvature %v, want %v", v, y, w, curvature[0], h)
				}
				if (hinge == 0) != (m <= 0) {
					t.Errorf("η=%v y=%d w=%v: hinge %v", v, y, w, hinge)
				}
			}
		}
	}
}

func TestPredict(t *testing.T) {
	t.Parallel()
	m := Model{Coef: []float64{2, -1}, Intercept: 0.5}
	for _, c := range []struct {
		row        []float64
		label      int
		confidence float64
	}{
		{[]float64{1, 0.5}, 1, 1 / (1 + math.Exp(-2))},
		{[]float64{-1, 0.5}, 0, 1 / (1 + math.Exp(-2))},
		{[]float64{0, 0.5}, 0, 0.5}, // on the plane: scikit-learn's answer too
		{[]float64{1e9, 0}, 1, 1},
		{[]float64{-1e9, 0}, 0, 1},
		{[]float64{1.7e308, 1.7e308}, 1, 1},
		{[]float64{math.MaxFloat64, math.Inf(1)}, 0, 0.5},
	} {
		label, confidence := m.Predict(c.row)
		if label != c.label || !(math.Abs(confidence-c.confidence) <= 1e-15) {
			t.Errorf("%v: %d with %v, want %d with %v", c.row, label, confidence, c.label, c.confidence)
		}
	}
}

func TestProbabilitiesArePredicts(t *testing.T) {
	t.Parallel()
	x, _ := generated(2*block+17, 5, 1)
	m := Model{Coef: []float64{1, -2, 30, 0, 0.25}, Intercept: -0.1}
	p := make([]float64, len(x[0]))
	m.Probabilities(x, p)
	for i := range p {
		row := []float64{x[0][i], x[1][i], x[2][i], x[3][i], x[4][i]}
		label, confidence := m.Predict(row)
		if label == 0 {
			confidence = 1 - confidence
		}
		if !(math.Abs(p[i]-confidence) <= 1e-15) || (label == 1) != (p[i] > 0.5) {
			t.Fatalf("row %d: %v, want %v of class %d", i, p[i], confidence, label)
		}
	}
}

func TestPredictDoesNotAllocate(t *testing.T) {
	m := Model{Coef: []float64{1, 2}, Intercept: 3}
	row := []float64{0.1, 0.2}
	columns, p := [][]float64{row, row}, make([]float64, 2)
	if n := testing.AllocsPerRun(100, func() {
		m.Predict(row)
		m.Probabilities(columns, p)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPredict(b *testing.B) {
	m := Model{Coef: []float64{0.5, 0.3}, Intercept: 0.1}
	row := []float64{0.7, -0.2}
	b.ReportAllocs()
	for b.Loop() {
		m.Predict(row)
	}
}

func BenchmarkProbabilities(b *testing.B) {
	x, _ := generated(1e5, 10, 1)
	m := Model{Coef: make([]float64, 10)}
	for j := range m.Coef {
		m.Coef[j] = float64(j) / 7
	}
	p := make([]float64, len(x[0]))
	b.ReportAllocs()
	for b.Loop() {
		m.Probabilities(x, p)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e5, "ns/row")
}
