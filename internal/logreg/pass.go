package logreg

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	// block is the number of rows worked on at a time: few enough that the scratch and a block of
	// each column stay in the cache, and that a product of so many factors up to 2 does not overflow.
	block = 256
	// hessianGroup is the number of columns weighted at a time.
	hessianGroup = 8
	// maxChunks bounds the number of partial sums, whose partition must not depend on the workers.
	maxChunks = 128
	// minChunk is the least number of rows worth a partial sum of its own.
	minChunk = 8 * block
	// sumsLimit bounds the numbers held in partial sums: 64 MiB.
	sumsLimit = 1 << 23
)

// chunks is a partition of n rows into chunks of equal size, a multiple of block.
type chunks struct{ n, size int }

func (c chunks) count() int { return (c.n + c.size - 1) / c.size }

// partition splits n rows into chunks with sums of so many numbers each.
func partition(n, numbers int) chunks {
	count := max(1, min(maxChunks, sumsLimit/numbers))
	size := max(minChunk, (n+count-1)/count)
	return chunks{n: n, size: (size + block - 1) / block * block}
}

// scratch is one worker's memory.
type scratch struct {
	eta, residual, curvature [block]float64
	weighted                 [hessianGroup][block]float64
}

// prepare allocates what evaluate needs.
func (p *problem) prepare() {
	p.chunks = partition(len(p.y), p.sumsSize())
	count := p.chunks.count()
	p.scratch = make([]scratch, min(p.workers, count))
	p.sums = make([]float64, count*p.sumsSize())
}

// sumsSize is the number of sums over the rows: loss, hinge, the gradient with the intercept and,
// for a solver that asks for it, the lower triangle of the Hessian.
func (p *problem) sumsSize() int {
	k := len(p.columns)
	size := 2 + (k + 1)
	if p.second {
		size += (k + 1) * (k + 2) / 2
	}
	return size
}

// sums gives names to the partial sums of one chunk.
type sums struct {
	loss, hinge *float64
	gradient    []float64
	hessian     []float64 // lower triangle by rows
}

func (p *problem) sumsOf(chunk int) sums {
	k, size := len(p.columns), p.sumsSize()
	s := p.sums[chunk*size : (chunk+1)*size]
	return sums{loss: &s[0], hinge: &s[1], gradient: s[2 : k+3], hessian: s[k+3:]}
}

// evaluation is the mean objective at one point θ.
type evaluation struct {
	theta []float64
	value float64
	// gradient has the intercept last; norm is its largest component.
	gradient []float64
	norm     float64
	// hessian is of an earlier point unless it was asked for.
	hessian *mat.SymDense
	// separated tells that no row of positive weight lies on the wrong side of the plane.
	separated bool
}

func (p *problem) newEvaluation() *evaluation {
	size := len(p.columns) + 1
	e := &evaluation{theta: make([]float64, size), gradient: make([]float64, size)}
	if p.second {
		e.hessian = mat.NewSymDense(size, nil)
	}
	return e
}

