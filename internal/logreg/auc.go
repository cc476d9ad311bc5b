package logreg

import (
	"fmt"
	"math"
	"slices"
)

// scored is a row of the ranking: the bits of its probability, which order as probabilities do, and
// its weight in either class.
type scored struct {
	bits   uint64
	weight [2]float64
}

// ROCCurve is the receiver operating characteristic: for falling thresholds the share of class 0 (FPR)
// and of class 1 (TPR) that is above. Both run from 0 to 1; each point is an exact one of the curve.
type ROCCurve struct {
	FPR []float64 `json:"fpr"`
	TPR []float64 `json:"tpr"`
}

// rocPoints bounds the points of a curve: what a picture of some hundred pixels shows.
const rocPoints = 100

// roc is the area under the ROC curve, the probability that a row of class 1 is ranked above one of
// class 0, ties counting one half (Mann and Whitney, 1947), and the curve. Both are nil without both
// classes.
func roc(p []float64, y []uint8, w []float64) (*float64, *ROCCurve) {
	rows := make([]scored, len(p))
	var total [2]float64
	for i, v := range p {
		rows[i].bits = math.Float64bits(math.Abs(v)) // without the sign of a negative zero
		rows[i].weight[y[i]] = weightOf(w, i)
		total[y[i]] += weightOf(w, i)
	}
	if total[0] == 0 || total[1] == 0 {
		return nil, nil
	}
	rows = sortScored(rows)
	curve := newCurve()
	var below, ones, pairs float64
	for i := 0; i < len(rows); {
		var tied [2]float64
		for bits := rows[i].bits; i < len(rows) && rows[i].bits == bits; i++ {
			tied[0] += rows[i].weight[0]
			tied[1] += rows[i].weight[1]
		}
		pairs += tied[1] * (below + tied[0]/2)
		below += tied[0]
		ones += tied[1]
		curve.add(1-below/total[0], 1-ones/total[1])
	}
	area := min(1, pairs/(below*ones))
	return &area, curve.close()
}

// newCurve begins at the lowest threshold, where everything is above.
func newCurve() *ROCCurve { return &ROCCurve{FPR: []float64{1}, TPR: []float64{1}} }

// add keeps a point that lies far enough from the one kept last. Distances are summed along both axes:
// the whole curve is 2 long, whatever its shape.
func (c *ROCCurve) add(fpr, tpr float64) {
	last := len(c.FPR) - 1
	if c.FPR[last]+c.TPR[last]-fpr-tpr < 2.0/(rocPoints-2) {
		return
	}
	// Totals and partial sums of weights may round differently.
	c.FPR, c.TPR = append(c.FPR, max(0, fpr)), append(c.TPR, max(0, tpr))
}

// close ends at the highest threshold and turns the points into the usual order.
func (c *ROCCurve) close() *ROCCurve {
	if last := len(c.FPR) - 1; c.FPR[last] != 0 || c.TPR[last] != 0 {
		c.FPR, c.TPR = append(c.FPR, 0), append(c.TPR, 0)
	}
	slices.Reverse(c.FPR)
	slices.Reverse(c.TPR)
	return c
}

// validate says what is wrong with a curve, empty if nothing is.
func (c *ROCCurve) validate() string {
	if len(c.FPR) != len(c.TPR) || len(c.FPR) < 2 {
		return fmt.Sprintf("has %d values of fpr and %d of tpr", len(c.FPR), len(c.TPR))
	}
	for _, axis := range [][]float64{c.FPR, c.TPR} {
		for i, v := range axis {
			if !(v >= 0 && v <= 1) || i > 0 && v < axis[i-1] {
				return fmt.Sprintf("has %v at point %d, want 0 to 1, rising", v, i)
			}
		}
	}
	return ""
}

// sortScored sorts by bits: a radix sort, several times faster on a holdout than one by comparison.
func sortScored(rows []scored) []scored {
	const digitBits = 11
	other := make([]scored, len(rows))
	for shift := 0; shift < 62; shift += digitBits { // no probability has the two highest bits set
		var starts [1<<digitBits + 1]int
		for i := range rows {
			starts[rows[i].bits>>shift%(1<<digitBits)+1]++
		}
		for d := range 1 << digitBits {
			starts[d+1] += starts[d]
		}
		for i := range rows {
			digit := rows[i].bits >> shift % (1 << digitBits)
			other[starts[digit]] = rows[i]
			starts[digit]++
		}
		rows, other = other, rows
	}
	return rows
}
