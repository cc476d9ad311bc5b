package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/floats/scalar"
)

// splitMix is SplitMix64 (Steele, Lea and Flood 2014), as in testdata/reference.py.
type splitMix uint64

func (s *splitMix) uniform() float64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}

func (s *splitMix) normal() float64 {
	var sum float64
	for range 12 {
		sum += s.uniform()
	}
	return sum - 6
}

// windowSpec is [seed, n, mean, sd].
type windowSpec [4]float64

func (w windowSpec) draw(t testing.TB, transform string) []float64 {
	t.Helper()
	g := splitMix(w[0])
	out := make([]float64, int(w[1]))
	for i := range out {
		v := w[2] + float64(w[3]*g.normal())
		switch transform {
		case "none":
		case "round1":
			v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'f', 1, 64), 64)
		case "floor":
			v = math.Floor(2 * v)
		case "exp":
			v = math.Exp(v)
		case "mod21": // 21 values: one too many for categories
			v = math.Mod(math.Floor(50*math.Abs(v)), 21)
		case "floor0":
			v = max(v, 0)
		case "ceil0":
			v = min(v, 0)
		default:
			t.Fatalf("unknown transform %q", transform)
		}
		out[i] = v
	}
	return out
}

// normals draws n values of deviation 1.
func normals(t testing.TB, seed, n int, mean float64) []float64 {
	return windowSpec{float64(seed), float64(n), mean, 1}.draw(t, "none")
}

type referenceCase struct {
	Transform     string     `json:"transform"`
	Ref           windowSpec `json:"ref"`
	Cur           windowSpec `json:"cur"`
	First3        []float64  `json:"first3_ref"`
	KSAuto        [2]float64 `json:"ks_auto"`
	KSExactP      *float64   `json:"ks_exact_p"`
	KSAsympP      float64    `json:"ks_asymp_p"`
	KolmogorovP   float64    `json:"kolmogorov_limit_p"`
	EvidentlyPSI  float64    `json:"evidently_psi"`
	DecilePSI     *float64   `json:"decile_psi"`
	ref, cur      []float64
	reference     *Reference
	effectiveSize float64
}

type referenceNumbers struct {
	Cases      map[string]*referenceCase `json:"cases"`
	KSTwo      [][3]float64              `json:"kstwo"`
	Kolmogorov [][2]float64              `json:"kolmogorov"`
}

func loadReference(t *testing.T) referenceNumbers {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r referenceNumbers
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	for name, c := range r.Cases {
		c.ref, c.cur = c.Ref.draw(t, c.Transform), c.Cur.draw(t, c.Transform)
		for i, want := range c.First3 {
			near(t, fmt.Sprintf("%s: value %d of the reference", name, i), c.ref[i], want, 1e-15, 1e-15)
		}
		if c.reference, err = NewReference(c.ref, Options{}); err != nil {
			t.Fatal(err)
		}
		n, m := float64(len(c.ref)), float64(len(c.cur))
		c.effectiveSize = n * m / (n + m)
	}
	return r
}

func near(t *testing.T, what string, got, want, absolute, relative float64) {
	t.Helper()
	if !scalar.EqualWithinAbsOrRel(got, want, absolute, relative) {
		t.Errorf("%s = %.17g, want %.17g", what, got, want)
	}
}

// TestKSMatchesSciPy holds the test to scipy.stats.ks_2samp 1.17.1.
func TestKSMatchesSciPy(t *testing.T) {
	t.Parallel()
	for name, c := range loadReference(t).Cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stat, p, err := c.reference.KS(c.cur)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "statistic", stat, c.KSAuto[0], 1e-15, 0)
			near(t, "p", p, c.KSAuto[1], 1e-15, 1e-9)
			near(t, "asymptotic p", kolmogorovSurvival(int(math.RoundToEven(c.effectiveSize)), stat), c.KSAsympP, 1e-15, 1e-8)
			near(t, "limit p", kolmogorovLimit(math.Sqrt(c.effectiveSize)*stat), c.KolmogorovP, 1e-15, 1e-12)
			if c.KSExactP != nil {
				n, m := len(c.ref), len(c.cur)
				h := int(math.Round(stat * float64(n/gcd(n, m)) * float64(m)))
				near(t, "exact p", ksExact(n, m, h), *c.KSExactP, 0, 1e-9)
			}

			again, pAgain, err := KS(c.cur, c.ref)
			if err != nil || again != stat || !scalar.EqualWithinRel(pAgain, p, 1e-12) {
				t.Errorf("the other way round: %v, %v, %v; want %v, %v", again, pAgain, err, stat, p)
			}
		})
	}
}

// TestPSIMatchesEvidently holds Sturges bins to Evidently 0.7.23, and decile bins to NumPy's inverted
// distribution function.
func TestPSIMatchesEvidently(t *testing.T) {
	t.Parallel()
	for name, c := range loadReference(t).Cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sturges, err := PSI(c.ref, c.cur, Options{Binning: Sturges})
			if err != nil {
				t.Fatal(err)
			}
			near(t, "PSI in Sturges bins", sturges, c.EvidentlyPSI, 1e-15, 1e-12)
			deciles, err := c.reference.PSI(c.cur)
			if err != nil {
				t.Fatal(err)
			}
			want := c.DecilePSI
			if want == nil { // few values: no bins to differ in
				want = &c.EvidentlyPSI
			}
			near(t, "PSI in deciles", deciles, *want, 1e-15, 1e-12)
		})
	}
}

// TestKolmogorovMatchesSciPy holds the one-sample distribution to scipy.stats.kstwo.sf and its limit
// to scipy.special.kolmogorov, on both sides of each point where the formula changes.
func TestKolmogorovMatchesSciPy(t *testing.T) {
	t.Parallel()
	r := loadReference(t)
	for _, row := range r.KSTwo {
		n, d, want := int(row[0]), row[1], row[2]
		near(t, fmt.Sprintf("n=%d d=%.6g z=%.3g: p", n, d, d*math.Sqrt(row[0])), kolmogorovSurvival(n, d), want, 1e-8, 1e-8)
		if want < 0.01 { // small ones in relative terms too
			near(t, fmt.Sprintf("n=%d d=%.6g: small p", n, d), kolmogorovSurvival(n, d), want, 0, 1e-8)
		}
	}
	for _, row := range r.Kolmogorov {
		near(t, fmt.Sprintf("limit at %g", row[0]), kolmogorovLimit(row[0]), row[1], 3e-15, 3e-14)
	}
	if p := kolmogorovLimit(0); p != 1 {
		t.Errorf("limit at 0 = %v, want 1", p)
	}
	// The limit stands in for the sum from limitFrom on: the step must not show.
	for _, z := range []float64{1.6, 3.3} {
		below := kolmogorovSurvival(limitFrom-1, z/math.Sqrt(limitFrom-1))
		near(t, fmt.Sprintf("p at z=%g above limitFrom", z), kolmogorovSurvival(limitFrom, z/math.Sqrt(limitFrom)), below, 0, 5e-3)
	}
}