// evaluate fills in the value and the gradient at e.theta in one pass over the data, and the
// Hessian if asked for. It fails only when ctx ends.
func (p *problem) evaluate(ctx context.Context, e *evaluation, hessian bool) error {
	k := len(p.columns)
	slopes, offset := make([]float64, k), e.theta[k]
	for j, c := range p.columns {
		slopes[j] = e.theta[j] / c.spread
		offset -= slopes[j] * c.mean
	}
	clear(p.sums)
	parallel(p.workers, p.chunks.count(), func(worker, chunk int) {
		p.accumulate(ctx, chunk, slopes, offset, &p.scratch[worker], hessian)
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	p.reduce(e, hessian)
	return nil
}

// accumulate adds up one chunk, block by block, until ctx ends.
func (p *problem) accumulate(ctx context.Context, chunk int, slopes []float64, offset float64, s *scratch, hessian bool) {
	sums := p.sumsOf(chunk)
	end := min((chunk+1)*p.chunks.size, p.chunks.n)
	for low := chunk * p.chunks.size; low < end && ctx.Err() == nil; low += block {
		high := min(low+block, end)
		eta, residual, curvature := s.eta[:high-low], s.residual[:high-low], s.curvature[:high-low]
		for i := range eta {
			eta[i] = offset
		}
		for j, slope := range slopes {
			floats.AddScaled(eta, slope, p.columns[j].values[low:high])
		}
		var loss, hinge float64
		if p.w == nil {
			loss, hinge = logistic(eta, p.y[low:high], residual, curvature)
		} else {
			loss, hinge = logisticWeighted(eta, p.y[low:high], p.w[low:high], residual, curvature)
		}
		*sums.loss += loss
		*sums.hinge += hinge
		for j := range slopes {
			sums.gradient[j] += floats.Dot(residual, p.columns[j].values[low:high])
		}
		sums.gradient[len(slopes)] += floats.Sum(residual)
		if hessian {
			p.accumulateHessian(low, high, s, sums.hessian)
		}
	}
}

// accumulateHessian adds a block's Σ h·x·xᵀ, with 1 as the last column, to the lower triangle. A few
// weighted columns at a time stay in the first-level cache while all columns stream past them.
func (p *problem) accumulateHessian(low, high int, s *scratch, lower []float64) {
	k := len(p.columns)
	h := s.curvature[:high-low]
	last := lower[k*(k+1)/2:]
	for first := 0; first < k; first += hessianGroup {
		end := min(first+hessianGroup, k)
		for j := first; j < end; j++ {
			weighted := s.weighted[j-first][:high-low]
			floats.MulTo(weighted, h, p.columns[j].values[low:high])
			last[j] += floats.Sum(weighted)
		}
		for l := range end {
			values := p.columns[l].values[low:high]
			for j := max(first, l); j < end; j++ {
				lower[j*(j+1)/2+l] += floats.Dot(s.weighted[j-first][:high-low], values)
			}
		}
	}
	last[k] += floats.Sum(h)
}

// reduce adds the chunks up in order, carries the sums from the columns' values over to the
// standardised columns, and adds the penalty.
func (p *problem) reduce(e *evaluation, hessian bool) {
	k := len(p.columns)
	all := p.sumsOf(0)
	size := p.sumsSize()
	for chunk := 1; chunk < p.chunks.count(); chunk++ {
		floats.Add(p.sums[:size], p.sums[chunk*size:(chunk+1)*size])
	}
	floats.Scale(1/p.total, p.sums[:size])

	e.value = *all.loss
	// All rows on the plane itself, where the loss is ln 2, are not separated by it.
	e.separated = *all.hinge == 0 && *all.loss < 0.99*math.Ln2
	residual := all.gradient[k]
	e.gradient[k] = residual
	e.norm = math.Abs(residual)
	for j, c := range p.columns {
		pull := p.ridge[j] * e.theta[j]
		e.value += pull * e.theta[j] / 2
		e.gradient[j] = (all.gradient[j]-c.mean*residual)/c.spread + pull
		// Not math.Max: a NaN must stay one here.
		e.norm = max(e.norm, math.Abs(e.gradient[j]))
	}
	if hessian {
		p.standardise(e.hessian, all.hessian)
	}
}

// standardise turns the mean of h·x·xᵀ over the columns' values into that over the standardised
// columns, and adds the penalty.
func (p *problem) standardise(hessian *mat.SymDense, lower []float64) {
	k := len(p.columns)
	last := lower[k*(k+1)/2:]
	for j, c := range p.columns {
		row := lower[j*(j+1)/2:]
		for l, d := range p.columns[:j+1] {
			v := row[l] - c.mean*last[l] - d.mean*last[j] + c.mean*d.mean*last[k]
			hessian.SetSym(j, l, v/(c.spread*d.spread))
		}
		hessian.SetSym(j, j, hessian.At(j, j)+p.ridge[j])
		hessian.SetSym(j, k, (last[j]-c.mean*last[k])/c.spread)
	}
	hessian.SetSym(k, k, last[k])
}

// logistic sets, for each row, the residual σ(η)-y and the curvature σ(η)(1-σ(η)), and returns the
// sum of the log losses and a number that is 0 only if no row lies on the wrong side. With m = η or
// -η, the loss is log(1+exp(m)) = max(m,0) + log(1+exp(-|m|)), and the logarithms are taken of the
// product of a whole block.
func logistic(eta []float64, y []uint8, residual, curvature []float64) (loss, hinge float64) {
	y, residual, curvature = y[:len(eta)], residual[:len(eta)], curvature[:len(eta)]
	product := 1.0
	for i, v := range eta {
		flip := uint64(y[i]) << 63
		m := math.Float64frombits(math.Float64bits(v) ^ flip)
		e := expScale(expReduce(v))
		d := 1 / (1 + e)
		ed := e * d
		product *= 1 + e
		hinge += m + math.Abs(m)
		// σ(m) is d for positive and e·d for negative m, chosen without a branch, which half of
		// the rows would mispredict.
		negative := uint64(int64(math.Float64bits(m)) >> 63)
		right := math.Float64bits(d)&^negative | math.Float64bits(ed)&negative
		residual[i] = math.Float64frombits(right ^ flip)
		curvature[i] = ed * d
	}
	return math.Log(product) + hinge/2, hinge
}

// logisticWeighted is logistic with all sums weighted.
func logisticWeighted(eta []float64, y []uint8, w, residual, curvature []float64) (loss, hinge float64) {
	y, w = y[:len(eta)], w[:len(eta)]
	residual, curvature = residual[:len(eta)], curvature[:len(eta)]
	for i, v := range eta {
		flip := uint64(y[i]) << 63
		m := math.Float64frombits(math.Float64bits(v) ^ flip)
		e := expScale(expReduce(v))
		d := 1 / (1 + e)
		ed := e * d
		loss += w[i] * math.Log1p(e)
		hinge += w[i] * (m + math.Abs(m))
		negative := uint64(int64(math.Float64bits(m)) >> 63)
		right := math.Float64bits(d)&^negative | math.Float64bits(ed)&negative
		residual[i] = w[i] * math.Float64frombits(right^flip)
		curvature[i] = w[i] * (ed * d)
	}
	return loss + hinge/2, hinge
}
