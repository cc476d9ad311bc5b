package logreg

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// FitReport tells how a fit went.
type FitReport struct {
	Iterations int `json:"iterations"`
	// Converged tells that GradNorm is at most Options.Tol. A model that did not converge is
	// returned all the same, and Note says why.
	Converged bool `json:"converged"`
	// GradNorm is the largest component of the gradient that Options.Tol bounds.
	GradNorm float64 `json:"grad_norm"`
	// Objective is C · Σ w·logloss + ½·‖β‖² at the model.
	Objective float64 `json:"objective"`
	Solver    string  `json:"solver"`
	// Separable tells that the model puts every row on its right side, so that the coefficients
	// are finite because of the penalty alone.
	Separable bool `json:"separable"`
	// Note is what the caller should know, empty if nothing.
	Note string `json:"note"`
}

const (
	noteIterations = "stopped at the limit of iterations before the gradient reached Tol"
	noteRounding   = "stopped where steps drown in rounding before the gradient reached Tol"
	noteSingular   = "stopped because the Hessian can't be factored"
	noteSeparable  = "a plane separates the classes: only the penalty keeps the coefficients finite, so their size follows C"
)

// Fit fits a model to n rows in k columns x, the labels y (0 or 1) and the sample weights w (nil:
// all 1). It neither changes nor keeps them. The error is ctx's if that ends first, else it wraps
// ErrOptions, ErrShape, ErrNotFinite, ErrLabel, ErrWeight or ErrSingleClass.
func Fit(ctx context.Context, x [][]float64, y []uint8, w []float64, o Options) (*Model, FitReport, error) {
	m, report, err := fit(ctx, x, y, w, o)
	if err != nil {
		return nil, FitReport{}, fmt.Errorf("logreg: fit: %w", err)
	}
	return m, report, nil
}

func fit(ctx context.Context, x [][]float64, y []uint8, w []float64, o Options) (*Model, FitReport, error) {
	if err := o.validate(); err != nil {
		return nil, FitReport{}, err
	}
	o = o.withDefaults(len(x))
	if err := checkData(x, y, w); err != nil {
		return nil, FitReport{}, err
	}
	w, classes, err := weigh(y, w, o.Balanced)
	if err != nil {
		return nil, FitReport{}, err
	}
	p, rows, err := newProblem(x, y, w, classes, o)
	if err != nil {
		return nil, FitReport{}, err
	}
	done, err := p.solve(ctx, rows, o)
	if err != nil {
		return nil, FitReport{}, err
	}
	if !isFinite(done.norm) {
		return nil, FitReport{}, findNotFinite(x)
	}
	report := FitReport{
		Iterations: done.iterations, Converged: done.converged, GradNorm: done.norm,
		Objective: done.value * o.C * p.total, Solver: o.Solver,
		Separable: done.separated, Note: done.note,
	}
	if done.separated {
		report.Note = strings.TrimPrefix(report.Note+"; "+noteSeparable, "; ")
	}
	return p.model(done.theta, len(x)), report, nil
}

// solve runs the solver, from the optimum of the sample where there is one.
func (p *problem) solve(ctx context.Context, rows *sample, o Options) (solution, error) {
	from := solution{evaluation: &evaluation{theta: p.start()}}
	if small := rows.problem(p); small != nil {
		near, err := small.run(ctx, from, o.Solver, max(sampleTol, o.Tol), o.MaxIter)
		if err != nil {
			return solution{}, err
		}
		// A sample with values beyond the range of numbers starts nothing.
		if near.converged {
			from = near
		}
		if from.inverse != nil && !from.inverse.exact {
			if err := small.evaluate(ctx, near.evaluation, true); err != nil {
				return solution{}, err
			}
			from.inverse = newInverse(near.hessian)
		}
	}
	return p.run(ctx, from, o.Solver, o.Tol, o.MaxIter)
}

// run runs a solver from where another one stopped.
func (p *problem) run(ctx context.Context, from solution, solver string, tol float64, maxIter int) (solution, error) {
	if solver == SolverLBFGS {
		return p.lbfgs(ctx, from.theta, tol, maxIter)
	}
	return p.newton(ctx, from.theta, from.inverse, tol, maxIter)
}

// weightRange bounds the total weight of a class, far from where sums overflow.
const weightRange = 1e100

// checkData checks what can be checked without reading the columns.
func checkData(x [][]float64, y []uint8, w []float64) error {
	if len(x) == 0 || len(y) == 0 {
		return fmt.Errorf("%d columns and %d labels: %w", len(x), len(y), ErrShape)
	}
	for j, column := range x {
		if len(column) != len(y) {
			return fmt.Errorf("column %d has %d rows for %d labels: %w", j, len(column), len(y), ErrShape)
		}
	}
	return checkLabels(y, w)
}

// checkLabels checks labels and weights.
func checkLabels(y []uint8, w []float64) error {
	var seen uint8
	for _, label := range y {
		seen |= label
	}
	if seen > 1 {
		for i, label := range y {
			if label > 1 {
				return fmt.Errorf("row %d is labelled %d: %w", i, label, ErrLabel)
			}
		}
	}
	if w == nil {
		return nil
	}
	if len(w) != len(y) {
		return fmt.Errorf("%d weights for %d labels: %w", len(w), len(y), ErrShape)
	}
	for i, v := range w {
		if v < 0 || !isFinite(v) {
			return fmt.Errorf("the weight of row %d is %v: %w", i, v, ErrWeight)
		}
	}
	return nil
}

// weigh returns the weights with the balance of the classes in them, and the total of each class.
// As in scikit-learn, a class of total T among W gets the factor W/(2·T).
func weigh(y []uint8, w []float64, balanced bool) (weights []float64, classes [2]float64, err error) {
	classes = classWeights(y, w)
	total := classes[0] + classes[1]
	switch {
	case total == 0:
		err = fmt.Errorf("all weights are zero: %w", ErrWeight)
	case classes[0] == 0 || classes[1] == 0:
		err = fmt.Errorf("the labels weigh %v (0) and %v (1): %w", classes[0], classes[1], ErrSingleClass)
	case min(classes[0], classes[1]) < 1/weightRange || max(classes[0], classes[1]) > weightRange:
		err = fmt.Errorf("the labels weigh %v (0) and %v (1), beyond %v: %w", classes[0], classes[1], weightRange, ErrWeight)
	}
	if err != nil || !balanced {
		return w, classes, err
	}
	factor := [2]float64{total / (2 * classes[0]), total / (2 * classes[1])}
	weights = make([]float64, len(y))
	for i, label := range y {
		weights[i] = factor[label] * weightOf(w, i)
	}
	return weights, [2]float64{total / 2, total / 2}, nil
}

// classWeights is the total weight of each class.
func classWeights(y []uint8, w []float64) (total [2]float64) {
	if w == nil {
		var ones int
		for _, label := range y {
			ones += int(label)
		}
		return [2]float64{float64(len(y) - ones), float64(ones)}
	}
	for i, label := range y {
		total[label] += w[i]
	}
	return total
}

// findNotFinite says which value made the sums overflow.
func findNotFinite(x [][]float64) error {
	for j, column := range x {
		if err := notFinite(j, column); err != nil {
			return err
		}
	}
	return fmt.Errorf("the sums over the data are beyond the range of numbers: %w", ErrNotFinite)
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
