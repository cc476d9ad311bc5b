package synth_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iacontinu/internal/synth"
)

type rows struct {
	F1, F2 []float64
	Y      []uint8
}

// draw returns n rows of s, asked for in batches of the given sizes (all at once without any).
func draw(t interface{ Fatal(...any) }, s synth.Spec, n int, batches ...int) rows {
	g, err := synth.New(s)
	if err != nil {
		t.Fatal(err)
	}
	r := rows{make([]float64, n), make([]float64, n), make([]uint8, n)}
	for lo, i := 0, 0; lo < n; i++ {
		size := n - lo
		if len(batches) > 0 {
			size = min(size, batches[i%len(batches)])
		}
		g.Next(r.F1[lo:lo+size], r.F2[lo:lo+size], r.Y[lo:lo+size])
		lo += size
	}
	return r
}

func moments(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(x)-1))
}

func share(y []uint8) float64 {
	var ones int
	for _, v := range y {
		ones += int(v)
	}
	return float64(ones) / float64(len(y))
}

// ruleBroken is the share of rows whose label is not the documented rule's.
func (r rows) ruleBroken() float64 {
	var n int
	for i := range r.Y {
		if (0.5*r.F1[i]+0.3*r.F2[i] > 0) != (r.Y[i] == 1) {
			n++
		}
	}
	return float64(n) / float64(len(r.Y))
}

// given returns f1 of the rows of one class.
func (r rows) given(class uint8) []float64 {
	var out []float64
	for i, v := range r.F1 {
		if r.Y[i] == class {
			out = append(out, v)
		}
	}
	return out
}

// within fails unless got is at most 4.5 standard errors from want: for a right generator and any
// one of these checks that is a chance of 7 in a million, and the seeds are fixed.
func within(t *testing.T, what string, got, want, stderr float64) {
	t.Helper()
	if math.Abs(got-want) > 4.5*stderr {
		t.Errorf("%s = %.5f, want %.5f within %.5f", what, got, want, 4.5*stderr)
	}
}

// TestDriftMovesOnlyWhatItNames holds each kind of drift to its definition: which of f1's mean, the
// labels' share, the rule and the features given the label move, and by how much.
func TestDriftMovesOnlyWhatItNames(t *testing.T) {
	t.Parallel()
	const n = 200_000
	// P(0.5*f1 + 0.3*f2 > 0) with f1 ~ N(-m, 1).
	shifted := func(m float64) float64 { return 0.5 * math.Erfc(0.5*m/math.Sqrt(0.34)/math.Sqrt2) }
	// E[f1 | target = 1] of the documented data: the cosine of the rule's normal times E|N(0,1)|.
	given1 := 0.5 / math.Sqrt(0.34) * math.Sqrt(2/math.Pi)

	tests := []struct {
		spec         synth.Spec
		mean1, prior float64
		broken       float64
		conditional  bool // E[f1|y=1] is that of the documented data
	}{
		{synth.Spec{Hour: 12}, 0, 0.5, 0, true},
		{synth.Spec{Hour: 13}, -0.5, shifted(0.5), 0, false},
		{synth.Spec{Hour: 13, Drift: synth.None}, 0, 0.5, 0, true},
		{synth.Spec{Drift: synth.Covariate}, -0.5, shifted(0.5), 0, false},
		{synth.Spec{Hour: 13, Drift: synth.Covariate, Magnitude: 1.5}, -1.5, shifted(1.5), 0, false},
		{synth.Spec{Hour: 13, Drift: synth.Concept}, 0, 0.5, 0.25, false},
		{synth.Spec{Drift: synth.Concept, Magnitude: math.Pi / 10}, 0, 0.5, 0.1, false},
		{synth.Spec{Drift: synth.Concept, Magnitude: math.Pi}, 0, 0.5, 1, false},
		{synth.Spec{Hour: 13, Drift: synth.Label}, 0.6 * given1, 0.8, 0, true},
		{synth.Spec{Drift: synth.Label, Magnitude: 0.1}, 0.2 * given1, 0.6, 0, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s_%d_%.2g", tt.spec.Drift, tt.spec.Hour, tt.spec.Magnitude), func(t *testing.T) {
			t.Parallel()
			spec := tt.spec
			spec.Seed = 7
			r := draw(t, spec, n)
			root := math.Sqrt(n)

			mean1, sd1 := moments(r.F1)
			mean2, sd2 := moments(r.F2)
			within(t, "mean of f1", mean1, tt.mean1, 1/root)
			within(t, "share of class 1", share(r.Y), tt.prior, 0.5/root)
			within(t, "share off the rule", r.ruleBroken(), tt.broken, math.Sqrt(tt.broken*(1-tt.broken))/root)
			if spec.Drift != synth.Label { // which moves both features, by way of the classes
				within(t, "mean of f2", mean2, 0, 1/root)
				within(t, "sd of f1", sd1, 1, 1/math.Sqrt(2*n))
				within(t, "sd of f2", sd2, 1, 1/math.Sqrt(2*n))
			}
			if tt.conditional {
				for class, want := range []float64{-given1, given1} {
					x := r.given(uint8(class))
					m, sd := moments(x)
					within(t, fmt.Sprintf("mean of f1 given %d", class), m, want, sd/math.Sqrt(float64(len(x))))
				}
			}
		})
	}
}

