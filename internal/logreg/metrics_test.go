package logreg

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestEvaluateRefuses(t *testing.T) {
	t.Parallel()
	y := []uint8{0, 1}
	for name, c := range map[string]struct {
		p    []float64
		y    []uint8
		w    []float64
		want error
	}{
		"nothing":            {nil, nil, nil, ErrShape},
		"lengths":            {[]float64{0.5}, y, nil, ErrShape},
		"weights":            {[]float64{0.5, 1}, y, []float64{1}, ErrShape},
		"above 1":            {[]float64{0.5, 1.1}, y, nil, ErrProbability},
		"below 0":            {[]float64{0.5, -0.1}, y, nil, ErrProbability},
		"NaN":                {[]float64{math.NaN(), 1}, y, nil, ErrProbability},
		"label":              {[]float64{0.5, 1}, []uint8{0, 7}, nil, ErrLabel},
		"negative weight":    {[]float64{0.5, 1}, y, []float64{1, -1}, ErrWeight},
		"no weight":          {[]float64{0.5, 1}, y, []float64{0, 0}, ErrWeight},
		"weights out of all": {[]float64{0.5, 1}, y, []float64{1e200, 1}, ErrWeight},
	} {
		if _, err := Evaluate(c.p, c.y, c.w); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestEvaluateUndefined(t *testing.T) {
	t.Parallel()
	got, err := Evaluate([]float64{0.2, 0.5}, []uint8{0, 0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.ROCAUC != nil || got.Precision != 0 || got.Recall != 0 || got.F1 != 0 || got.Accuracy != 1 {
		t.Errorf("%+v", got)
	}
	if got.Confusion != [2][2]int{{2, 0}, {0, 0}} {
		t.Errorf("a probability of one half is not above one half: %v", got.Confusion)
	}
	got, err = Evaluate([]float64{1, 0}, []uint8{0, 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := 52 * math.Ln2; !(math.Abs(got.LogLoss-want) <= 1e-12) || got.Brier != 1 || *got.ROCAUC != 0 {
		t.Errorf("sure and wrong: %+v, want a log loss of %v", got, want)
	}
}

func TestWilson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		successes, n int
		low, high    float64
	}{
		// SciPy 1.17.1: scipy.stats.binomtest(k, n).proportion_ci(0.95, "wilson")
		{8, 10, 0.4901624715366418, 0.9433178485456248},
		{0, 10, 0, 0.27753279986288926},
		{10, 10, 0.7224672001371109, 1},
		{920, 1000, 0.9015335609704975, 0.935251961901636},
		{0, 0, 0, 1},
	} {
		low, high := Wilson(c.successes, c.n, z95)
		if !(math.Abs(low-c.low) <= 1e-12 && math.Abs(high-c.high) <= 1e-12) {
			t.Errorf("%d of %d: %v to %v, want %v to %v", c.successes, c.n, low, high, c.low, c.high)
		}
	}
}

// Weights that are all equal weigh nothing, whatever their unit; unequal ones widen the interval.
func TestIntervalOfWeightedRows(t *testing.T) {
	t.Parallel()
	p, y := []float64{0.1, 0.9, 0.8, 0.3}, []uint8{0, 1, 0, 0}
	interval := func(w ...float64) [2]float64 {
		m, err := Evaluate(p, y, w)
		if err != nil {
			t.Fatal(err)
		}
		return [2]float64{m.AccuracyLow, m.AccuracyHigh}
	}
	plain, equal, unequal := interval(), interval(5, 5, 5, 5), interval(2.9, 0.1, 1, 0)
	if diff := cmp.Diff(plain, equal, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Error(diff)
	}
	if low, high := Wilson(3, 4, z95); plain != [2]float64{low, high} {
		t.Errorf("%v, want %v to %v", plain, low, high)
	}
	if unequal[0] >= plain[0] || unequal[1] <= plain[1] {
		t.Errorf("%v is not wider than %v at the same accuracy", unequal, plain)
	}
}

func TestCalibrationEdges(t *testing.T) {
	t.Parallel()
	var p []float64
	var y []uint8
	for b := range calibrationBins + 1 {
		p = append(p, binEdge(b), math.Nextafter(binEdge(b), 0))
		y = append(y, 0, 1)
	}
	got, err := Evaluate(p, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	var counts []int
	for b, bin := range got.Calibration {
		counts = append(counts, bin.Count)
		if bin.MeanPredicted < bin.Low || bin.MeanPredicted > bin.High || bin.Low != binEdge(b) || bin.High != binEdge(b+1) {
			t.Errorf("bin %d: %+v", b, bin)
		}
	}
	// An edge belongs to the bin below it; 0 and its neighbour to the first.
	if diff := cmp.Diff([]int{4, 2, 2, 2, 2, 2, 2, 2, 2, 2}, counts); diff != "" {
		t.Error(diff)
	}
}

func drawJudged(t *rapid.T) (p []float64, y []uint8, w []float64) {
	n := rapid.IntRange(1, 40).Draw(t, "n")
	tenth := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(0, 10).Draw(t, "tenth")) / 10 })
	p = rapid.SliceOfN(rapid.OneOf(tenth, rapid.Float64Range(0, 1)), n, n).Draw(t, "p")
	y = rapid.SliceOfN(rapid.Uint8Range(0, 1), n, n).Draw(t, "y")
	w = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
		return float64(rapid.IntRange(0, 3).Draw(t, "weight"))
	}), n, n).Draw(t, "w")
	w[0] = 1
	return p, y, w
}

func TestROCAUCIsTheShareOfOrderedPairs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, y, w := drawJudged(t)
		var ordered, pairs float64
		for i := range p {
			for j := range p {
				if y[i] != 1 || y[j] != 0 {
					continue
				}
				weight := w[i] * w[j]
				pairs += weight
				switch {
				case p[i] > p[j]:
					ordered += weight
				case p[i] == p[j]:
					ordered += weight / 2
				}
			}
		}
		m, err := Evaluate(p, y, w)
		if err != nil {
			t.Fatal(err)
		}
		if (m.ROCAUC == nil) != (pairs == 0) || m.ROCAUC != nil && !(math.Abs(*m.ROCAUC-ordered/pairs) <= 1e-12) {
			t.Fatalf("got %v, want %v of %v", m.ROCAUC, ordered, pairs)
		}
	})
}

func TestMetricsOfRepeatedRowsAreWeighted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, y, w := drawJudged(t)
		var repeated []float64
		var labels []uint8
		for i, weight := range w {
			for range int(weight) {
				repeated, labels = append(repeated, p[i]), append(labels, y[i])
			}
		}
		got, err := Evaluate(p, y, w)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Evaluate(repeated, labels, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Counts count rows, and the interval knows that equal rows tell less than different ones.
		counts := cmpopts.IgnoreFields(Metrics{}, "N", "Confusion", "AccuracyLow", "AccuracyHigh")
		binCounts := cmpopts.IgnoreFields(CalibrationBin{}, "Count")
		if diff := cmp.Diff(want, got, counts, binCounts, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Fatal(diff)
		}
		if got.AccuracyLow > got.Accuracy || got.AccuracyHigh < got.Accuracy {
			t.Fatalf("%v is not within %v and %v", got.Accuracy, got.AccuracyLow, got.AccuracyHigh)
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	x, y := generated(2e5, 2, 1)
	m := Model{Coef: []float64{1, 0.6}}
	p := make([]float64, len(y))
	m.Probabilities(x, p)
	for b.Loop() {
		if _, err := Evaluate(p, y, nil); err != nil {
			b.Fatal(err)
		}
	}
}
