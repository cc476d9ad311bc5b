package chart

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"
)

// Point is a value at a place, which is a Unix time in seconds on a chart over time.
type Point struct{ X, Y float64 }

// Series is one line. Its colour follows its place among the series, by the class series-1 and on; Class is
// set beside it.
type Series struct {
	Name   string
	Class  string
	Points []Point // in the order of X, but for dots
	Dots   bool    // no line joins the points, each of which answers to a pointer
}

// Limit is a level that means something.
type Limit struct {
	Name  string
	Value float64
}

// Mark is something that happened at a place: a line from top to bottom with a sign of its class.
type Mark struct {
	X     float64
	Class string
	Text  string
}

// Line draws series. What is not set has a default, but for Title and Summary.
type Line struct {
	ID      string // of the element, so that it can be updated; needed on pages with several
	Title   string
	Summary string // the chart in a sentence, for those who do not see it
	Height  int    // of the plot in pixels, 200

	Series []Series
	Limits []Limit
	Marks  []Mark
	// Low and High are values that the vertical axis must reach.
	Low, High *float64
	// From and To are places that the horizontal axis must reach.
	From, To *float64

	Time   bool                 // X is a time: a range of it can be chosen
	Zone   *time.Location       // whose round times the axis names; UTC
	X, Y   func(float64) string // values as they are written
	TickX  func(float64) string // at the axis; X
	TickY  func(float64) string // at the axis; Y
	Labels Labels
}

// Labels are the words around a chart, in the language of its reader.
type Labels struct {
	X       string // head of the first column
	Figures string // opens the table
	Empty   string // instead of a chart without points
}

const (
	plotHeight = 200
	mostTips   = 240 // places that answer to a pointer, and rows of the table
)

// HTML draws the chart.
func (l Line) HTML() template.HTML {
	l = l.withDefaults()
	x, y := l.scales()
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="chart"%s>`, withID(l.ID))
	l.caption(&b)
	if x.empty() || y.empty() {
		fmt.Fprintf(&b, `<p class="empty">%s</p></figure>`, escape(l.Labels.Empty))
		return template.HTML(b.String())
	}
	l.axisY(&b, y)
	fmt.Fprintf(&b, `<svg class="plot" height="%d" role="img" aria-label="%s"%s>`, l.Height+24, escape(l.Title+". "+l.Summary), l.dragRange(x))
	for _, v := range l.ticksY(y) {
		at := l.down(y, v)
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="100%%" y1="%s" y2="%[1]s"/>`, px(at))
	}
	l.axisX(&b, x)
	for _, limit := range l.Limits {
		fmt.Fprintf(&b, `<line class="limit" x1="0" x2="100%%" y1="%s" y2="%[1]s"/>`, px(l.down(y, limit.Value)))
	}
	for _, m := range l.Marks {
		if at := x.at(m.X); at >= 0 && at <= 1 {
			fmt.Fprintf(&b, `<g class="mark %s" data-tip="%s"><line x1="%s" x2="%[3]s" y1="8" y2="%[4]d"/><circle cx="%[3]s" cy="6" r="5"/></g>`,
				escape(m.Class), escape(l.X(m.X)+"\n"+m.Text), percent(at), l.Height)
		}
	}
	l.lines(&b, x, y)
	l.tips(&b, x)
	l.dots(&b, x, y)
	b.WriteString(`</svg>`)
	l.table(&b)
	b.WriteString(`</figure>`)
	return template.HTML(b.String())
}

func (l Line) withDefaults() Line {
	l.Height = cmp.Or(l.Height, plotHeight)
	plain := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	l.Zone = cmp.Or(l.Zone, time.UTC)
	if l.X == nil {
		l.X = plain
	}
	if l.Y == nil {
		l.Y = plain
	}
	if l.TickX == nil {
		l.TickX = l.X
	}
	if l.TickY == nil {
		l.TickY = l.Y
	}
	return l
}

func (l Line) scales() (x, y scale) {
	x, y = nothing(), nothing()
	for _, s := range l.Series {
		for _, p := range s.Points {
			x, y = x.with(p.X), y.with(p.Y)
		}
	}
	if y.empty() {
		return x, y
	}
	for _, limit := range l.Limits {
		y = y.with(limit.Value)
	}
	for _, v := range []*float64{l.Low, l.High} {
		if v != nil {
			y = y.with(*v)
		}
	}
	for _, v := range []*float64{l.From, l.To} {
		if v != nil {
			x = x.with(*v)
		}
	}
	if y.high == y.low { // a flat line lies in the middle
		pad := math.Max(math.Abs(y.low)*0.01, 1e-3)
		y = scale{y.low - pad, y.high + pad}
	}
	return x, y.rounded(ticksY)
}

// down is where a value lies below the top, in pixels. The top leaves room for the signs of marks.
func (l Line) down(y scale, v float64) float64 {
	const room = 14
	return room + (1-y.at(v))*float64(l.Height-room)
}

const ticksY = 4

func (l Line) ticksY(y scale) []float64 { return Ticks(y.low, y.high, ticksY) }

func (l Line) caption(b *strings.Builder) {
	fmt.Fprintf(b, `<figcaption><span class="chart-title">%s</span>`, escape(l.Title))
	if len(l.Series) > 1 || len(l.Limits) > 0 {
		b.WriteString(`<span class="legend">`)
		for i, s := range l.Series {
			fmt.Fprintf(b, `<span class="key series-%d %s">%s</span>`, i+1, escape(s.Class), escape(s.Name))
		}
		for _, limit := range l.Limits {
			fmt.Fprintf(b, `<span class="key limit">%s</span>`, escape(limit.Name))
		}
		b.WriteString(`</span>`)
	}
	b.WriteString(`</figcaption>`)
}