// TestNormal holds the draws to the normal distribution by the share of rows in its tails.
func TestNormal(t *testing.T) {
	t.Parallel()
	const n = 400_000
	r := draw(t, synth.Spec{Seed: 3}, n)
	for _, x := range [][]float64{r.F1, r.F2} {
		for _, z := range []float64{-3, -2, -1, 0, 0.5, 1.5, 2.5, 3.5} {
			var below float64
			for _, v := range x {
				if v < z {
					below++
				}
			}
			p := 0.5 * math.Erfc(-z/math.Sqrt2)
			within(t, fmt.Sprintf("P(x < %g)", z), below/n, p, math.Sqrt(p*(1-p)/n))
		}
	}
	var cov float64
	for i := range r.F1 {
		cov += r.F1[i] * r.F2[i]
	}
	within(t, "covariance", cov/n, 0, 1/math.Sqrt(n))
}

func TestStreamDoesNotDependOnBatchSizes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec := synth.Spec{
			Seed:  rapid.Uint64().Draw(t, "seed"),
			Hour:  rapid.IntRange(0, 23).Draw(t, "hour"),
			Drift: rapid.SampledFrom([]string{"", "none", "covariate", "concept", "label"}).Draw(t, "drift"),
		}
		n := rapid.IntRange(1, 500).Draw(t, "rows")
		batches := rapid.SliceOfN(rapid.IntRange(1, 64), 1, 5).Draw(t, "batches")
		whole, parts := draw(t, spec, n), draw(t, spec, n, batches...)
		if d := cmp.Diff(whole, parts); d != "" {
			t.Fatalf("the same spec in batches of %v differs (-whole +batches):\n%s", batches, d)
		}
		other := spec
		other.Seed++
		if cmp.Equal(whole.F1, draw(t, other, n).F1) {
			t.Fatal("the next seed draws the same rows")
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		spec  synth.Spec
		field string // the field at fault, empty for a good spec
		says  string
	}{
		{synth.Spec{}, "", ""},
		{synth.Spec{Hour: 23, Drift: "none"}, "", ""},
		{synth.Spec{Drift: "covariate", Magnitude: 10}, "", ""},
		{synth.Spec{Drift: "concept", Magnitude: math.Pi}, "", ""},
		{synth.Spec{Drift: "label", Magnitude: 0.45}, "", ""},
		{synth.Spec{Hour: 24}, "hour", "0 to 23"},
		{synth.Spec{Hour: -1}, "hour", "0 to 23"},
		{synth.Spec{Drift: "Concept"}, "drift", "none, covariate, concept, label"},
		{synth.Spec{Magnitude: 1}, "magnitude", "unless drift is covariate, concept or label"},
		{synth.Spec{Drift: "none", Magnitude: 1}, "magnitude", "left out"},
		{synth.Spec{Drift: "covariate", Magnitude: 10.1}, "magnitude", "at most 10"},
		{synth.Spec{Drift: "covariate", Magnitude: -1}, "magnitude", "above 0"},
		{synth.Spec{Drift: "concept", Magnitude: 3.2}, "magnitude", "at most 3.142"},
		{synth.Spec{Drift: "label", Magnitude: 0.5}, "magnitude", "at most 0.45"},
		{synth.Spec{Drift: "label", Magnitude: math.NaN()}, "magnitude", "at most 0.45"},
		{synth.Spec{Drift: "concept", Magnitude: math.Inf(1)}, "magnitude", "at most 3.142"},
	}
	for _, tt := range tests {
		err := tt.spec.Validate()
		if _, newErr := synth.New(tt.spec); (newErr == nil) != (err == nil) {
			t.Errorf("%+v: New says %v, Validate says %v", tt.spec, newErr, err)
		}
		if tt.field == "" {
			if err != nil {
				t.Errorf("%+v: %v", tt.spec, err)
			}
			continue
		}
		var fe *synth.FieldError
		if !errors.As(err, &fe) || fe.Field != tt.field || !strings.Contains(fe.Message, tt.says) {
			t.Errorf("%+v: got %v, want the field %s and %q", tt.spec, err, tt.field, tt.says)
		}
	}

	both := synth.Spec{Hour: 99, Drift: "sideways"}.Validate()
	for _, want := range []string{"hour", "drift", "99", `"sideways"`} {
		if both == nil || !strings.Contains(both.Error(), want) {
			t.Errorf("two wrong fields: %v does not name %s", both, want)
		}
	}
}

func ExampleGenerator() {
	g, err := synth.New(synth.Spec{Seed: 1, Drift: synth.Label, Magnitude: 0.4})
	if err != nil {
		fmt.Println(err)
		return
	}
	f1, f2, y := make([]float64, 1000), make([]float64, 1000), make([]uint8, 1000)
	var ones int
	for range 10 { // ten batches of one stream
		g.Next(f1, f2, y)
		for _, v := range y {
			ones += int(v)
		}
	}
	fmt.Printf("%.2f of the rows are of class 1\n", float64(ones)/10_000)
	// Output: 0.90 of the rows are of class 1
}

func ExampleSpec_Validate() {
	fmt.Println(synth.Spec{Drift: synth.Concept, Magnitude: 4}.Validate())
	// Output: synth: magnitude of concept drift must be above 0 and at most 3.142 (0 means the default), not 4
}

func BenchmarkNext(b *testing.B) {
	const n = 10_000
	f1, f2, y := make([]float64, n), make([]float64, n), make([]uint8, n)
	for _, drift := range []string{"none", "concept", "label"} {
		b.Run(drift, func(b *testing.B) {
			g, err := synth.New(synth.Spec{Drift: drift})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				g.Next(f1, f2, y)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}
