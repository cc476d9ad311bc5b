package logreg

import "math"

// scored is a row of the ranking: the bits of its probability, which order as probabilities do, and
// its weight in either class.
type scored struct {
	bits   uint64
	weight [2]float64
}

// rocAUC is the area under the ROC curve: the probability that a row of class 1 is ranked above one
// of class 0, ties counting one half (Mann and Whitney, 1947). It is nil without both classes.
func rocAUC(p []float64, y []uint8, w []float64) *float64 {
	rows := make([]scored, len(p))
	for i, v := range p {
		rows[i].bits = math.Float64bits(math.Abs(v)) // without the sign of a negative zero
		rows[i].weight[y[i]] = weightOf(w, i)
	}
	rows = sortScored(rows)
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
	}
	if below == 0 || ones == 0 {
		return nil
	}
	area := min(1, pairs/(below*ones))
	return &area
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
