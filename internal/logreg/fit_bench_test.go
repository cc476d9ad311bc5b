package logreg

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// generated is data of the kind this system generates: standard normal columns, and labels by the
// side of a plane with logistic noise.
func generated(n, k int, seed uint64) (x [][]float64, y []uint8) {
	rng := rand.New(rand.NewPCG(seed, 1))
	plane := []float64{0.5, 0.3}
	for len(plane) < k {
		plane = append(plane, rng.NormFloat64())
	}
	x = make([][]float64, k)
	for j := range x {
		x[j] = make([]float64, n)
	}
	y = make([]uint8, n)
	for i := range n {
		u := rng.Float64()
		eta := 0.5 * math.Log(u/(1-u))
		for j := range x {
			x[j][i] = rng.NormFloat64()
			eta += plane[j] * x[j][i]
		}
		if eta > 0 {
			y[i] = 1
		}
	}
	return x, y
}

func BenchmarkFit(b *testing.B) {
	for _, size := range []struct{ n, k int }{{1e6, 2}, {2e5, 20}, {1e5, 100}} {
		x, y := generated(size.n, size.k, 1)
		for _, solver := range []string{SolverNewton, SolverLBFGS} {
			b.Run(fmt.Sprintf("%dx%d/%s", size.n, size.k, solver), func(b *testing.B) {
				var report FitReport
				for b.Loop() {
					var err error
					if _, report, err = Fit(context.Background(), x, y, nil, Options{Solver: solver}); err != nil || !report.Converged {
						b.Fatal(report, err)
					}
				}
				b.ReportMetric(float64(report.Iterations), "iterations")
			})
		}
	}
}
