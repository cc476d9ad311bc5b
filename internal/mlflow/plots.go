package mlflow

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"iacontinu/internal/logreg"
)

// Pictures are as large as pages show them on screens of today, 768 by 576 pixels.
const (
	plotWidth  = 4 * vg.Inch
	plotHeight = 3 * vg.Inch
	plotDPI    = 192
	margin     = vg.Length(6) // so that no number at an edge is cut
	// maxBars is how many coefficients are drawn, the largest.
	maxBars = 20
)

// The colours: the thing itself and what it is held against.
func ink() color.Color   { return color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff} }
func faint() color.Color { return color.Gray{Y: 0x99} }

// render is the PNG of a plot.
func render(p *plot.Plot) ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(plotDPI))
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	err := encoder.Encode(&b, canvas.Image())
	return b.Bytes(), err
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	return p
}

// unitPlot has both axes from 0 to 1 and the diagonal.
func unitPlot(title, x, y string) (*plot.Plot, error) {
	p := newPlot(title, x, y)
	diagonal, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
	if err != nil {
		return nil, err
	}
	diagonal.Color, diagonal.Dashes = faint(), []vg.Length{vg.Points(3), vg.Points(3)}
	p.Add(plotter.NewGrid(), diagonal)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	return p, nil
}

func rocPlot(curve *logreg.ROCCurve, area float64) (*plot.Plot, error) {
	p, err := unitPlot(fmt.Sprintf("ROC, area %.4f", area), "false positive rate", "true positive rate")
	if err != nil {
		return nil, err
	}
	points := make(plotter.XYs, len(curve.FPR))
	for i := range points {
		points[i] = plotter.XY{X: curve.FPR[i], Y: curve.TPR[i]}
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = ink(), vg.Points(1.5)
	p.Add(line)
	return p, nil
}

func calibrationPlot(bins []logreg.CalibrationBin) (*plot.Plot, error) {
	p, err := unitPlot("Calibration", "mean predicted probability", "share of class 1")
	if err != nil {
		return nil, err
	}
	counts := plotter.XYLabels{}
	for _, b := range bins {
		if b.Count > 0 {
			counts.XYs = append(counts.XYs, plotter.XY{X: b.MeanPredicted, Y: b.FractionPositive})
			counts.Labels = append(counts.Labels, strconv.Itoa(b.Count))
		}
	}
	if len(counts.XYs) == 0 {
		return p, nil
	}
	line, dots, err := plotter.NewLinePoints(counts.XYs)
	if err != nil {
		return nil, err
	}
	numbers, err := plotter.NewLabels(counts)
	if err != nil {
		return nil, err
	}
	line.Color, dots.Color = ink(), ink()
	for i, point := range counts.XYs {
		style := &numbers.TextStyle[i]
		style.Font.Variant, style.Font.Size, style.XAlign, style.YAlign = "Sans", vg.Points(8), -0.5, 0.6
		if point.Y > 0.9 { // there is no room above
			style.YAlign = -1.6
		}
	}
	p.Title.Text = "Calibration, with the rows of each bin"
	p.Add(line, dots, numbers)
	return p, nil
}

// table is a confusion matrix as a grid, the first row on top.
type table [2][2]int

func (t table) Dims() (c, r int)   { return 2, 2 }
func (t table) X(c int) float64    { return float64(c) }
func (t table) Y(r int) float64    { return float64(r) }
func (t table) Z(c, r int) float64 { return float64(t[1-r][c]) }

func confusionPlot(counts [2][2]int, classes [2]string) (*plot.Plot, error) {
	t := table(counts)
	p := newPlot("Confusion matrix", "predicted", "true")
	cells := plotter.NewHeatMap(t, blues())
	cells.Min = 0
	cells.Max = max(1, cells.Max)
	labels := plotter.XYLabels{}
	for c := range 2 {
		for r := range 2 {
			labels.XYs = append(labels.XYs, plotter.XY{X: t.X(c), Y: t.Y(r)})
			labels.Labels = append(labels.Labels, strconv.Itoa(t[1-r][c]))
		}
	}
	numbers, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	for i := range numbers.TextStyle {
		numbers.TextStyle[i].XAlign, numbers.TextStyle[i].YAlign = -0.5, -0.5
	}
	p.Add(cells, numbers)
	first, second := truncate(classes[0], 20), truncate(classes[1], 20)
	p.X.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: first}, {Value: 1, Label: second}}
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: second}, {Value: 1, Label: first}}
	return p, nil
}

// shades are colours that a dark number can be read on.
type shades []color.Color

// Colors implements palette.Palette.
func (s shades) Colors() []color.Color { return s }

func blues() palette.Palette {
	out := make(shades, 32)
	for i := range out {
		share := float64(i) / float64(len(out)-1)
		out[i] = color.RGBA{R: uint8(255 - 150*share), G: uint8(255 - 80*share), B: 255, A: 255}
	}
	return out
}

func coefficientPlot(features []string, coef []float64) (*plot.Plot, error) {
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
	values, names := make(plotter.Values, len(order)), make([]string, len(order))
	for i, j := range order {
		values[i], names[i] = coef[j], truncate(features[j], 20)
	}
	bars, err := plotter.NewBarChart(values, min(vg.Points(16), vg.Points(140)/vg.Length(len(order))))
	if err != nil {
		return nil, err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, ink(), 0
	p := newPlot(title, "change of the log odds a unit", "")
	p.Y.Tick.Label.Font.Size = vg.Points(8)
	p.Add(bars)
	p.NominalY(names...)
	return p, nil
}
