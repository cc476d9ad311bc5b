package summary

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	if got, want := Of([]float64{2, 4, 4, 4, 5, 5, 7, 9}), (Numbers{N: 8, Min: 2, Max: 9, Mean: 5, SD: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Of(nil); got != (Numbers{}) {
		t.Errorf("of nothing: %+v", got)
	}
	if got := Of([]float64{math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64}); math.IsInf(got.Mean, 0) || math.IsInf(got.SD, 0) || math.IsNaN(got.SD) {
		t.Errorf("of the largest: %+v", got)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		low, high float64
		values    []float64
		want      []int
	}{
		{0, 4, []float64{0, 0.5, 1, 3.9, 4, 4.1, -0.1}, []int{2, 1, 0, 2}},
		{7, 7, []float64{7, 7, 7}, []int{0, 0, 3, 0}},
		{-math.MaxFloat64, math.MaxFloat64, []float64{0, math.MaxFloat64}, []int{0, 0, 1, 1}},
		{1e300, 1e300, []float64{1e300}, []int{0, 0, 1, 0}},
	} {
		t.Run(fmt.Sprint(tt.low, tt.high), func(t *testing.T) {
			t.Parallel()
			edges := Edges(tt.low, tt.high, 4)
			if len(edges) != 5 || !slices.IsSorted(edges) || len(slices.Compact(slices.Clone(edges))) != 5 {
				t.Errorf("edges %v", edges)
			}
			if got := Counts(tt.values, edges); !slices.Equal(got, tt.want) {
				t.Errorf("counts %v, want %v", got, tt.want)
			}
		})
	}
}
