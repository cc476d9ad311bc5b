package forecast_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"gonum.org/v1/gonum/floats/scalar"
	"pgregory.net/rapid"

	"iacontinu/internal/forecast"
)

// TestFitMatchesSciPy holds the line to scipy.stats.linregress 1.17.1.
func TestFitMatchesSciPy(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/linregress.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Series map[string]struct {
			Values           []float64 `json:"values"`
			Slope, Intercept float64
			R2, StdErr, P    float64
			EffectiveN       float64 `json:"effective_n"`
			AdjustedP        float64 `json:"adjusted_p"`
		} `json:"series"`
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Series) == 0 {
		t.Fatal("no series in testdata")
	}
	for name, w := range want.Series {
		l, err := forecast.Fit(w.Values)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l.N != len(w.Values) {
			t.Errorf("%s: N = %d", name, l.N)
		}
		for _, f := range []struct {
			what      string
			got, want float64
		}{
			{"slope", l.Slope, w.Slope},
			{"intercept", l.Intercept, w.Intercept},
			{"R2", l.R2, w.R2},
			{"standard error", l.StdErr, w.StdErr},
			{"p", l.PValue, w.P},
			{"effective n", l.EffectiveN, w.EffectiveN},
			{"adjusted p", l.AdjustedP, w.AdjustedP},
		} {
			if !scalar.EqualWithinRel(f.got, f.want, 1e-10) {
				t.Errorf("%s: %s = %.15g, want %.15g", name, f.what, f.got, f.want)
			}
		}
	}
}

func TestFitEdges(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]float64{
		nil, {1}, {1, 2}, make([]float64, forecast.MaxN+1),
	} {
		if _, err := forecast.Fit(bad); !errors.Is(err, forecast.ErrLength) {
			t.Errorf("%d values: %v", len(bad), err)
		}
	}
	for _, bad := range [][]float64{
		{1, math.NaN(), 2}, {1, 2, math.Inf(1)}, {math.MaxFloat64, -math.MaxFloat64, math.MaxFloat64},
	} {
		if _, err := forecast.Fit(bad); !errors.Is(err, forecast.ErrNotFinite) {
			t.Errorf("%v: %v", bad, err)
		}
	}

	level, err := forecast.Fit([]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1}) // whose mean is not 0.1
	if err != nil {
		t.Fatal(err)
	}
	if level.Slope != 0 || level.R2 != 0 || level.Intercept != 0.1 || level.AdjustedP != 1 {
		t.Errorf("equal values: %+v", level)
	}

	perfect, err := forecast.Fit([]float64{8, 6, 4, 2, 0, -2})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(perfect.Slope+2) > 1e-12 || math.Abs(perfect.R2-1) > 1e-12 || perfect.AdjustedP > 1e-12 {
		t.Errorf("a perfect line: %+v", perfect)
	}
	if _, err := forecast.Fit(make([]float64, forecast.MaxN)); err != nil {
		t.Errorf("%d values: %v", forecast.MaxN, err)
	}
}

func TestCross(t *testing.T) {
	t.Parallel()
	falling := []float64{0.98, 0.97, 0.96, 0.95, 0.94, 0.93} // reaches 0.90 after three more
	noisy := []float64{0.95, 0.91, 0.96, 0.92, 0.94, 0.93}
	tests := []struct {
		name   string
		values []float64
		limit  float64
		want   float64 // 0: silent
	}{
		{"falls through the floor", falling, 0.90, 3},
		{"between two steps", falling, 0.905, 2.5},
		{"at the far end of the horizon", falling, 0.93 - 0.01*12 + 1e-9, 12},
		{"beyond the horizon", falling, 0.93 - 0.01*12 - 1e-3, 0},
		{"heads away from it", falling, 0.99, 0},
		{"is there already", falling, 0.935, 0},
		{"too few values", falling[:4], 0.90, 0},
		{"just enough values", falling[:5], 0.90, 4},
		{"no significant slope", noisy, 0.92, 0},
		{"level", []float64{1, 1, 1, 1, 1, 1}, 0.9, 0},
		{"rises through the threshold", []float64{0.02, 0.04, 0.06, 0.08, 0.1}, 0.2, 5},
	}
	for _, tt := range tests {
		l, err := forecast.Fit(tt.values)
		if err != nil {
			t.Fatal(err)
		}
		steps, ok := l.Cross(tt.limit)
		if ok != (tt.want > 0) || math.Abs(steps-tt.want) > 1e-6 {
			t.Errorf("%s: %v, %v; want %v", tt.name, steps, ok, tt.want)
		}
	}
}

