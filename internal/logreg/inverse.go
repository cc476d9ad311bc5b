package logreg

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// inverse is the inverse of a Hessian: the Cholesky factor of one computed somewhere near, scaled to
// a diagonal of ones, and the BFGS pairs of the steps since.
type inverse struct {
	cholesky mat.Cholesky
	scale    []float64
	scaled   *mat.VecDense
	pairs    []pair
	// exact tells that the Hessian is the current point's.
	exact bool
}

// pair is a step and the change of the gradient over it.
type pair struct {
	step, change []float64
	rho, alpha   float64
}

// newInverse factors a Hessian. Rounding may leave it slightly indefinite: then as much is added to
// its diagonal as it takes. It returns nil for a Hessian that is not finite.
func newInverse(hessian *mat.SymDense) *inverse {
	size := hessian.SymmetricDim()
	h := &inverse{scale: make([]float64, size), scaled: mat.NewVecDense(size, nil), exact: true}
	for j := range size {
		// A parameter without curvature keeps its gradient as its step.
		h.scale[j] = 1
		if d := hessian.At(j, j); d > 0 {
			h.scale[j] = 1 / math.Sqrt(d)
		}
	}
	scaled := mat.NewSymDense(size, nil)
	for add := 0.0; add <= 1; add = max(10*add, 1e-14) {
		for j := range size {
			for l := range j {
				scaled.SetSym(j, l, hessian.At(j, l)*h.scale[j]*h.scale[l])
			}
			scaled.SetSym(j, j, hessian.At(j, j)*h.scale[j]*h.scale[j]+add)
		}
		if h.cholesky.Factorize(scaled) {
			return h
		}
	}
	return nil
}

// apply sets step to the inverse times gradient (the two-loop recursion; Nocedal, "Updating
// quasi-Newton matrices with limited storage", 1980, with the factor as the initial matrix).
func (h *inverse) apply(step, gradient []float64) {
	copy(step, gradient)
	for i := len(h.pairs) - 1; i >= 0; i-- {
		q := &h.pairs[i]
		q.alpha = q.rho * floats.Dot(q.step, step)
		floats.AddScaled(step, -q.alpha, q.change)
	}
	scaled := h.scaled.RawVector().Data
	floats.MulTo(scaled, h.scale, step)
	// The error is a warning of a large condition number; the factor itself is sound.
	_ = h.cholesky.SolveVecTo(h.scaled, h.scaled)
	floats.MulTo(step, h.scale, scaled)
	for _, q := range h.pairs {
		floats.AddScaled(step, q.alpha-q.rho*floats.Dot(q.change, step), q.step)
	}
}

// update corrects the inverse by what the gradient did over a step.
func (h *inverse) update(from, to *evaluation) {
	h.exact = false
	q := pair{step: make([]float64, len(to.theta)), change: make([]float64, len(to.theta))}
	floats.SubTo(q.step, to.theta, from.theta)
	floats.SubTo(q.change, to.gradient, from.gradient)
	// Rounding may hide the curvature of a very short step.
	if curvature := floats.Dot(q.step, q.change); curvature > 0 {
		q.rho = 1 / curvature
		h.pairs = append(h.pairs, q)
	}
}
