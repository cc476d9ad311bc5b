package logreg

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var bothSolvers = []string{SolverNewton, SolverLBFGS}

// mustFit fits and expects convergence.
func mustFit(t *testing.T, x [][]float64, y []uint8, w []float64, o Options) (*Model, FitReport) {
	t.Helper()
	m, report, err := Fit(t.Context(), x, y, w, o)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Converged {
		t.Fatalf("did not converge: %+v", report)
	}
	return m, report
}

// rawGradient is the gradient of the objective by its definition on the raw columns, intercept
// last, divided by C and the sum of weights.
func rawGradient(m *Model, x [][]float64, y []uint8, w []float64, c float64) []float64 {
	k := len(x)
	gradient := make([]float64, k+1)
	var total float64
	row := make([]float64, k)
	for i := range y {
		for j := range x {
			row[j] = x[j][i]
		}
		r := weightOf(w, i) * (1/(1+math.Exp(-m.Score(row))) - float64(y[i]))
		for j := range x {
			gradient[j] += c * r * row[j]
		}
		gradient[k] += c * r
		total += weightOf(w, i)
	}
	for j, b := range m.Coef {
		gradient[j] += b
	}
	for j := range gradient {
		gradient[j] /= c * total
	}
	return gradient
}

func TestFitRefuses(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	y := []uint8{0, 1, 0, 1}
	x := [][]float64{{1, 2, 3, 5}, {0, 1, 0, 2}}
	for name, c := range map[string]struct {
		x    [][]float64
		y    []uint8
		w    []float64
		o    Options
		want error
		text string
	}{
		"no columns":        {nil, y, nil, Options{}, ErrShape, "0 columns"},
		"no rows":           {[][]float64{{}}, nil, nil, Options{}, ErrShape, "0 labels"},
		"short column":      {[][]float64{x[0], {1}}, y, nil, Options{}, ErrShape, "column 1 has 1 rows for 4"},
		"label":             {x, []uint8{0, 1, 2, 1}, nil, Options{}, ErrLabel, "row 2 is labelled 2"},
		"weights":           {x, y, []float64{1}, Options{}, ErrShape, "1 weights"},
		"negative weight":   {x, y, []float64{1, 1, -1, 1}, Options{}, ErrWeight, "row 2 is -1"},
		"NaN weight":        {x, y, []float64{1, 1, 1, nan}, Options{}, ErrWeight, "row 3 is NaN"},
		"infinite weight":   {x, y, []float64{1, inf, 1, 1}, Options{}, ErrWeight, "row 1 is +Inf"},
		"huge weights":      {x, y, []float64{1e300, 1e300, 1e300, 1e300}, Options{}, ErrWeight, "beyond"},
		"no weight":         {x, y, []float64{0, 0, 0, 0}, Options{}, ErrWeight, "all weights"},
		"one class":         {x, []uint8{1, 1, 1, 1}, nil, Options{}, ErrSingleClass, "weigh 0 (0) and 4 (1)"},
		"one class weighed": {x, y, []float64{0, 1, 0, 1}, Options{Balanced: true}, ErrSingleClass, "weigh 0 (0) and 2 (1)"},
		"NaN":               {[][]float64{x[0], {0, 1, nan, 2}}, y, nil, Options{}, ErrNotFinite, "column 1, row 2 is NaN"},
		"infinity":          {[][]float64{{1, 2, 3, -inf}, x[1]}, y, nil, Options{}, ErrNotFinite, "column 0, row 3 is -Inf"},
		"C":                 {x, y, nil, Options{C: -1}, ErrOptions, "C is -1"},
		"NaN C":             {x, y, nil, Options{C: nan}, ErrOptions, "C is NaN"},
		"Tol":               {x, y, nil, Options{Tol: -1}, ErrOptions, "Tol is -1"},
		"MaxIter":           {x, y, nil, Options{MaxIter: -1}, ErrOptions, "MaxIter is -1"},
		"Parallel":          {x, y, nil, Options{Parallel: -1}, ErrOptions, "Parallel is -1"},
		"Solver":            {x, y, nil, Options{Solver: "sag"}, ErrOptions, `Solver is "sag"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _, err := Fit(t.Context(), c.x, c.y, c.w, c.o)
			if m != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// A value that the sample for the scales does not see is found by the sums.
func TestFitFindsNaNOutsideTheSample(t *testing.T) {
	t.Parallel()
	for _, solver := range bothSolvers {
		for _, bad := range []float64{math.NaN(), math.Inf(-1)} {
			x, y := generated(2*sampleRows+500, 2, 1)
			row := 0
			for drawn := gather(drawSample(len(y)), x[1]); slices.Contains(drawn, x[1][row]); {
				row++
			}
			x[1][row] = bad
			if _, _, err := Fit(t.Context(), x, y, nil, Options{Solver: solver}); !errors.Is(err, ErrNotFinite) {
				t.Errorf("%s with %v in row %d: got %v", solver, bad, row, err)
			}
		}
	}
}

func TestFitMeetsItsDefinition(t *testing.T) {
	t.Parallel()
	for _, solver := range bothSolvers {
		for _, n := range []int{100, 3*block + 1, 2*sampleRows + 77} {
			x, y := generated(n, 3, uint64(n))
			m, report := mustFit(t, x, y, nil, Options{C: 0.7, Solver: solver})
			for j, g := range rawGradient(m, x, y, nil, 0.7) {
				if !(math.Abs(g) <= 2e-8) {
					t.Errorf("%s, %d rows: gradient %d is %g", solver, n, j, g)
				}
			}
			if !(report.GradNorm <= 1e-8) || report.Solver != solver || report.Iterations < 2 {
				t.Errorf("%s, %d rows: report %+v", solver, n, report)
			}
		}
	}
}

func TestFitChoosesSolver(t *testing.T) {
	t.Parallel()
	for k, want := range map[int]string{2: SolverNewton, newtonColumns + 1: SolverLBFGS} {
		x, y := generated(500, k, 1)
		if _, report := mustFit(t, x, y, nil, Options{}); report.Solver != want {
			t.Errorf("%d columns: %s, want %s", k, report.Solver, want)
		}
	}
}

func TestFitIsTheSameForAnyParallel(t *testing.T) {
	t.Parallel()
	x, y := generated(2*sampleRows+1000, 3, 5)
	w := make([]float64, len(y))
	for i := range w {
		w[i] = 0.5 + math.Abs(x[2][i])
	}
	for _, solver := range bothSolvers {
		for _, weights := range [][]float64{nil, w} {
			want, wantReport := mustFit(t, x, y, weights, Options{Solver: solver, Parallel: 1})
			for _, parallel := range []int{2, 3, 64} {
				got, report := mustFit(t, x, y, weights, Options{Solver: solver, Parallel: parallel})
				if !slices.Equal(got.Coef, want.Coef) || got.Intercept != want.Intercept || report != wantReport {
					t.Errorf("%s, %d goroutines: %v %+v, want %v %+v", solver, parallel, got, report, want, wantReport)
				}
			}
		}
	}
}

func TestFitLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	x, y := generated(3000, 2, 8)
	for i := range x[1] {
		x[1][i] += 1e6 // far from zero: a standardised copy is made
	}
	w := slices.Repeat([]float64{0.5, 2}, 1500)
	wantX, wantY, wantW := [][]float64{slices.Clone(x[0]), slices.Clone(x[1])}, slices.Clone(y), slices.Clone(w)
	mustFit(t, x, y, w, Options{Balanced: true})
	if !slices.Equal(x[0], wantX[0]) || !slices.Equal(x[1], wantX[1]) || !slices.Equal(y, wantY) || !slices.Equal(w, wantW) {
		t.Error("the input has changed")
	}
}

func TestFitConstantColumn(t *testing.T) {
	t.Parallel()
	x, y := generated(10_000, 2, 2)
	constant := slices.Repeat([]float64{42.5}, len(y))
	for _, solver := range bothSolvers {
		want, _ := mustFit(t, x, y, nil, Options{Solver: solver})
		got, _ := mustFit(t, [][]float64{x[0], constant, x[1]}, y, nil, Options{Solver: solver})
		if got.Coef[0] != want.Coef[0] || got.Coef[1] != 0 || got.Coef[2] != want.Coef[1] || got.Intercept != want.Intercept {
			t.Errorf("%s: %+v, want %+v with a zero between", solver, got, want)
		}
		alone, _ := mustFit(t, [][]float64{constant}, y, nil, Options{Solver: solver})
		ones := classWeights(y, nil)[1]
		if share := sigmoid(alone.Score([]float64{42.5})); !(math.Abs(share-ones/float64(len(y))) <= 1e-8) {
			t.Errorf("%s: a constant alone gives %v, want the share of class 1, %v", solver, share, ones/float64(len(y)))
		}
	}
}

// A column that is constant wherever the sample looks is measured on all rows.
func TestFitRareColumn(t *testing.T) {
	t.Parallel()
	x, y := generated(3*sampleRows, 1, 2)
	rare := make([]float64, len(y))
	starts := drawSample(len(y)).starts
	for _, s := range starts[:40] {
		rare[s+sampleRun] = 3
		y[s+sampleRun] = 1
	}
	if s := standardOf(gather(drawSample(len(y)), rare)); s.spread != 0 {
		t.Fatal("the sample sees the column")
	}
	m, _ := mustFit(t, [][]float64{x[0], rare}, y, nil, Options{})
	if !(m.Coef[1] >= 1) {
		t.Errorf("the coefficient is %v", m.Coef[1])
	}
}

func TestFitScalesAndShifts(t *testing.T) {
	t.Parallel()
	x, y := generated(5_000, 2, 3)
	// Without a penalty to speak of, the plane does not depend on the units.
	o := Options{C: 1e6}
	want, _ := mustFit(t, x, y, nil, o)
	for _, unit := range []struct{ scale, shift float64 }{{1e-6, 0}, {1e6, 0}, {1, 1e3}, {1, -1e7}, {1e150, 0}, {1e300, 1e300}} {
		moved := [][]float64{x[0], make([]float64, len(y))}
		for i, v := range x[1] {
			moved[1][i] = v*unit.scale + unit.shift
		}
		for _, solver := range bothSolvers {
			o.Solver = solver
			got, _ := mustFit(t, moved, y, nil, o)
			tolerance := 1e-6
			if unit.scale < 1 {
				tolerance = 1 // here the penalty does count
			}
			if e := relativeError(got.Coef[1]*unit.scale, want.Coef[1]); !(e <= tolerance) {
				t.Errorf("%s, %+v: coefficient off by %g", solver, unit, e)
			}
			if e := relativeError(got.Coef[0], want.Coef[0]); unit.scale >= 1 && !(e <= 1e-6) {
				t.Errorf("%s, %+v: the other coefficient off by %g", solver, unit, e)
			}
		}
	}
}

// One wild value must not set the scale by which a gradient is called small.
func TestFitOutlier(t *testing.T) {
	t.Parallel()
	for _, solver := range bothSolvers {
		for _, wild := range []float64{1e3, 1e6, 1e10} {
			for label := range uint8(2) {
				x, y := generated(3000, 2, 1)
				sparse := make([]float64, len(y)) // its quartiles coincide
				for i := range sparse {
					sparse[i] = max(0, x[1][i]-1)
				}
				x = append(x, sparse)
				x[1][5], x[2][7], y[5], y[7] = wild, -wild, label, label
				m, _ := mustFit(t, x, y, nil, Options{Solver: solver, Parallel: 1})
				for j, g := range rawGradient(m, x, y, nil, 1) {
					if !(math.Abs(g) <= 1e-7) {
						t.Errorf("%s, %g of class %d: gradient %d is %g", solver, wild, label, j, g)
					}
				}
			}
		}
	}
}

func TestFitSeparable(t *testing.T) {
	t.Parallel()
	x := [][]float64{{-3, -2, -1.5, 1, 2, 2.5}}
	y := []uint8{0, 0, 0, 1, 1, 1}
	for _, solver := range bothSolvers {
		var last float64
		for _, c := range []float64{1, 100, 1e6, 1e12} {
			m, report := mustFit(t, x, y, nil, Options{C: c, Solver: solver, Tol: 1e-14})
			if !report.Separable || !strings.Contains(report.Note, "penalty") {
				t.Errorf("%s, C=%g: %+v", solver, c, report)
			}
			if !(m.Coef[0] > last) {
				t.Errorf("%s, C=%g: coefficient %v does not grow from %v", solver, c, m.Coef[0], last)
			}
			last = m.Coef[0]
		}
	}
	// All rows in one point: no row is misplaced by much, but nothing is separated.
	if _, report := mustFit(t, [][]float64{{1, 1, 1, 1}}, []uint8{0, 1, 0, 1}, nil, Options{}); report.Separable {
		t.Error("a constant separates nothing")
	}
}

// A sample without any row of a class is of no use, and one that misleads must do no harm.
func TestFitRareClass(t *testing.T) {
	t.Parallel()
	x, _ := generated(2*sampleRows+500, 2, 4)
	y := make([]uint8, len(x[0]))
	starts := drawSample(len(y)).starts
	for i, s := range starts[:30] {
		y[s+sampleRun] = 1
		x[0][s+sampleRun] = 3 + float64(i%5)
	}
	for _, solver := range bothSolvers {
		for _, inSample := range []int{0, 1} {
			y[starts[0]] = uint8(inSample) // a single row: the sample is separable
			m, _ := mustFit(t, x, y, nil, Options{Solver: solver, Tol: 1e-10})
			for j, g := range rawGradient(m, x, y, nil, 1) {
				if !(math.Abs(g) <= 1e-9) {
					t.Errorf("%s, %d of the class in the sample: gradient %d is %g", solver, inSample, j, g)
				}
			}
		}
	}
}

func TestFitStopsAtMaxIter(t *testing.T) {
	t.Parallel()
	x, y := generated(500, 4, 1)
	for _, solver := range bothSolvers {
		m, report, err := Fit(t.Context(), x, y, nil, Options{MaxIter: 2, Solver: solver})
		if err != nil || m == nil || report.Converged || report.Note != noteIterations || report.GradNorm <= 1e-8 {
			t.Errorf("%s: %+v, %v", solver, report, err)
		}
	}
}

// countdown is a context that ends after so many looks at it.
type countdown struct {
	context.Context
	left, late atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) >= 0 {
		return nil
	}
	c.late.Add(1)
	return context.Canceled
}

func TestFitObeysItsContext(t *testing.T) {
	t.Parallel()
	x, y := generated(50_000, 2, 1)
	for _, solver := range bothSolvers {
		// From the first look to the middle of the first passes over the sample and over all rows.
		for _, looks := range []int64{0, 1, 30, 100, 200, 300} {
			ctx := &countdown{Context: t.Context()}
			ctx.left.Store(looks)
			_, _, err := Fit(ctx, x, y, nil, Options{Solver: solver, Parallel: 2})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %d looks: got %v", solver, looks, err)
			}
			// Every chunk of the pass looks once, and no pass follows.
			if late := ctx.late.Load(); late > maxChunks+5 {
				t.Errorf("%s, %d looks: went on for %d more", solver, looks, late)
			}
		}
	}
}

func TestFitLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	x, y := generated(2*sampleRows, 2, 1)
	for _, solver := range bothSolvers {
		// A goroutine left behind is a deadlock to synctest.
		synctest.Test(t, func(t *testing.T) {
			mustFit(t, x, y, nil, Options{Solver: solver, Parallel: 4})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, _, err := Fit(ctx, x, y, nil, Options{Solver: solver, Parallel: 4}); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}
