package logreg

import (
	"fmt"
	"math"
)

// Metrics judge probabilities against labels, as scikit-learn's functions of the same names do. All
// but the counts are weighted where weights are given. The label predicted is 1 for p > 0.5.
type Metrics struct {
	// N is the number of rows.
	N        int     `json:"n"`
	Accuracy float64 `json:"accuracy"`
	// AccuracyLow and AccuracyHigh are the 95% Wilson interval of the accuracy. With weights, the
	// number of rows is the effective one, (Σw)²/Σw² (Kish, "Survey Sampling", 1965).
	AccuracyLow  float64 `json:"accuracy_low"`
	AccuracyHigh float64 `json:"accuracy_high"`
	// Precision is 0 if no row is predicted to be of class 1; Recall is 0 if none is; F1 is 0 if
	// neither is.
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	// LogLoss takes probabilities at least 2.2e-16 from 0 and 1.
	LogLoss float64 `json:"log_loss"`
	Brier   float64 `json:"brier"`
	// ROCAUC is nil if all rows are of one class.
	ROCAUC *float64 `json:"roc_auc"`
	// ROC is the curve above that area, nil if all rows are of one class and in artifacts of before
	// there were curves.
	ROC *ROCCurve `json:"roc_curve,omitempty"`
	// Confusion counts rows by [true][predicted].
	Confusion [2][2]int `json:"confusion"`
	// Calibration has ten bins of equal width.
	Calibration []CalibrationBin `json:"calibration"`
}

// CalibrationBin sets the probabilities in (Low, High], the first bin with 0, against what came true.
type CalibrationBin struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// MeanPredicted is the mean probability, FractionPositive the share of class 1; both are 0 in
	// a bin without weight.
	MeanPredicted    float64 `json:"mean_predicted"`
	FractionPositive float64 `json:"fraction_positive"`
	Count            int     `json:"count"`
}

const (
	calibrationBins = 10
	// z95 is the 0.975 quantile of the standard normal distribution.
	z95 = 1.959963984540054
	// probabilityFloor is the spacing of numbers at 1, scikit-learn's clip.
	probabilityFloor = 0x1p-52
)

// Evaluate judges the probabilities p of class 1 against the labels y with the weights w (nil: all
// 1). The error wraps ErrShape, ErrProbability, ErrLabel or ErrWeight.
func Evaluate(p []float64, y []uint8, w []float64) (Metrics, error) {
	m, err := evaluate(p, y, w)
	if err != nil {
		return Metrics{}, fmt.Errorf("logreg: evaluate: %w", err)
	}
	return m, nil
}

func evaluate(p []float64, y []uint8, w []float64) (Metrics, error) {
	if len(y) == 0 || len(p) != len(y) {
		return Metrics{}, fmt.Errorf("%d probabilities for %d labels: %w", len(p), len(y), ErrShape)
	}
	if err := checkLabels(y, w); err != nil {
		return Metrics{}, err
	}
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return Metrics{}, fmt.Errorf("row %d has %v: %w", i, v, ErrProbability)
		}
	}
	t := tally(p, y, w)
	if !(t.weight >= 1/weightRange && t.weight <= weightRange) {
		return Metrics{}, fmt.Errorf("the sum of the weights is %v: %w", t.weight, ErrWeight)
	}
	m := t.metrics()
	m.ROCAUC, m.ROC = roc(p, y, w)
	m.Calibration = calibration(p, y, w)
	return m, nil
}

// totals are sums over rows.
type totals struct {
	counts         [2][2]int
	weights        [2][2]float64
	weight, losses float64
	squares, brier float64
}

func tally(p []float64, y []uint8, w []float64) totals {
	var t totals
	for i, v := range p {
		weight := weightOf(w, i)
		predicted := 0
		if v > 0.5 {
			predicted = 1
		}
		t.counts[y[i]][predicted]++
		t.weights[y[i]][predicted] += weight
		t.weight += weight
		t.squares += weight * weight
		miss := v
		if y[i] == 1 {
			miss = 1 - v
		}
		t.brier += weight * miss * miss
		right := v
		if y[i] == 0 {
			right = 1 - v
		}
		t.losses -= weight * math.Log(min(max(right, probabilityFloor), 1-probabilityFloor))
	}
	return t
}

func (t totals) metrics() Metrics {
	c := t.weights
	m := Metrics{
		N:         t.counts[0][0] + t.counts[0][1] + t.counts[1][0] + t.counts[1][1],
		Accuracy:  min(1, (c[0][0]+c[1][1])/t.weight),
		Precision: ratio(c[1][1], c[1][1]+c[0][1]),
		Recall:    ratio(c[1][1], c[1][1]+c[1][0]),
		F1:        ratio(2*c[1][1], 2*c[1][1]+c[0][1]+c[1][0]),
		LogLoss:   t.losses / t.weight,
		Brier:     t.brier / t.weight,
		Confusion: t.counts,
	}
	m.AccuracyLow, m.AccuracyHigh = wilson(m.Accuracy, t.weight*t.weight/t.squares, z95)
	return m
}

// ratio is a/b, and 0 for nothing of nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func weightOf(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}

// Wilson returns the interval of a proportion of successes among n trials at z standard deviations
// (Wilson, "Probable inference, the law of succession, and statistical inference", 1927). For no
// trials it is 0 to 1.
func Wilson(successes, n int, z float64) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	return wilson(float64(successes)/float64(n), float64(n), z)
}

func wilson(share, n, z float64) (low, high float64) {
	z2 := z * z / n
	centre := (share + z2/2) / (1 + z2)
	half := z / (1 + z2) * math.Sqrt(share*(1-share)/n+z2/(4*n))
	// At a share of 0 or 1 the interval ends there, but for rounding.
	return max(0, min(share, centre-half)), min(1, max(share, centre+half))
}

// calibration sorts the rows into bins by probability.
func calibration(p []float64, y []uint8, w []float64) []CalibrationBin {
	bins := make([]CalibrationBin, calibrationBins)
	var weights [calibrationBins]float64
	for b := range bins {
		bins[b].Low, bins[b].High = binEdge(b), binEdge(b+1)
	}
	for i, v := range p {
		b := max(0, int(math.Ceil(v*calibrationBins))-1)
		// The product may round across an edge.
		if v <= bins[b].Low && b > 0 {
			b--
		} else if v > bins[b].High {
			b++
		}
		weight := weightOf(w, i)
		bins[b].Count++
		bins[b].MeanPredicted += weight * v
		bins[b].FractionPositive += weight * float64(y[i])
		weights[b] += weight
	}
	for b := range bins {
		bins[b].MeanPredicted = ratio(bins[b].MeanPredicted, weights[b])
		bins[b].FractionPositive = ratio(bins[b].FractionPositive, weights[b])
	}
	return bins
}

// binEdge is the lower edge of bin b; the last one is 1.
func binEdge(b int) float64 { return float64(b) / calibrationBins }
