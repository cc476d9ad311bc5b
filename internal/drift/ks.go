package drift

import "math"

// maxExact is the largest window whose p-value is computed exactly, as in SciPy's method "auto".
const maxExact = 10_000

// certain is the value of n*m/(n+m) * D^2 from which on the p-value is below 5e-16 however it is
// computed (2*exp(-2*18), Massart 1990). The exact method would count paths of most of the n*m
// lattice there, to tell one number that means "never" from another.
const certain = 18

// KS is the two-sample Kolmogorov-Smirnov test of ref against cur, as [Reference.KS].
func KS(ref, cur []float64) (stat, p float64, err error) {
	sorted, err := sortedCopy(ref)
	if err != nil {
		return 0, 0, err
	}
	return (&Reference{sorted: sorted}).KS(cur)
}

// KS is the two-sample Kolmogorov-Smirnov test of the reference against cur. stat is the largest
// distance between the two empirical distribution functions, 0 to 1; p is the two-sided
// probability of a distance at least as large if both windows come from one continuous
// distribution (with ties it is an upper bound).
//
// The p-value is exact while both windows have at most 10,000 values: N. Smirnov (1939) in the form
// of J. L. Hodges, "The significance probability of the Smirnov two-sample test", Arkiv för
// Matematik 3 (1958). Beyond, it is that of the one-sample statistic of n*m/(n+m) values.
func (r *Reference) KS(cur []float64) (stat, p float64, err error) {
	sorted, err := sortedCopy(cur)
	if err != nil {
		return 0, 0, err
	}
	n, m := len(r.sorted), len(sorted)
	steps := ksSteps(r.sorted, sorted)
	stat = float64(steps) / (float64(n) * float64(m))
	en := float64(n) * float64(m) / float64(n+m)
	if max(n, m) <= maxExact && en*stat*stat < certain {
		return stat, ksExact(n, m, int(steps/int64(gcd(n, m)))), nil
	}
	return stat, kolmogorovSurvival(int(math.RoundToEven(en)), stat), nil
}

// ksSteps is n*m times the Kolmogorov-Smirnov statistic of two sorted windows of n and m values:
// the largest |i*m - j*n| with i values of a and j of b at or below the same point. In integers, so
// that equal distances are equal and the exact p-value starts from the true one.
func ksSteps(a, b []float64) int64 {
	n, m := int64(len(a)), int64(len(b))
	var i, j, largest int64
	for i < n && j < m {
		x := min(a[i], b[j])
		for i < n && a[i] == x { // all ties first: the distance counts between values, not within one
			i++
		}
		for j < m && b[j] == x {
			j++
		}
		largest = max(largest, i*m-j*n, j*n-i*m)
	}
	return largest // once a window is used up the distance only shrinks
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// What the platform holds scores against: KSNoticeable is the least distance that matters, whatever its
// p-value, unless the stability index says so too; Level is that of the test for all features together.
const (
	KSNoticeable = 0.1
	Level        = 0.001
)
