package logreg

import (
	"context"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// lbfgsStore is the number of pairs kept. Twice gonum's 15 halves the iterations where columns are
// nearly collinear, and a pair costs far less than a pass over the data.
const lbfgsStore = 30

// lbfgs minimises the objective from theta by limited-memory BFGS (Liu and Nocedal, "On the limited
// memory BFGS method for large scale optimization", 1989), over parameters scaled to a Hessian with
// a diagonal near 1: without that, the penalty on a column of small spread dwarfs all else.
func (p *problem) lbfgs(ctx context.Context, theta []float64, tol float64, maxIter int) (solution, error) {
	at := p.newEvaluation()
	copy(at.theta, theta)
	failed := p.evaluate(ctx, at, false)
	if failed != nil || !isFinite(at.norm) || at.norm <= tol {
		return solution{evaluation: at, iterations: 1, converged: at.norm <= tol}, failed
	}
	scale := p.curvatureScale()
	scaled := make([]float64, len(theta)) // at.theta in the method's own parameters
	floats.DivTo(scaled, theta, scale)
	fill := func(x []float64) {
		if failed == nil && !slices.Equal(x, scaled) {
			copy(scaled, x)
			floats.MulTo(at.theta, x, scale)
			failed = p.evaluate(ctx, at, false)
		}
	}
	objective := optimize.Problem{
		Func: func(x []float64) float64 {
			fill(x)
			return at.value
		},
		Grad: func(gradient, x []float64) {
			fill(x)
			floats.MulTo(gradient, at.gradient, scale)
		},
		Status: func() (optimize.Status, error) {
			switch {
			case failed != nil:
				return optimize.Failure, failed
			case at.norm <= tol:
				return optimize.GradientThreshold, nil
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{Converger: optimize.NeverTerminate{}, MajorIterations: maxIter}
	method := &optimize.LBFGS{Linesearcher: &slopeSearch{}, Store: lbfgsStore, GradStopThreshold: math.NaN()}
	result, err := optimize.Minimize(objective, slices.Clone(scaled), settings, method)
	if result == nil && failed == nil {
		return solution{}, err
	}
	if failed == nil && at.norm > tol {
		fill(result.X) // the last point tried need not be the best one
	}
	if failed != nil {
		return solution{}, failed
	}
	done := solution{evaluation: at, iterations: result.MajorIterations, converged: at.norm <= tol}
	if result.Status == optimize.IterationLimit {
		return done.because(noteIterations), nil
	}
	return done.because(noteRounding), nil
}

// curvatureScale is 1/√ of what the diagonal of the Hessian is near the start.
func (p *problem) curvatureScale() []float64 {
	curvature := p.classes[0] / p.total * (p.classes[1] / p.total)
	scale := make([]float64, len(p.columns)+1)
	for j, ridge := range p.ridge {
		scale[j] = 1 / math.Sqrt(curvature+ridge)
	}
	scale[len(p.columns)] = 1 / math.Sqrt(curvature)
	return scale
}

// slopeSearch is a line search for a convex objective by its slope. gonum's own compare values,
// which near the optimum differ by less than their rounding; descends does not depend on that.
type slopeSearch struct {
	value, slope, step float64
	low, high          float64 // the minimum lies between them; high is 0 while none is known
	lowSlope           float64
	tries              int
}

var errNoStep = errors.New("no step decreases the objective")

// Init implements optimize.Linesearcher.
func (s *slopeSearch) Init(value, slope, step float64) optimize.Operation {
	*s = slopeSearch{value: value, slope: slope, lowSlope: slope, step: step}
	return optimize.FuncEvaluation | optimize.GradEvaluation
}

// Iterate implements optimize.Linesearcher.
func (s *slopeSearch) Iterate(value, slope float64) (optimize.Operation, float64, error) {
	if math.Abs(slope) <= 0.9*math.Abs(s.slope) && descends(s.value, value, s.step, s.slope, slope) {
		return optimize.MajorIteration, s.step, nil
	}
	if s.tries++; s.tries > 50 {
		return optimize.NoOperation, 0, errNoStep
	}
	switch {
	case !(slope < 0): // too far, or beyond the range of numbers
		s.high = s.step
		s.step = s.low + (s.high-s.low)*shorten(s.lowSlope, slope)
	case s.high == 0:
		s.low, s.lowSlope = s.step, slope
		s.step *= 4
	default:
		s.low, s.lowSlope = s.step, slope
		s.step = s.low + (s.high-s.low)/2
	}
	return optimize.FuncEvaluation | optimize.GradEvaluation, s.step, nil
}
