package mlflow

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"strconv"

	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"iacontinu/internal/chart"
)

// Pictures are as large as pages show them on screens of today, 768 by 576 pixels.
const (
	plotWidth  = 4 * vg.Inch
	plotHeight = 3 * vg.Inch
	plotDPI    = 192
	margin     = vg.Length(6)
	large      = vg.Length(12) // of titles
	medium     = vg.Length(10)
	small      = vg.Length(8)
	// middle lies on the middle of digits and small letters, which is above that of their line.
	middle = text.YAlignment(-0.35)
	// mostTicks is how many numbers an axis has at most where they are round.
	mostTicks = 5
)

// The colours: the thing itself and what it is held against.
func ink() color.Color   { return color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff} }
func faint() color.Color { return color.Gray{Y: 0x99} }
func grid() color.Color  { return color.Gray{Y: 0xdd} }

// drawing is a picture in the making: a plane with a title and two axes, on the canvas of gonum/plot. Its plots, which
// do more, are not used: they link twelve fonts, 4.4 MB in each program.
type drawing struct {
	canvas *vgimg.Canvas
	plane  draw.Canvas // what is between the axes
	letter text.Handler
	x, y   axis
}

// axis is what lies between two values, with a name for some of them.
type axis struct {
	label     string
	low, high float64
	ticks     []tick
	size      vg.Length // of the names
	grid      bool
}

type tick struct {
	at   float64
	name string
}

// numbers is an axis with round numbers.
func numbers(label string, low, high float64) axis {
	a := axis{label: label, low: low, high: high, size: medium, grid: true}
	for _, at := range chart.Ticks(low, high, mostTicks) {
		a.ticks = append(a.ticks, tick{at, strconv.FormatFloat(at, 'g', 4, 64)})
	}
	return a
}

// names is an axis with a name for each of 0, 1 and so on.
func names(label string, size vg.Length, list ...string) axis {
	a := axis{label: label, low: -0.5, high: float64(len(list)) - 0.5, size: size}
	for i, name := range list {
		a.ticks = append(a.ticks, tick{float64(i), name})
	}
	return a
}

func (a axis) share(v float64) float64 { return (v - a.low) / (a.high - a.low) }

func newDrawing(title string, x, y axis) (*drawing, error) {
	for _, a := range []axis{x, y} {
		if width := a.high - a.low; !(width > 0) || math.IsInf(width, 0) {
			return nil, fmt.Errorf("%q cannot reach from %v to %v", a.label, a.low, a.high)
		}
	}
	face, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	d := &drawing{
		canvas: vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(plotDPI)),
		letter: text.Plain{Fonts: font.NewCache(font.Collection{{Font: font.Font{Typeface: "Go"}, Face: face}})},
		x:      x, y: y,
	}
	left := 2 * margin
	for _, t := range y.ticks {
		left = max(left, 2*margin+d.style(y.size).Width(t.name))
	}
	if y.label != "" {
		left += large + margin
	}
	d.plane = draw.Crop(draw.New(d.canvas), left, -3*margin, 2*margin+x.size+large, -2*margin-large)
	d.drawAxes()
	d.write(title, large, vg.Point{X: d.plane.Center().X, Y: plotHeight - margin}, draw.XCenter, draw.YTop)
	return d, nil
}

// drawAxes draws what surrounds the plane.
func (d *drawing) drawAxes() {
	bottom, left := d.plane.Min.Y, d.plane.Min.X
	for _, t := range d.x.ticks {
		x := d.plane.X(d.x.share(t.at))
		if d.x.grid {
			d.line(grid(), 0.5, vg.Point{X: x, Y: bottom}, vg.Point{X: x, Y: d.plane.Max.Y})
		}
		d.write(t.name, d.x.size, vg.Point{X: x, Y: bottom - margin/2}, draw.XCenter, draw.YTop)
	}
	for _, t := range d.y.ticks {
		y := d.plane.Y(d.y.share(t.at))
		if d.y.grid {
			d.line(grid(), 0.5, vg.Point{X: left, Y: y}, vg.Point{X: d.plane.Max.X, Y: y})
		}
		d.write(t.name, d.y.size, vg.Point{X: left - margin/2, Y: y}, draw.XRight, middle)
	}
	d.line(color.Black, 0.5, vg.Point{X: left, Y: d.plane.Max.Y}, vg.Point{X: left, Y: bottom}, vg.Point{X: d.plane.Max.X, Y: bottom})
	d.write(d.x.label, large, vg.Point{X: d.plane.Center().X, Y: margin / 2}, draw.XCenter, draw.YBottom)
	upright := d.style(large)
	upright.Rotation, upright.XAlign, upright.YAlign = math.Pi/2, draw.XCenter, draw.YTop
	d.plane.FillText(upright, vg.Point{X: margin, Y: d.plane.Center().Y}, d.y.label)
}

func (d *drawing) style(size vg.Length) text.Style {
	return text.Style{Color: color.Black, Font: font.Font{Typeface: "Go", Size: size}, Handler: d.letter}
}

// write puts words to a point, of which they lie as the alignment says.
func (d *drawing) write(words string, size vg.Length, to vg.Point, x text.XAlignment, y text.YAlignment) {
	style := d.style(size)
	style.XAlign, style.YAlign = x, y
	d.plane.FillText(style, to, words)
}

// at is where a pair of values lies.
func (d *drawing) at(x, y float64) vg.Point {
	return vg.Point{X: d.plane.X(d.x.share(x)), Y: d.plane.Y(d.y.share(y))}
}

// line joins points.
func (d *drawing) line(c color.Color, width vg.Length, points ...vg.Point) {
	d.plane.StrokeLines(draw.LineStyle{Color: c, Width: width}, points)
}

// dashes joins points faintly.
func (d *drawing) dashes(c color.Color, points ...vg.Point) {
	d.plane.StrokeLines(draw.LineStyle{Color: c, Width: 1, Dashes: []vg.Length{3, 3}}, points)
}

func (d *drawing) dot(c color.Color, to vg.Point) {
	d.plane.DrawGlyph(draw.GlyphStyle{Color: c, Radius: 2.5, Shape: draw.CircleGlyph{}}, to)
}

// box fills what lies between two corners.
func (d *drawing) box(c color.Color, from, to vg.Point) {
	d.plane.FillPolygon(c, []vg.Point{from, {X: to.X, Y: from.Y}, to, {X: from.X, Y: to.Y}})
}

// render is a drawing as PNG.
func render(draw func() (*drawing, error)) ([]byte, error) {
	d, err := draw()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	err = encoder.Encode(&b, d.canvas.Image())
	return b.Bytes(), err
}
