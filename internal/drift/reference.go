package drift

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Errors of a window that cannot be scored.
var (
	ErrEmpty     = errors.New("drift: window has no values")
	ErrNotFinite = errors.New("drift: value is not a finite number")
)

// Binning says how [Reference.PSI] cuts the line of values into bins. A reference of at most 20
// distinct values is never cut: there each value is a bin of its own.
type Binning int

// The ways to cut.
const (
	// Quantiles cuts at the quantiles of the reference, so that each bin holds an equal share of
	// it. It is the usual definition of the PSI and heeds outliers in neither window.
	Quantiles Binning = iota
	// Sturges cuts the range of both windows together into equal widths, their number by Sturges'
	// rule. It is what Evidently does. One far outlier makes all bins but two empty.
	Sturges
)

// DefaultBins is the number of quantile bins: deciles, as in Siddiqi, "Credit Risk Scorecards",
// Wiley 2006.
const DefaultBins = 10

// Options says how a reference is binned. Its zero value means deciles.
type Options struct {
	Binning Binning
	// Bins is the number of quantile bins, 2 to 1000; 0 means DefaultBins. Sturges counts by itself.
	Bins int
}

func (o Options) withDefaults() Options {
	if o.Bins == 0 {
		o.Bins = DefaultBins
	}
	return o
}

func (o Options) validate() error {
	if o.Binning != Quantiles && o.Binning != Sturges {
		return fmt.Errorf("drift: Binning must be Quantiles or Sturges, not %d", o.Binning)
	}
	if o.Bins < 2 || o.Bins > 1000 {
		return fmt.Errorf("drift: Bins must be 2 to 1000, not %d", o.Bins)
	}
	return nil
}

// Reference is the reference window of one feature, sorted and binned. It does not change, so any
// number of goroutines may use it at once.
type Reference struct {
	sorted  []float64
	binning Binning
	// values are the distinct values of a reference with at most maxCategories of them, else nil.
	values []float64
	// edges are the inner edges of the quantile bins: bin i holds edges[i-1] < x <= edges[i].
	edges []float64
	// counts are the reference's values in each bin. Nil for Sturges, whose bins depend on both windows.
	counts []int
}

// NewReference sorts and bins a copy of values.
func NewReference(values []float64, o Options) (*Reference, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	sorted, err := sortedCopy(values)
	if err != nil {
		return nil, err
	}
	r := &Reference{sorted: sorted, binning: o.Binning}
	r.bin(o.Bins)
	return r, nil
}

// Len is the number of values in the reference window.
func (r *Reference) Len() int { return len(r.sorted) }

// sortedCopy returns the values in ascending order.
func sortedCopy(values []float64) ([]float64, error) {
	if len(values) == 0 {
		return nil, ErrEmpty
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%w: %v at index %d", ErrNotFinite, v, i)
		}
	}
	out := slices.Clone(values)
	slices.Sort(out)
	return out, nil
}
