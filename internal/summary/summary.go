// Package summary tells of columns of finite numbers what a picture of them needs: range, mean, spread
// and histogram. What overflows ends at the largest float64, so that it can be written as JSON.
package summary

import (
	"math"
	"slices"
)

// Numbers sum up a column.
type Numbers struct {
	N        int
	Min, Max float64
	Mean     float64
	SD       float64 // of the population: divided by N
}

// Of sums up values; the zero value is of none.
func Of(values []float64) Numbers {
	if len(values) == 0 {
		return Numbers{}
	}
	s := Numbers{N: len(values), Min: slices.Min(values), Max: slices.Max(values)}
	n := float64(s.N)
	for _, v := range values {
		s.Mean += v / n // a sum would overflow where the mean does not
	}
	s.Mean = min(max(s.Mean, s.Min), s.Max) // but for rounding it is between them
	for _, v := range values {
		d := v - s.Mean
		s.SD += d * d / n
	}
	s.SD = min(math.Sqrt(s.SD), math.MaxFloat64)
	return s
}

// Edges cuts a range into bins of equal width and returns their bins+1 edges. A range of one value is
// widened, so that the value lies in the middle.
func Edges(low, high float64, bins int) []float64 {
	if low == high {
		half := max(0.5, math.Abs(low)*1e-6)
		low, high = max(low-half, -math.MaxFloat64), min(high+half, math.MaxFloat64)
	}
	edges := make([]float64, bins+1)
	for i := range edges {
		share := float64(i) / float64(bins)
		edges[i] = low*(1-share) + high*share // high-low may overflow
	}
	edges[0], edges[bins] = low, high
	return edges
}

// Counts counts the values in the bins edges[i] <= v < edges[i+1], the last of which has its upper edge
// too. What lies outside is not counted.
func Counts(values, edges []float64) []int {
	counts := make([]int, len(edges)-1)
	for _, v := range values {
		if v < edges[0] || v > edges[len(counts)] {
			continue
		}
		at, there := slices.BinarySearch(edges, v)
		if !there {
			at--
		}
		counts[min(at, len(counts)-1)]++
	}
	return counts
}
