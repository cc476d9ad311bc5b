package logreg

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// sampleRows is the size of the sample that gives each column its scale and, where the data are
	// much larger, the solver its start. Its error, about 1/√16384, is well within what one Newton
	// step repairs; a sample of twice the size saved no pass.
	sampleRows = 16384
	// sampleRun is the length of the runs a sample is drawn in: two cache lines of a column.
	sampleRun = 16
	// farFromZero is the ratio of mean to spread from which on a column is centred in a copy, since
	// the sums over the raw column would cancel.
	farFromZero = 100
	// hugeValue is where squares come near to overflowing; hugeUnit brings such a column back.
	hugeValue = 1e100
	hugeUnit  = 0x1p-600
	// tinySpread is where the penalty on the standardised column, 1/spread², would overflow.
	tinySpread = 1e-140
	// heavyTail is the ratio of standard deviation to quartile distance from which on the deviation
	// is that of a few rows: in its units, all other rows would lie in one point, and a gradient
	// that means much to them would look small.
	heavyTail = 100
	// bulkRows is the number of values whose quantiles are taken.
	bulkRows = 1024
	// maxRidge keeps the penalty finite; a coefficient under it is zero to all purposes.
	maxRidge = 1e200
)

// problem is the mean objective over the standardised columns,
//
//	F(θ) = 1/W · Σᵢ wᵢ·logloss(yᵢ, σ(θ_k + zᵢ·θ)) + ½ · Σⱼ ridgeⱼ·θⱼ² ,  W = Σᵢ wᵢ ,
//
// with ridgeⱼ = 1/(C·W·spreadⱼ²), so that its minimum is that of the objective on the raw columns.
// The intercept θ_k is the last parameter. Constant columns are left out: at the optimum the
// residuals sum to zero, so their coefficient is zero.
type problem struct {
	columns []column
	y       []uint8
	w       []float64  // nil: all 1
	total   float64    // W
	classes [2]float64 // the part of each class in it
	ridge   []float64  // of each column
	workers int
	second  bool // whether the solver asks for second derivatives

	chunks  chunks
	scratch []scratch // of each worker
	sums    []float64 // of each chunk
}

// column is one column of the problem: the standardised value is (v - mean)/spread of the values v,
// which are the caller's own column or, where that would lose precision, a standardised copy.
type column struct {
	values       []float64
	copied       bool
	mean, spread float64
	// index is the caller's number of the column, and raw its standardisation there.
	index int
	raw   standard
}

// standard standardises a raw value: z = (x·unit - mean)/spread.
type standard struct{ unit, mean, spread float64 }

// newProblem prepares data that checkData found to be sound in shape.
func newProblem(x [][]float64, y []uint8, w []float64, classes [2]float64, o Options) (*problem, *sample, error) {
	p := &problem{
		y: y, w: w, total: classes[0] + classes[1], classes: classes,
		workers: o.Parallel, second: o.Solver == SolverNewton,
	}
	draw := drawSample(len(y))
	columns := make([]*column, len(x))
	drawn := make([][]float64, len(x))
	errs := make([]error, len(x))
	parallel(o.Parallel, len(x), func(_, j int) {
		drawn[j] = gather(draw, x[j])
		columns[j], errs[j] = newColumn(j, x[j], drawn[j])
	})
	rows := &sample{rows: draw}
	for j, c := range columns {
		if errs[j] != nil {
			return nil, nil, errs[j]
		}
		if c == nil {
			continue
		}
		p.columns = append(p.columns, *c)
		perUnit := c.raw.unit / c.raw.spread
		p.ridge = append(p.ridge, min(perUnit*perUnit/(o.C*p.total), maxRidge))
		of := *c
		of.values = drawn[j]
		if c.copied {
			of.values = gather(draw, c.values)
		}
		rows.columns = append(rows.columns, of)
	}
	p.prepare()
	return p, rows, nil
}

// newColumn standardises column j of the data by what was drawn of it; nil if it is constant.
func newColumn(j int, raw, drawn []float64) (*column, error) {
	s := standardOf(drawn)
	if !(s.spread > tinySpread) && len(drawn) < len(raw) {
		s = standardOf(raw)
	}
	if math.IsNaN(s.spread) {
		return nil, notFinite(j, raw)
	}
	if s.spread <= tinySpread {
		return nil, nil
	}
	c := &column{values: raw, mean: s.mean, spread: s.spread, index: j, raw: s}
	if s.unit != 1 || math.Abs(s.mean) > farFromZero*s.spread {
		c.values, c.copied, c.mean, c.spread = s.apply(raw), true, 0, 1
	}
	return c, nil
}

