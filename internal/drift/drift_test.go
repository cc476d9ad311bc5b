package drift

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// bruteKS is the statistic by its definition.
func bruteKS(a, b []float64) float64 {
	share := func(x []float64, at float64) float64 {
		var n int
		for _, v := range x {
			if v <= at {
				n++
			}
		}
		return float64(n) / float64(len(x))
	}
	var d float64
	for _, at := range slices.Concat(a, b) {
		d = max(d, math.Abs(share(a, at)-share(b, at)))
	}
	return d
}

func TestKSStatisticByDefinition(t *testing.T) {
	t.Parallel()
	window := rapid.SliceOfN(rapid.Map(rapid.IntRange(-4, 4), func(i int) float64 { return float64(i) / 2 }), 1, 40)
	rapid.Check(t, func(t *rapid.T) {
		ref, cur := window.Draw(t, "ref"), window.Draw(t, "cur")
		stat, p, err := KS(ref, cur)
		if err != nil {
			t.Fatal(err)
		}
		if want := bruteKS(ref, cur); math.Abs(stat-want) > 1e-12 {
			t.Fatalf("statistic = %v, want %v", stat, want)
		}
		if !(p >= 0 && p <= 1) {
			t.Fatalf("p = %v", p)
		}
		// Only the order of the values counts.
		bend := func(x []float64) []float64 {
			out := slices.Clone(x)
			for i := range out {
				out[i] = math.Exp(3*out[i]) - 7
			}
			return out
		}
		if bent, pBent, _ := KS(bend(ref), bend(cur)); bent != stat || pBent != p {
			t.Fatalf("after a monotone change of scale: %v, %v; before: %v, %v", bent, pBent, stat, p)
		}
	})
}

// TestKSExactByEnumeration counts every order of small windows.
func TestKSExactByEnumeration(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 7; n++ {
		for m := 1; m <= 7; m++ {
			total, atLeast := 0, map[int]int{} // by n*m*D
			for set := range 1 << (n + m) {
				var i, j, steps int
				for bit := range n + m {
					if set>>bit&1 == 1 {
						i++
					} else {
						j++
					}
					steps = max(steps, i*m-j*n, j*n-i*m)
				}
				if i != n {
					continue
				}
				total++
				for s := range steps + 1 {
					atLeast[s]++
				}
			}
			g := gcd(n, m)
			for h := 0; h*g <= n*m; h++ {
				want := float64(atLeast[h*g]) / float64(total)
				if got := ksExact(n, m, h); math.Abs(got-want) > 1e-12 {
					t.Errorf("n=%d m=%d: P(D >= %d/%d) = %v, want %v", n, m, h*g, n*m, got, want)
				}
			}
		}
	}
}

// TestKSFalseAlarms holds p to its meaning: a level of 5% is crossed by one pair in twenty, exactly
// and asymptotically.
func TestKSFalseAlarms(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"exact": 200, "asymptotic": maxExact + 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const pairs = 1000
			var r *Reference
			var alarms int
			for i := range pairs {
				if r == nil || size < maxExact { // a large one is as good as the distribution itself
					var err error
					if r, err = NewReference(normals(t, 5000+i, size, 0), Options{}); err != nil {
						t.Fatal(err)
					}
				}
				_, p, err := r.KS(normals(t, 1000+i, 150, 0))
				if err != nil {
					t.Fatal(err)
				}
				if p < 0.05 {
					alarms++
				}
			}
			// 5% less the steps of a discrete statistic, and four standard errors to either side.
			if share := float64(alarms) / pairs; share < 0.02 || share > 0.078 {
				t.Errorf("%.3f of the pairs from one distribution are below 0.05", share)
			}
		})
	}
}