// lcg is a stream of roughly normal values, the same on every run.
type lcg uint64

func (g *lcg) normal() float64 {
	var sum float64
	for range 12 {
		*g = *g*6364136223846793005 + 1442695040888963407
		sum += float64(*g>>11) / (1 << 53)
	}
	return sum - 6
}

// TestSilentOnNoise holds Cross to its promise on series that go nowhere: independent values, and
// values that wander because neighbouring windows overlap.
func TestSilentOnNoise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		correlation float64
		most        float64 // share of series on which a crossing may be told
	}{
		{"independent", 0, 0.06},
		{"neighbours alike", 0.8, 0.16}, // lag 1 is not all of the correlation
	} {
		const series, n = 800, 40
		g := lcg(1)
		var told, plain int
		for range series {
			values := make([]float64, n)
			last := g.normal()
			for i := range values {
				last = tt.correlation*last + math.Sqrt(1-tt.correlation*tt.correlation)*g.normal()
				values[i] = 1 + last
			}
			l, err := forecast.Fit(values)
			if err != nil {
				t.Fatal(err)
			}
			if l.PValue < forecast.Level {
				plain++
			}
			if _, ok := l.Cross(l.At(n)); ok { // a limit one step ahead, wherever the line goes
				told++
			}
			_, up := l.Cross(100)
			_, down := l.Cross(-100)
			if up || down {
				t.Errorf("%s: a limit of 100 deviations is said to be near: %+v", tt.name, l)
			}
		}
		t.Logf("%s: significant slope in %.3f of the series, %.3f without the adjustment", tt.name,
			float64(told)/series, float64(plain)/series)
		if share := float64(told) / series; share > tt.most {
			t.Errorf("%s: a slope is believed in %.3f of the series, want at most %.2f", tt.name, share, tt.most)
		}
	}
}

func TestFitProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), forecast.MinN, 50).Draw(t, "values")
		l, err := forecast.Fit(values)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []float64{l.Slope, l.Intercept, l.R2, l.StdErr, l.PValue, l.EffectiveN, l.AdjustedP} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("not finite: %+v", l)
			}
		}
		if l.R2 < 0 || l.R2 > 1 || l.EffectiveN > float64(l.N) || l.PValue < 0 || l.PValue > 1+1e-12 {
			t.Fatalf("out of range: %+v", l)
		}
		// Upside down, the slope turns and the limit is reached at the same time.
		for i := range values {
			values[i] = -values[i]
		}
		m, err := forecast.Fit(values)
		if err != nil {
			t.Fatal(err)
		}
		limit := rapid.Float64Range(-1e6, 1e6).Draw(t, "limit")
		a, okA := l.Cross(limit)
		b, okB := m.Cross(-limit)
		if okA != okB || math.Abs(a-b) > 1e-6*(1+math.Abs(a)) {
			t.Fatalf("%v, %v; upside down %v, %v", a, okA, b, okB)
		}
	})
}

func ExampleLine_Cross() {
	accuracy := []float64{0.951, 0.948, 0.944, 0.943, 0.938, 0.935} // of the last six versions
	line, err := forecast.Fit(accuracy)
	if err != nil {
		fmt.Println(err)
		return
	}
	if steps, ok := line.Cross(0.90); ok {
		fmt.Printf("%.4f a version: below 0.90 in %.0f versions (R2 %.2f)\n", line.Slope, math.Ceil(steps), line.R2)
	}
	// Output: -0.0032 a version: below 0.90 in 12 versions (R2 0.98)
}

func BenchmarkFit(b *testing.B) {
	for _, n := range []int{20, 120, 1000} {
		g := lcg(1)
		values := make([]float64, n)
		for i := range values {
			values[i] = g.normal()
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := forecast.Fit(values); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