// standardOf measures a column. The spread is 0 if it is constant, NaN if a value is not finite.
func standardOf(values []float64) standard {
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if !isFinite(low) || !isFinite(high) {
		return standard{1, 0, math.NaN()}
	}
	if low == high {
		return standard{1, low, 0}
	}
	unit := 1.0
	if max(-low, high) > hugeValue {
		unit = hugeUnit
	}
	n := float64(len(values))
	var sum float64
	for _, v := range values {
		sum += v * unit
	}
	mean := sum / n
	var squares float64
	for _, v := range values {
		d := v*unit - mean
		squares += d * d
	}
	spread := math.Sqrt(squares / n)
	if bulk := bulkOf(values); bulk.spread > tinySpread && spread > heavyTail*bulk.spread*unit {
		return bulk
	}
	return standard{unit, mean, spread}
}

// bulkOf measures where most values of a column lie: the median, and the distance of the quartiles
// or, where they coincide, of quantiles farther out.
func bulkOf(values []float64) standard {
	few := make([]float64, 0, bulkRows)
	for i := range min(bulkRows, len(values)) {
		few = append(few, values[i*len(values)/min(bulkRows, len(values))])
	}
	slices.Sort(few)
	bulk := standard{unit: 1, mean: few[len(few)/2]}
	for _, part := range []int{4, 20, 200} {
		tail := len(few) / part
		if bulk.spread = few[len(few)-1-tail] - few[tail]; bulk.spread > 0 {
			break
		}
	}
	return bulk
}

func (s standard) apply(values []float64) []float64 {
	z := make([]float64, len(values))
	for i, v := range values {
		z[i] = (v*s.unit - s.mean) / s.spread
	}
	return z
}

// notFinite says which row of column j is NaN or infinite.
func notFinite(j int, values []float64) error {
	for i, v := range values {
		if !isFinite(v) {
			return fmt.Errorf("column %d, row %d is %v: %w", j, i, v, ErrNotFinite)
		}
	}
	return nil
}

// model folds the standardisation back into coefficients of the k raw columns.
func (p *problem) model(theta []float64, k int) *Model {
	m := &Model{Coef: make([]float64, k), Intercept: theta[len(p.columns)]}
	for j, c := range p.columns {
		slope := theta[j] / c.raw.spread
		m.Coef[c.index] = slope * c.raw.unit
		m.Intercept -= slope * c.raw.mean
	}
	return m
}

// start is θ = 0 but for the intercept, which answers with the share of class 1.
func (p *problem) start() []float64 {
	theta := make([]float64, len(p.columns)+1)
	theta[len(p.columns)] = math.Log(p.classes[1] / p.classes[0])
	return theta
}

// sample is a draw of the rows, spread evenly over the data and the same on every run.
type sample struct {
	rows    draw
	columns []column
}

// problem is the mean objective over the sample alone, an estimate of that over all rows; nil if
// the sample is no use: all rows anyway, or of one class.
func (s *sample) problem(of *problem) *problem {
	if len(s.rows.starts) == 0 {
		return nil
	}
	p := &problem{columns: s.columns, ridge: of.ridge, workers: of.workers, second: of.second}
	p.y = gather(s.rows, of.y)
	if of.w != nil {
		p.w = gather(s.rows, of.w)
	}
	p.classes = classWeights(p.y, p.w)
	if p.classes[0] == 0 || p.classes[1] == 0 {
		return nil
	}
	p.total = p.classes[0] + p.classes[1]
	p.prepare()
	return p
}

// draw lists where the runs of a sample start; none means that the sample is all rows.
type draw struct{ starts []int }

// drawSample draws one run from each of equal strata of n rows. Within its stratum the run lies at
// a place that no period in the data can follow (a multiplicative hash of its number).
func drawSample(n int) draw {
	if n < 2*sampleRows {
		return draw{}
	}
	d := draw{starts: make([]int, sampleRows/sampleRun)}
	stratum := n / len(d.starts)
	for i := range d.starts {
		hash := uint64(i+1) * 0x9e3779b97f4a7c15
		d.starts[i] = i*stratum + int(hash>>33)%(stratum-sampleRun+1)
	}
	return d
}

// gather is the sample of values; the values themselves if the sample is all rows.
func gather[T any](d draw, values []T) []T {
	if len(d.starts) == 0 {
		return values
	}
	rows := make([]T, 0, len(d.starts)*sampleRun)
	for _, s := range d.starts {
		rows = append(rows, values[s:s+sampleRun]...)
	}
	return rows
}

// parallel calls work(worker, i) for all i below n from at most so many goroutines and waits.
func parallel(workers, n int, work func(worker, i int)) {
	workers = min(workers, n)
	if workers <= 1 {
		for i := range n {
			work(0, i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(worker, i)
			}
		})
	}
	wg.Wait()
}
