package logreg

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
)

// What can be wrong with the input of Fit and Evaluate. The error that wraps one of them says where.
var (
	// ErrOptions is an option out of its bounds.
	ErrOptions = errors.New("bad option")
	// ErrShape is data without rows or columns, or of unequal lengths.
	ErrShape = errors.New("bad shape")
	// ErrNotFinite is a NaN or an infinity in the data.
	ErrNotFinite = errors.New("not a finite number")
	// ErrLabel is a label other than 0 and 1.
	ErrLabel = errors.New("label is neither 0 nor 1")
	// ErrWeight is a negative or not finite sample weight, or weights that add up to zero or to more
	// than 1e100.
	ErrWeight = errors.New("bad sample weight")
	// ErrProbability is a probability that is not within 0 to 1.
	ErrProbability = errors.New("not a probability")
	// ErrSingleClass is data in which one class has no row of positive weight: the intercept has no
	// penalty, so the objective has no minimum.
	ErrSingleClass = errors.New("only one class in the data")
)

// The solvers. An empty name chooses by the number of columns.
const (
	// SolverNewton is Newton's method, whose cost grows with the square of the number of columns.
	SolverNewton = "newton"
	// SolverLBFGS is limited-memory BFGS, whose cost grows linearly with the number of columns.
	SolverLBFGS = "lbfgs"
)

// newtonColumns is the number of columns up to which Newton is chosen.
const newtonColumns = 128

const (
	defaultTol         = 1e-8
	defaultNewtonIters = 100
	defaultLBFGSIters  = 5000
)

// Options of Fit; the zero value is ready to use.
type Options struct {
	// C is the inverse of the penalty's strength, as in scikit-learn. 0 means 1.
	C float64 `json:"c"`
	// Tol bounds the largest component of the gradient of the mean objective (the objective divided
	// by C and by the sum of weights) with respect to the coefficients of standardised columns.
	// For columns of unit spread this is scikit-learn's tol. 0 means 1e-8. Newton also goes on until
	// its next step would change no standardised coefficient by more than 10·Tol of its size (or of
	// a thousandth of the largest).
	Tol float64 `json:"tol"`
	// MaxIter bounds the passes of Newton (0 means 100) or the iterations of L-BFGS (0 means 5000).
	MaxIter int `json:"max_iter"`
	// Balanced gives both classes the same total weight.
	Balanced bool `json:"balanced"`
	// Parallel is the number of goroutines. 0 means GOMAXPROCS. The answer does not depend on it.
	Parallel int `json:"parallel"`
	// Solver is SolverNewton, SolverLBFGS or empty: chosen by the number of columns.
	Solver string `json:"solver"`
}

// withDefaults fills in what is zero, for data of k columns.
func (o Options) withDefaults(k int) Options {
	o.C = cmp.Or(o.C, 1)
	o.Tol = cmp.Or(o.Tol, defaultTol)
	o.Parallel = cmp.Or(o.Parallel, runtime.GOMAXPROCS(0))
	if o.Solver == "" {
		o.Solver = SolverLBFGS
		if k <= newtonColumns {
			o.Solver = SolverNewton
		}
	}
	if o.Solver == SolverNewton {
		o.MaxIter = cmp.Or(o.MaxIter, defaultNewtonIters)
	}
	o.MaxIter = cmp.Or(o.MaxIter, defaultLBFGSIters)
	return o
}

// validate names the first option that is out of its bounds; a zero is a default and passes.
func (o Options) validate() error {
	switch {
	case o.C != 0 && !(o.C >= 1e-100 && o.C <= 1e100):
		return fmt.Errorf("%w: C is %v, want 1e-100 to 1e100", ErrOptions, o.C)
	case !(o.Tol >= 0) || o.Tol > 0.1:
		return fmt.Errorf("%w: Tol is %v, want 0 to 0.1", ErrOptions, o.Tol)
	case o.MaxIter < 0:
		return fmt.Errorf("%w: MaxIter is %d, want 0 or more", ErrOptions, o.MaxIter)
	case o.Parallel < 0 || o.Parallel > 1024:
		return fmt.Errorf("%w: Parallel is %d, want 0 to 1024", ErrOptions, o.Parallel)
	case o.Solver != "" && o.Solver != SolverNewton && o.Solver != SolverLBFGS:
		return fmt.Errorf("%w: Solver is %q, want %q, %q or empty", ErrOptions, o.Solver, SolverNewton, SolverLBFGS)
	}
	return nil
}
