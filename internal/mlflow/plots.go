package mlflow

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"iacontinu/internal/logreg"
)

// maxBars is how many coefficients are drawn, the largest.
const maxBars = 20

// unitPlot has both axes from 0 to 1 and the diagonal.
func unitPlot(title, x, y string) (*drawing, error) {
	d, err := newDrawing(title, numbers(x, 0, 1), numbers(y, 0, 1))
	if err != nil {
		return nil, err
	}
	d.dashes(faint(), d.at(0, 0), d.at(1, 1))
	return d, nil
}

func rocPlot(curve *logreg.ROCCurve, area float64) (*drawing, error) {
	d, err := unitPlot(fmt.Sprintf("ROC, area %.4f", area), "false positive rate", "true positive rate")
	if err != nil {
		return nil, err
	}
	points := make([]vg.Point, len(curve.FPR))
	for i := range points {
		points[i] = d.at(curve.FPR[i], curve.TPR[i])
	}
	d.line(ink(), 1.5, points...)
	return d, nil
}

func calibrationPlot(bins []logreg.CalibrationBin) (*drawing, error) {
	d, err := unitPlot("Calibration, with the rows of each bin", "mean predicted probability", "share of class 1")
	if err != nil {
		return nil, err
	}
	var points []vg.Point
	for _, b := range bins {
		if b.Count == 0 {
			continue
		}
		point := d.at(b.MeanPredicted, b.FractionPositive)
		points = append(points, point)
		d.dot(ink(), point)
		above, align := vg.Length(4), draw.YBottom
		if b.FractionPositive > 0.9 { // there is no room above
			above, align = -4, draw.YTop
		}
		d.write(strconv.Itoa(b.Count), small, point.Add(vg.Point{Y: above}), draw.XCenter, align)
	}
	d.line(ink(), 1, points...)
	return d, nil
}

// confusionPlot is a table, the first class on top.
func confusionPlot(counts [2][2]int, classes [2]string) (*drawing, error) {
	first, second := truncate(classes[0], 20), truncate(classes[1], 20)
	d, err := newDrawing("Confusion matrix", names("predicted", medium, first, second), names("true", medium, second, first))
	if err != nil {
		return nil, err
	}
	most := max(1, counts[0][0], counts[0][1], counts[1][0], counts[1][1])
	for r, row := range counts {
		for c, n := range row {
			x, y := float64(c), float64(1-r)
			d.box(blue(float64(n)/float64(most)), d.at(x-0.5, y-0.5), d.at(x+0.5, y+0.5))
			d.write(strconv.Itoa(n), medium, d.at(x, y), draw.XCenter, middle)
		}
	}
	return d, nil
}

// blue is a shade that a dark number can be read on.
func blue(share float64) color.Color {
	return color.RGBA{R: uint8(255 - 150*share), G: uint8(255 - 80*share), B: 255, A: 255}
}

func coefficientPlot(features []string, coef []float64) (*drawing, error) {
	order := make([]int, len(coef))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(math.Abs(coef[b]), math.Abs(coef[a])) })
	order = order[:min(len(order), maxBars)]
	slices.Reverse(order) // the largest on top
	title := "Coefficients"
	if len(order) < len(coef) {
		title = fmt.Sprintf("The %d largest of %d coefficients", len(order), len(coef))
	}
	list, low, high := make([]string, len(order)), 0.0, 0.0
	for i, j := range order {
		list[i], low, high = truncate(features[j], 20), min(low, coef[j]), max(high, coef[j])
	}
	if low == high {
		high = 1
	}
	d, err := newDrawing(title, numbers("change of the log odds a unit", low, high), names("", small, list...))
	if err != nil {
		return nil, err
	}
	const half = 0.45 // of a bar's room, and the rest is between them
	for i, j := range order {
		d.box(ink(), d.at(0, float64(i)-half), d.at(coef[j], float64(i)+half))
	}
	return d, nil
}
