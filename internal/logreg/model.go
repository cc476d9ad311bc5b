package logreg

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// Model is a fitted plane: the probability of class 1 is σ(Intercept + x·Coef), x being raw values.
type Model struct {
	Coef      []float64 `json:"coef"`
	Intercept float64   `json:"intercept"`
}

// Score is the log odds of class 1. The row has one value for each coefficient.
func (m *Model) Score(row []float64) float64 {
	row = row[:len(m.Coef)]
	score := m.Intercept
	for j, c := range m.Coef {
		score += c * row[j]
	}
	return score
}

// Predict returns the more probable class of a row and its probability. Values so large that the
// score is undefined (infinity less infinity) get class 0 and 0.5.
func (m *Model) Predict(row []float64) (label int, confidence float64) {
	score := m.Score(row)
	switch p := sigmoid(score); {
	case p > 0.5:
		return 1, p
	case math.IsNaN(p):
		return 0, 0.5
	default:
		return 0, sigmoid(-score)
	}
}

// Probabilities sets dst[i] to the probability of class 1 for row i of the columns x.
func (m *Model) Probabilities(x [][]float64, dst []float64) {
	x = x[:len(m.Coef)]
	for low := 0; low < len(dst); low += block {
		scores := dst[low:min(low+block, len(dst))]
		for i := range scores {
			scores[i] = m.Intercept
		}
		for j, c := range m.Coef {
			floats.AddScaled(scores, c, x[j][low:low+len(scores)])
		}
		for i, v := range scores {
			e := expScale(expReduce(v))
			p := 1 / (1 + e)
			if v < 0 {
				p *= e
			}
			scores[i] = p
		}
	}
}