func (l Line) axisY(b *strings.Builder, y scale) {
	fmt.Fprintf(b, `<svg class="axis" height="%d" aria-hidden="true">`, l.Height+24)
	for _, v := range l.ticksY(y) {
		fmt.Fprintf(b, `<text x="100%%" y="%s" dx="-6" dy="4">%s</text>`, px(l.down(y, v)), escape(l.TickY(v)))
	}
	b.WriteString(`</svg>`)
}

func (l Line) axisX(b *strings.Builder, x scale) {
	ticks := Ticks(x.low, x.high, 5)
	if l.Time {
		ticks = TimeTicks(x.low, x.high, 5, l.Zone)
	}
	if x.high == x.low {
		ticks = []float64{x.low}
	}
	for i, v := range ticks {
		class := "at"
		switch at := x.at(v); {
		case at < 0.06:
			class = "at first"
		case at > 0.94:
			class = "at last"
		}
		if i%2 == 1 && len(ticks) > 3 {
			class += " odd" // left out where there is no room
		}
		fmt.Fprintf(b, `<text class="%s" x="%s" y="%d">%s</text>`, class, percent(x.at(v)), l.Height+19, escape(l.TickX(v)))
	}
}

func (l Line) lines(b *strings.Builder, x, y scale) {
	const wide = 1000
	fmt.Fprintf(b, `<svg x="0" y="0" width="100%%" height="%d" viewBox="0 0 %d %[1]d" preserveAspectRatio="none">`, l.Height, wide)
	for i, s := range l.Series {
		if s.Dots {
			continue
		}
		fmt.Fprintf(b, `<polyline class="line series-%d %s" points="`, i+1, escape(s.Class))
		for _, p := range s.Points {
			fmt.Fprintf(b, "%.1f,%s ", x.at(p.X)*wide, px(l.down(y, p.Y)))
		}
		b.WriteString(`"/>`)
	}
	b.WriteString(`</svg>`)
	const mostDots = 60 // more than these are a line by themselves
	for i, s := range l.Series {
		if s.Dots || len(s.Points) > mostDots {
			continue
		}
		for _, p := range s.Points {
			fmt.Fprintf(b, `<circle class="dot series-%d %s" cx="%s" cy="%s" r="3"/>`, i+1, escape(s.Class), percent(x.at(p.X)), px(l.down(y, p.Y)))
		}
	}
}

// dots are the points that no line joins.
func (l Line) dots(b *strings.Builder, x, y scale) {
	for i, s := range l.Series {
		if !s.Dots {
			continue
		}
		for _, p := range s.Points {
			fmt.Fprintf(b, `<circle class="dot series-%d %s" cx="%s" cy="%s" r="5" data-tip="%s"/>`, i+1, escape(s.Class), percent(x.at(p.X)), px(l.down(y, p.Y)),
				escape(s.Name+"\n"+l.X(p.X)+" / "+l.Y(p.Y)))
		}
	}
}

// places are all X that have a point, thinned out if they are many.
func (l Line) places() []float64 {
	var xs []float64
	for _, s := range l.Series {
		if s.Dots {
			continue
		}
		for _, p := range s.Points {
			xs = append(xs, p.X)
		}
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	for len(xs) > mostTips {
		half := xs[:0]
		for i := 0; i < len(xs); i += 2 {
			half = append(half, xs[i])
		}
		xs = half
	}
	return xs
}

// value is what a series has at a place.
func (s Series) value(x float64) (y float64, ok bool) {
	i, ok := slices.BinarySearchFunc(s.Points, x, func(p Point, x float64) int { return cmp.Compare(p.X, x) })
	if !ok {
		return 0, false
	}
	return s.Points[i].Y, true
}

// tips are bands around each place, which answer to a pointer.
func (l Line) tips(b *strings.Builder, x scale) {
	xs := l.places()
	for i, v := range xs {
		left, right := 0.0, 1.0
		if i > 0 {
			left = (x.at(xs[i-1]) + x.at(v)) / 2
		}
		if i < len(xs)-1 {
			right = (x.at(xs[i+1]) + x.at(v)) / 2
		}
		text := l.X(v)
		for _, s := range l.Series {
			if value, ok := s.value(v); ok {
				text += "\n" + s.Name + ": " + l.Y(value)
			}
		}
		fmt.Fprintf(b, `<rect class="tip" x="%s" width="%s" y="14" height="%d" data-tip="%s" data-at="%.4f"/>`,
			percent(left), percent(right-left), l.Height-14, escape(text), x.at(v))
	}
}

func (l Line) dragRange(x scale) string {
	if !l.Time || x.high <= x.low {
		return ""
	}
	return fmt.Sprintf(` data-from="%.0f" data-to="%.0f"`, math.Floor(x.low), math.Ceil(x.high))
}

func (l Line) table(b *strings.Builder) {
	head := []string{l.Labels.X}
	lines := slices.DeleteFunc(slices.Clone(l.Series), func(s Series) bool { return s.Dots })
	for _, s := range lines {
		head = append(head, s.Name)
	}
	var rows [][]string
	for _, v := range l.places() {
		row := []string{l.X(v)}
		for _, s := range lines {
			cell := ""
			if value, ok := s.value(v); ok {
				cell = l.Y(value)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 { // dots alone
		return
	}
	writeTable(b, l.Title, l.Labels.Figures, head, rows)
}
