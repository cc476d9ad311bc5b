package forecast

import (
	"errors"
	"fmt"
	"math"

	"github.com/sajari/regression"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// How many values a line may be fitted to. Two values have a line and no error of it. The upper
// bound is sajari/regression's: it forms an n by n matrix and joins n strings.
const (
	MinN = 3
	MaxN = 1000
)

// Errors of a series without a line.
var (
	ErrLength    = fmt.Errorf("forecast: a line needs %d to %d values", MinN, MaxN)
	ErrNotFinite = errors.New("forecast: value is not a finite number, or the values are too far apart")
)

// rounding is the size of residuals, relative to the series' largest distance from its mean, below
// which they are rounding errors: the values then lie on the line.
const rounding = 1e-13

// Line is the least squares line Intercept + Slope*i through the values of a series, i = 0, 1, ..., N-1.
type Line struct {
	Slope     float64 // change of the value a step
	Intercept float64 // the line's value at the first step
	// R2 is the share of the values' variance that the line explains, 0 to 1; 0 for equal values.
	R2 float64
	N  int
	// StdErr is the standard error of Slope, and PValue the two-sided p-value of a slope of zero
	// (t-test, N-2 degrees of freedom), both for independent errors.
	StdErr, PValue float64
	// EffectiveN is the number of independent values that tell as much as the N do: less than N if
	// neighbours are alike, as drift scores of overlapping windows are. AdjustedP is the p-value with
	// EffectiveN in the place of N, 1 if that leaves nothing to estimate the error from.
	EffectiveN, AdjustedP float64
}

// Fit fits a line to MinN to MaxN finite values, oldest first.
func Fit(values []float64) (Line, error) {
	n := len(values)
	if n < MinN || n > MaxN {
		return Line{}, fmt.Errorf("%w, not %d", ErrLength, n)
	}
	mean, scale, err := centre(values)
	if err != nil {
		return Line{}, err
	}
	if scale == 0 { // all equal: the library divides 0 by 0
		return Line{Intercept: mean, N: n, PValue: 1, EffectiveN: float64(n), AdjustedP: 1}, nil
	}

	// Centred and scaled, no offset of the series costs digits and no square leaves the range.
	middle := float64(n-1) / 2
	var model regression.Regression
	scaled := make([]float64, n)
	for i, v := range values {
		scaled[i] = (v - mean) / scale
		model.Train(regression.DataPoint(scaled[i], []float64{float64(i) - middle}))
	}
	if err := model.Run(); err != nil {
		return Line{}, fmt.Errorf("forecast: fit %d values: %w", n, err)
	}
	slope := model.Coeff(1)

	residuals := make([]float64, n)
	for i, v := range scaled {
		residuals[i] = v - model.Coeff(0) - slope*(float64(i)-middle)
	}
	l := Line{
		Slope:     slope * scale,
		Intercept: mean + (model.Coeff(0)-slope*middle)*scale,
		R2:        min(1, max(0, model.R2)),
		N:         n,
	}
	l.test(slope, residuals, scale)
	return l, nil
}

// centre returns the mean of the values and the largest distance from it.
func centre(values []float64) (mean, scale float64, err error) {
	mean = stat.Mean(values, nil)
	for _, v := range values {
		scale = max(scale, math.Abs(v-mean))
	}
	if math.IsNaN(scale) || math.IsInf(scale, 0) {
		return 0, 0, ErrNotFinite
	}
	if floats.Max(values) == floats.Min(values) { // the mean of equal values may be a digit off
		return values[0], 0, nil
	}
	return mean, scale, nil
}

// test sets what is known about the slope's error, given the slope and residuals in units of scale.
func (l *Line) test(slope float64, residuals []float64, scale float64) {
	n := float64(l.N)
	squares := floats.Dot(residuals, residuals)
	if squares < n*rounding*rounding {
		squares = 0
	}
	spread := n * (n*n - 1) / 12 // of the steps: the sum of (i - middle)^2
	free := n - 2
	stderr := math.Sqrt(squares / free / spread)
	l.StdErr = stderr * scale
	l.PValue = twoSided(slope, stderr, free)

	// Santer et al., "Statistical significance of trends and trend differences in layer-average
	// atmospheric temperature time series", Journal of Geophysical Research 105 (2000), equations 4 to
	// 6: the autocorrelation of the residuals at lag 1 shortens the series.
	var r1 float64
	if squares > 0 {
		r1 = max(0, floats.Dot(residuals[1:], residuals[:l.N-1])/squares)
	}
	l.EffectiveN = n * (1 - r1) / (1 + r1)
	l.AdjustedP = 1
	if effective := l.EffectiveN - 2; effective > 0 {
		l.AdjustedP = twoSided(slope, stderr*math.Sqrt(free/effective), effective)
	}
}

// twoSided is the p-value of Student's t-test of a slope of zero.
func twoSided(slope, stderr, free float64) float64 {
	// Without an error the quotient is infinite and p is 0: the values lie on a line that is not level.
	return 2 * distuv.StudentsT{Sigma: 1, Nu: free}.Survival(math.Abs(slope)/stderr)
}

// At is the line's value at step i of the series; N-1 is the last one.
func (l Line) At(i float64) float64 { return l.Intercept + l.Slope*i }