func TestPSIProperties(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.Float64Range(-1e3, 1e3),
		rapid.Map(rapid.IntRange(0, 30), func(i int) float64 { return float64(i) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.SliceOfN(value, 1, 200).Draw(t, "ref")
		cur := rapid.SliceOfN(value, 1, 200).Draw(t, "cur")
		o := Options{
			Binning: rapid.SampledFrom([]Binning{Quantiles, Sturges}).Draw(t, "binning"),
			Bins:    rapid.IntRange(2, 40).Draw(t, "bins"),
		}
		r, err := NewReference(ref, o)
		if err != nil {
			t.Fatal(err)
		}
		psi, err := r.PSI(cur)
		if err != nil {
			t.Fatal(err)
		}
		if psi < 0 || math.IsNaN(psi) || math.IsInf(psi, 0) {
			t.Fatalf("PSI = %v", psi)
		}
		slices.Reverse(cur)
		if again, _ := r.PSI(cur); again != psi {
			t.Fatalf("the order of the values counts: %v and %v", psi, again)
		}
		if self, _ := r.PSI(ref); self != 0 {
			t.Fatalf("PSI of the reference against itself = %v", self)
		}
		if o.Binning == Quantiles && r.edges != nil {
			var sum int
			for i, c := range r.counts {
				if sum += c; c == 0 {
					t.Fatalf("bin %d of %v holds nothing of the reference", i, r.edges)
				}
			}
			if sum != len(ref) {
				t.Fatalf("the bins hold %d of %d values", sum, len(ref))
			}
		}
	})
}

