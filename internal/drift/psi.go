package drift

import (
	"fmt"
	"math"
	"slices"
)

// The usual reading of the population stability index (E. M. Lewis, "An Introduction to Credit
// Scoring", 1992; Siddiqi, "Credit Risk Scorecards", 2006): below PSIModerate no change worth
// acting on, from PSIMajor on a different population. For windows of n and m values of one
// population its mean is about (bins-1)*(1/n + 1/m) (Yurdakul 2018), so small windows need a test
// beside it.
const (
	PSIModerate = 0.1
	PSIMajor    = 0.25
)

// maxCategories is the largest number of distinct values for which each is a bin, as in Evidently.
const maxCategories = 20

// emptyShare stands for the share of an empty bin, whose logarithm does not exist; Evidently's value.
const emptyShare = 1e-4

// PSI is the population stability index of two windows, as [Reference.PSI].
func PSI(ref, cur []float64, o Options) (float64, error) {
	r, err := NewReference(ref, o)
	if err != nil {
		return 0, err
	}
	return r.PSI(cur)
}

// PSI is the population stability index of cur against the reference: the sum over the bins of
// (p - q) * ln(p/q), p and q being the shares of the two windows in the bin. It is 0 for equal
// shares and has no upper bound. It is the symmetric divergence of H. Jeffreys, "An invariant form
// for the prior probability in estimation problems", Proceedings of the Royal Society A 186 (1946).
func (r *Reference) PSI(cur []float64) (float64, error) {
	sorted, err := sortedCopy(cur)
	if err != nil {
		return 0, err
	}
	var p, q []int
	switch {
	case r.values != nil:
		p, q = r.byValue(sorted)
	case r.binning == Sturges:
		edges, err := sturgesEdges(r.sorted, sorted)
		if err != nil {
			return 0, err
		}
		p, q = countEqualWidths(r.sorted, edges), countEqualWidths(sorted, edges)
	default:
		p, q = r.counts, countUpTo(sorted, r.edges)
	}
	return jeffreys(shares(p, len(r.sorted)), shares(q, len(sorted))), nil
}

func jeffreys(p, q []float64) float64 {
	var sum float64
	for i := range p {
		sum += (p[i] - q[i]) * math.Log(p[i]/q[i])
	}
	return sum
}

// shares divides counts by n. An empty bin is given emptyShare, or a millionth of the smallest
// share where that is no larger than emptyShare, so that it stays the smallest.
func shares(counts []int, n int) []float64 {
	out := make([]float64, len(counts))
	smallest := math.Inf(1)
	for i, c := range counts {
		out[i] = float64(c) / float64(n)
		if c > 0 {
			smallest = min(smallest, out[i])
		}
	}
	empty := emptyShare
	if smallest <= emptyShare {
		empty = smallest / 1e6
	}
	for i, c := range counts {
		if c == 0 {
			out[i] = empty
		}
	}
	return out
}

// bin sets the bins that depend on the reference alone.
func (r *Reference) bin(bins int) {
	if values, counts := categories(r.sorted); len(values) <= maxCategories {
		r.values, r.counts = values, counts
		return
	}
	if r.binning == Quantiles {
		r.edges = quantileEdges(r.sorted, bins)
		r.counts = countUpTo(r.sorted, r.edges)
	}
}

// categories returns the distinct values of a sorted window and how often each occurs. It gives up
// once there are more than maxCategories.
func categories(sorted []float64) (values []float64, counts []int) {
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			if len(values) > maxCategories {
				break
			}
			values, counts = append(values, v), append(counts, 0)
		}
		counts[len(counts)-1]++
	}
	return values, counts
}

// byValue counts both windows by value. Each value that the reference does not know is a bin of its
// own in which the reference is empty.
func (r *Reference) byValue(sorted []float64) (p, q []int) {
	p, q = slices.Clone(r.counts), make([]int, len(r.counts))
	for i, v := range sorted {
		if at, known := slices.BinarySearch(r.values, v); known {
			q[at]++
			continue
		}
		if i == 0 || v != sorted[i-1] {
			p, q = append(p, 0), append(q, 0)
		}
		q[len(q)-1]++
	}
	return p, q
}

// quantileEdges returns the inner edges of bins that hold equal shares of the sorted window: its
// values at 1/bins, 2/bins, ... A value so frequent that several quantiles fall on it gets a bin of
// its own, so that a change of its frequency shows.
func quantileEdges(sorted []float64, bins int) []float64 {
	n := len(sorted)
	edges := make([]float64, 0, 2*bins)
	for i, last := 1, math.NaN(); i <= bins; i++ {
		v := sorted[(i*n+bins-1)/bins-1]
		edges = append(edges, v)
		if first, _ := slices.BinarySearch(sorted, v); v == last && first > 0 {
			edges = append(edges, sorted[first-1])
		}
		last = v
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	return edges[:len(edges)-1] // without the largest value, which ends the last bin only in the reference
}

// countUpTo counts the values of a sorted window in the bins edges[i-1] < x <= edges[i].
func countUpTo(sorted, edges []float64) []int {
	counts := make([]int, 0, len(edges)+1)
	var below int
	for _, e := range edges {
		upTo, _ := slices.BinarySearch(sorted, math.Nextafter(e, math.Inf(1)))
		counts = append(counts, upTo-below)
		below = upTo
	}
	return append(counts, len(sorted)-below)
}

// sturgesEdges cuts the range of both sorted windows into log2(n)+1 equal widths, rounded up: H. A.
// Sturges, "The choice of a class interval", JASA 21 (1926). The steps are NumPy's, because a value
// on an edge goes to one side or the other by the edge's last bit.
func sturgesEdges(a, b []float64) ([]float64, error) {
	lo, hi := min(a[0], b[0]), max(a[len(a)-1], b[len(b)-1])
	if math.IsInf(hi-lo, 0) {
		return nil, fmt.Errorf("%w: the range from %g to %g", ErrNotFinite, lo, hi)
	}
	width := (hi - lo) / (math.Log2(float64(len(a)+len(b))) + 1)
	bins := int(math.Ceil((hi - lo) / width))
	step := (hi - lo) / float64(bins)
	edges := make([]float64, bins+1)
	for i := range bins {
		edges[i] = lo + float64(float64(i)*step) // the conversion forbids a fused multiply-add
	}
	edges[bins] = hi
	return edges, nil
}

// countEqualWidths counts the values of a sorted window in the bins edges[i] <= x < edges[i+1], the
// last of which includes its upper edge.
func countEqualWidths(sorted, edges []float64) []int {
	counts := make([]int, 0, len(edges)-1)
	var below int
	for _, e := range edges[1 : len(edges)-1] {
		upTo, _ := slices.BinarySearch(sorted, e)
		counts = append(counts, upTo-below)
		below = upTo
	}
	return append(counts, len(sorted)-below)
}
