package logreg

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
)

const (
	// sampleTol is the gradient at which the sample's optimum is near enough to start from: its
	// sampling error is larger.
	sampleTol = 1e-3
	// rowCost is the cost of a row's exponential, in multiply-adds.
	rowCost = 20
	// stepTol times the tolerance bounds the last step that is not taken, relative to each parameter
	// or to stepFloor of the largest: where columns are nearly collinear, a small gradient may be
	// far from the optimum.
	stepTol   = 10
	stepFloor = 1e-3
	// armijo is the share of the predicted decrease that a step must bring.
	armijo = 1e-4
	// valueNoise is the relative rounding error of the value; within it, the slope decides.
	valueNoise = 1e-12
	// shortestStep ends a line search.
	shortestStep = 1e-10
)

// solution is where a solver stopped.
type solution struct {
	*evaluation
	// inverse is Newton's last approximation of the Hessian's inverse.
	inverse    *inverse
	iterations int
	converged  bool
	note       string
}

// because notes why the solver stopped, unless it had converged by then.
func (s solution) because(note string) solution {
	if !s.converged {
		s.note = note
	}
	return s
}

// newton minimises the objective from theta by Newton's method with a line search.
//
// The Hessian costs O(k²) a row and the gradient O(k), so a factor is kept for as long as that takes
// less work in all, and is corrected meanwhile by the BFGS pairs of the steps taken. The first one
// may come from a sample (near), as in the sub-sampled methods of Roosta-Khorasani and Mahoney,
// "Sub-sampled Newton methods", 2019: then a fit of many columns sees no Hessian of all rows at all.
func (p *problem) newton(ctx context.Context, theta []float64, near *inverse, tol float64, maxIter int) (solution, error) {
	at, next := p.newEvaluation(), p.newEvaluation()
	copy(at.theta, theta)
	h := near
	if err := p.evaluate(ctx, at, h == nil); err != nil {
		return solution{}, err
	}
	if h == nil {
		h = newInverse(at.hessian)
	} else {
		h.exact = false
	}
	step := make([]float64, len(theta))
	refresh := p.hessianCost() < 2
	for iteration := 1; ; iteration++ {
		done := solution{evaluation: at, inverse: h, iterations: iteration, converged: at.norm <= tol}
		if h != nil {
			h.apply(step, at.gradient)
		}
		switch small := negligible(step, at.theta, stepTol*tol); {
		case !isFinite(at.norm) || done.converged && small:
			return done, nil
		case h == nil:
			return done.because(noteSingular), nil
		case iteration >= maxIter:
			return done.because(noteIterations), nil
		}
		ok, err := p.search(ctx, at, next, step, refresh)
		switch {
		case err != nil:
			return solution{}, err
		case !ok && h.exact:
			return done.because(noteRounding), nil
		case !ok:
			if err := p.evaluate(ctx, at, true); err != nil {
				return solution{}, err
			}
			h = newInverse(at.hessian)
			continue
		case refresh:
			h = newInverse(next.hessian)
		default:
			h.update(at, next)
		}
		refresh = p.worthHessian(at.norm, next.norm, tol)
		at, next = next, at
	}
}

// negligible tells whether a step changes no parameter by more than a share of it.
func negligible(step, theta []float64, share float64) bool {
	floor := stepFloor * floats.Norm(theta, math.Inf(1))
	for j, s := range step {
		if math.Abs(s) > share*max(floor, math.Abs(theta[j])) {
			return false
		}
	}
	return true
}

// worthHessian tells whether the next pass should take the Hessian along: if at the pace of the
// last step the passes still to come would cost more than it does.
func (p *problem) worthHessian(before, norm, tol float64) bool {
	if norm >= before {
		return true
	}
	return math.Log(norm/tol)/math.Log(before/norm) > 2+p.hessianCost()
}

// hessianCost is the cost of the Hessian in passes without it.
func (p *problem) hessianCost() float64 {
	k := float64(len(p.columns))
	return k * (k + 3) / 2 / (2*k + rowCost)
}

// search goes from at against step until the value falls, and leaves the point in next. It returns
// false if no point is better by more than rounding.
func (p *problem) search(ctx context.Context, at, next *evaluation, step []float64, hessian bool) (bool, error) {
	slope := -floats.Dot(at.gradient, step)
	if !(slope < 0) {
		return false, nil
	}
	for length := 1.0; length >= shortestStep; {
		floats.AddScaledTo(next.theta, at.theta, -length, step)
		if err := p.evaluate(ctx, next, hessian && length == 1); err != nil {
			return false, err
		}
		after := -floats.Dot(next.gradient, step)
		if descends(at.value, next.value, length, slope, after) {
			if hessian && length < 1 {
				return true, p.evaluate(ctx, next, true)
			}
			return true, nil
		}
		length *= shorten(slope, after)
	}
	return false, nil
}

// descends tells whether a step of this length along a direction of this slope, with the slope
// after it, decreases a convex objective enough: by Armijo's rule, or, where the decrease drowns in
// rounding, by the slope (the approximate Wolfe conditions of Hager and Zhang, "A new conjugate
// gradient method with guaranteed descent", 2005).
func descends(before, value, length, slope, after float64) bool {
	if value <= before+armijo*length*slope {
		return true
	}
	return value <= before+valueNoise*math.Abs(before) && after <= -0.5*slope
}

// shorten is the factor that takes a step too long to where the secant of the slopes crosses zero.
func shorten(slope, after float64) float64 {
	if !(after > 0) || math.IsInf(after, 0) {
		return 0.25
	}
	return max(0.1, min(0.7, slope/(slope-after)))
}
