package logreg

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawData draws a small set of rows with both classes; coarse values make ties, collinear and
// constant columns and separable classes likely.
func drawData(t *rapid.T) (x [][]float64, y []uint8) {
	n := rapid.IntRange(4, 60).Draw(t, "n")
	k := rapid.IntRange(1, 4).Draw(t, "k")
	value := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(-8, 8).Draw(t, "quarter")) / 4 })
	x = make([][]float64, k)
	for j := range x {
		x[j] = rapid.SliceOfN(value, n, n).Draw(t, "column")
	}
	y = rapid.SliceOfN(rapid.Uint8Range(0, 1), n, n).Draw(t, "y")
	y[0], y[1] = 0, 1
	return x, y
}

func drawWeights(t *rapid.T, n int) []float64 {
	w := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
		return float64(rapid.IntRange(0, 6).Draw(t, "half")) / 2
	}), n, n).Draw(t, "w")
	w[0], w[1] = 1, 1
	return w
}

func drawOptions(t *rapid.T) Options {
	return Options{
		C:        rapid.SampledFrom([]float64{0.01, 1, 50}).Draw(t, "C"),
		Balanced: rapid.Bool().Draw(t, "balanced"),
		Solver:   rapid.SampledFrom(bothSolvers).Draw(t, "solver"),
		Tol:      1e-11,
	}
}

func fitOrFail(t *rapid.T, x [][]float64, y []uint8, w []float64, o Options) *Model {
	m, report, err := Fit(t.Context(), x, y, w, o)
	if err != nil || !report.Converged {
		t.Fatalf("%+v, %v", report, err)
	}
	return m
}

// expectNear compares models by their coefficients, intercept last.
func expectNear(t *rapid.T, got, want []float64) {
	t.Helper()
	for j := range want {
		if !(math.Abs(got[j]-want[j]) <= 1e-6*(1+math.Abs(want[j]))) {
			t.Fatalf("parameter %d is %v, want %v", j, got[j], want[j])
		}
	}
}

func parameters(m *Model) []float64 { return append(slices.Clone(m.Coef), m.Intercept) }

func TestGradientIsZeroAtTheOptimum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawData(t)
		w := drawWeights(t, len(y))
		o := drawOptions(t)
		m := fitOrFail(t, x, y, w, o)
		weights, _, err := weigh(y, w, o.Balanced)
		if err != nil {
			t.Fatal(err)
		}
		for j, g := range rawGradient(m, x, y, weights, o.C) {
			if !(math.Abs(g) <= 1e-9) {
				t.Fatalf("component %d is %g", j, g)
			}
		}
	})
}

func TestRepeatedRowsAreWeights(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawData(t)
		o := drawOptions(t)
		times := rapid.SliceOfN(rapid.IntRange(0, 3), len(y), len(y)).Draw(t, "times")
		times[0], times[1] = 1, 2
		w := make([]float64, len(y))
		repeated := make([][]float64, len(x))
		var labels []uint8
		for i, n := range times {
			w[i] = float64(n)
			for range n {
				labels = append(labels, y[i])
				for j := range x {
					repeated[j] = append(repeated[j], x[j][i])
				}
			}
		}
		expectNear(t, parameters(fitOrFail(t, x, y, w, o)), parameters(fitOrFail(t, repeated, labels, nil, o)))
	})
}

func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawData(t)
		o := drawOptions(t)
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Perm(len(y))
		permuted, labels := make([][]float64, len(x)), make([]uint8, len(y))
		for to, from := range order {
			labels[to] = y[from]
			for j := range x {
				permuted[j] = append(permuted[j], x[j][from])
			}
		}
		expectNear(t, parameters(fitOrFail(t, permuted, labels, nil, o)), parameters(fitOrFail(t, x, y, nil, o)))
	})
}

// With all columns in units s times as large and C divided by s², the objective is the same but for
// a factor, at coefficients s times as small.
func TestUnitsFollowC(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawData(t)
		o := drawOptions(t)
		s := rapid.SampledFrom([]float64{1e-3, 0.5, 7, 1e4}).Draw(t, "s")
		want := fitOrFail(t, x, y, nil, o)
		scaled := make([][]float64, len(x))
		for j, column := range x {
			for _, v := range column {
				scaled[j] = append(scaled[j], s*v)
			}
		}
		o.C /= s * s
		got := fitOrFail(t, scaled, y, nil, o)
		for j := range got.Coef {
			got.Coef[j] *= s
		}
		expectNear(t, parameters(got), parameters(want))
	})
}

func TestSwappedClassesSwapTheSigns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawData(t)
		o := drawOptions(t)
		swapped := make([]uint8, len(y))
		for i, label := range y {
			swapped[i] = 1 - label
		}
		got := parameters(fitOrFail(t, x, swapped, nil, o))
		for j := range got {
			got[j] = -got[j]
		}
		expectNear(t, got, parameters(fitOrFail(t, x, y, nil, o)))
	})
}

func TestSolversAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawData(t)
		w := drawWeights(t, len(y))
		o := drawOptions(t)
		o.Solver = SolverNewton
		newton := fitOrFail(t, x, y, w, o)
		o.Solver = SolverLBFGS
		expectNear(t, parameters(fitOrFail(t, x, y, w, o)), parameters(newton))
	})
}