// TestPSIByHand is worked out with pencil and paper.
func TestPSIByHand(t *testing.T) {
	t.Parallel()
	ref := make([]float64, 100) // 1, 2, ..., 100: deciles end at 10, 20, ...
	for i := range ref {
		ref[i] = float64(i + 1)
	}
	r, err := NewReference(ref, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float64{10, 20, 30, 40, 50, 60, 70, 80, 90}, r.edges); d != "" {
		t.Fatalf("decile edges (-want +got):\n%s", d)
	}

	// Half of the window in the first bin (its edge included), half above all that is known.
	cur := []float64{-5, 10, 91, 1000}
	psi, err := r.PSI(cur)
	if err != nil {
		t.Fatal(err)
	}
	want := 2*(0.1-0.5)*math.Log(0.1/0.5) + 8*(0.1-1e-4)*math.Log(0.1/1e-4)
	if math.Abs(psi-want) > 1e-12 {
		t.Errorf("PSI = %v, want %v", psi, want)
	}

	// A window so long that one value in a bin is less than emptyShare: the empty bins come below it.
	long := append(slices.Repeat([]float64{5}, 20_000), 15)
	if psi, err = r.PSI(long); err != nil {
		t.Fatal(err)
	}
	one := 1.0 / 20_001
	want = (0.1-(1-one))*math.Log(0.1/(1-one)) + (0.1-one)*math.Log(0.1/one) + 8*(0.1-one/1e6)*math.Log(0.1/(one/1e6))
	if math.Abs(psi-want) > 1e-12 {
		t.Errorf("PSI = %v, want %v", psi, want)
	}

	// A binary feature: 95% ones, then 50%.
	binary := append(make([]float64, 5), slices.Repeat([]float64{1}, 95)...)
	psi, err = PSI(binary, []float64{0, 1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want = (0.05-0.5)*math.Log(0.05/0.5) + (0.95-0.5)*math.Log(0.95/0.5); math.Abs(psi-want) > 1e-12 {
		t.Errorf("PSI of a binary feature = %v, want %v", psi, want)
	}
}

// TestOneOutlier shows why quantile bins are the default.
func TestOneOutlier(t *testing.T) {
	t.Parallel()
	ref, cur := normals(t, 1, 2000, 0), normals(t, 2, 2000, 1)
	cur[0] = 1e12
	psi := func(b Binning) float64 {
		v, err := PSI(ref, cur, Options{Binning: b})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if q := psi(Quantiles); q < PSIMajor {
		t.Errorf("deciles: a shift by one deviation has PSI %v", q)
	}
	if s := psi(Sturges); s > PSIModerate {
		t.Errorf("Sturges: PSI %v; the outlier no longer hides the shift, say so in the documentation", s)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	good := []float64{1, 2, 3}
	tests := []struct {
		name     string
		ref, cur []float64
		want     error
	}{
		{"NaN in the reference", []float64{1, math.NaN()}, good, ErrNotFinite},
		{"NaN in the window", good, []float64{math.NaN()}, ErrNotFinite},
		{"infinity in the window", good, []float64{1, math.Inf(-1)}, ErrNotFinite},
		{"empty reference", nil, good, ErrEmpty},
		{"empty window", good, []float64{}, ErrEmpty},
	}
	for _, tt := range tests {
		if _, _, err := KS(tt.ref, tt.cur); !errors.Is(err, tt.want) {
			t.Errorf("KS, %s: %v", tt.name, err)
		}
		if _, err := PSI(tt.ref, tt.cur, Options{}); !errors.Is(err, tt.want) {
			t.Errorf("PSI, %s: %v", tt.name, err)
		}
	}

	wide := normals(t, 1, 100, 0)
	wide[0], wide[1] = -math.MaxFloat64, math.MaxFloat64
	if _, err := PSI(wide, good, Options{Binning: Sturges}); !errors.Is(err, ErrNotFinite) {
		t.Errorf("a range that no float64 holds: %v", err)
	}
	if psi, err := PSI(wide, wide, Options{}); err != nil || psi != 0 {
		t.Errorf("quantile bins need no range: %v, %v", psi, err)
	}
	for _, o := range []Options{{Bins: 1}, {Bins: 1001}, {Bins: -1}, {Binning: 2}} {
		if _, err := NewReference(good, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestReferenceIsACopy(t *testing.T) {
	t.Parallel()
	ref, cur := normals(t, 1, 300, 0), normals(t, 2, 300, 0.2)
	before := slices.Clone(cur)
	r, err := NewReference(ref, Options{})
	if err != nil {
		t.Fatal(err)
	}
	stat, _, err := r.KS(cur)
	if err != nil {
		t.Fatal(err)
	}
	clear(ref)
	if again, _, _ := r.KS(cur); again != stat {
		t.Errorf("the reference follows the caller's slice: %v, then %v", stat, again)
	}
	if d := cmp.Diff(before, cur); d != "" {
		t.Errorf("the window was changed:\n%s", d)
	}
}

// TestHolm uses the example of R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
func TestHolm(t *testing.T) {
	t.Parallel()
	got := Holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(got[i]-want) > 1e-15 {
			t.Errorf("p[%d] = %v, want %v", i, got[i], want)
		}
	}
	if got := Holm(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 12).Draw(t, "p")
		for i, q := range Holm(p) {
			if q < p[i] || q > 1 {
				t.Fatalf("p %v becomes %v", p[i], q)
			}
			for j, r := range Holm(p) {
				if p[i] < p[j] && q > r {
					t.Fatalf("the order of %v and %v is lost: %v, %v", p[i], p[j], q, r)
				}
			}
		}
		if got, want := slices.Min(Holm(p)), min(1, slices.Min(p)*float64(len(p))); got != want {
			t.Fatalf("the smallest becomes %v, want Bonferroni's %v", got, want)
		}
	})
}

func ExampleReference() {
	training := make([]float64, 1000)
	for i := range training {
		training[i] = float64(i) / 1000
	}
	r, err := NewReference(training, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	window := make([]float64, 400) // the same, a tenth higher
	for i := range window {
		window[i] = 0.1 + float64(i)/400
	}
	stat, p, err := r.KS(window)
	if err != nil {
		fmt.Println(err)
		return
	}
	psi, err := r.PSI(window)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("KS %.2f (p %.3f), PSI %.2f\n", stat, p, psi)
	// Output: KS 0.10 (p 0.006), PSI 0.76
}

func ExampleHolm() {
	fmt.Println(Holm([]float64{0.01, 0.5, 0.02}))
	// Output: [0.03 0.5 0.04]
}

func BenchmarkKS(b *testing.B) {
	for _, size := range []struct {
		n, m  int
		shift float64
	}{
		{2000, 2000, 0},
		{2000, 1999, 0},
		{2000, 1999, 0.5},
		{10_000, 9_999, 0},
		{10_000, 9_999, 0.07},
		{100_000, 100_000, 0},
		{100_000, 100_000, 0.02},
	} {
		b.Run(fmt.Sprintf("%d_%d_%.2g", size.n, size.m, size.shift), func(b *testing.B) {
			r, err := NewReference(normals(b, 1, size.n, 0), Options{})
			if err != nil {
				b.Fatal(err)
			}
			cur := normals(b, 2, size.m, size.shift)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := r.KS(cur); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPSI(b *testing.B) {
	for _, n := range []int{2000, 100_000} {
		r, err := NewReference(normals(b, 1, n, 0), Options{})
		if err != nil {
			b.Fatal(err)
		}
		cur := normals(b, 2, n, 0)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.PSI(cur); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewReference(b *testing.B) {
	for _, n := range []int{2000, 100_000} {
		values := normals(b, 1, n, 0)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := NewReference(values, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
