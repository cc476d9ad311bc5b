package chart

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
)

// Counted is how many values of one kind lie in each bin.
type Counted struct {
	Name   string
	Counts []int
}

// Histogram draws several kinds of values over each other. Bins are between Edges, of which there is one more.
type Histogram struct {
	ID, Title, Summary string
	Height             int // of the plot in pixels, 110
	Edges              []float64
	Series             []Counted
	// Shares holds each kind against all of its own, for kinds that are not equally many.
	Shares bool
	X, Y   func(float64) string // values as they are written
	Labels Labels
}

const histogramHeight = 110

// HTML draws the histogram.
func (h Histogram) HTML() template.HTML {
	h.Height = cmp.Or(h.Height, histogramHeight)
	x := nothing()
	for _, e := range h.Edges {
		x = x.with(e)
	}
	values, most := h.values()
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="chart histogram"%s>`, withID(h.ID))
	Line{Title: h.Title, Series: h.named()}.caption(&b)
	if x.high <= x.low || most == 0 {
		fmt.Fprintf(&b, `<p class="empty">%s</p></figure>`, escape(h.Labels.Empty))
		return template.HTML(b.String())
	}
	fmt.Fprintf(&b, `<svg class="plot" height="%d" role="img" aria-label="%s">`, h.Height+24, escape(h.Title+". "+h.Summary))
	h.areas(&b, x, values, most)
	h.axis(&b, x)
	rows := make([][]string, len(h.Edges)-1)
	for i := range rows {
		low, high := h.Edges[i], h.Edges[i+1]
		rows[i] = []string{h.X(low) + " – " + h.X(high)}
		tip := rows[i][0]
		for s, kind := range h.Series {
			text := h.Y(values[s][i])
			rows[i] = append(rows[i], text)
			tip += "\n" + kind.Name + ": " + text
		}
		fmt.Fprintf(&b, `<rect class="tip" x="%s" width="%s" y="0" height="%d" data-tip="%s"/>`, percent(x.at(low)), percent(x.at(high)-x.at(low)), h.Height, escape(tip))
	}
	b.WriteString(`</svg>`)
	head := []string{h.Labels.X}
	for _, kind := range h.Series {
		head = append(head, kind.Name)
	}
	writeTable(&b, h.Title, h.Labels.Figures, head, rows)
	b.WriteString(`</figure>`)
	return template.HTML(b.String())
}

// named is the series of the legend.
func (h Histogram) named() []Series {
	var out []Series
	for _, kind := range h.Series {
		out = append(out, Series{Name: kind.Name})
	}
	return out
}

// values are what each bin is drawn as, and the greatest of them. A bin that is not counted has none.
func (h Histogram) values() (values [][]float64, most float64) {
	for _, kind := range h.Series {
		total := 1.0
		if h.Shares {
			total = 0
			for _, n := range kind.Counts {
				total += float64(n)
			}
		}
		row := make([]float64, max(len(h.Edges)-1, 0))
		for i, n := range kind.Counts[:min(len(kind.Counts), len(row))] {
			if n > 0 {
				row[i] = float64(n) / total
				most = max(most, row[i])
			}
		}
		values = append(values, row)
	}
	return values, most
}

// areas draws each kind as the outline of its bars.
func (h Histogram) areas(b *strings.Builder, x scale, values [][]float64, most float64) {
	const wide = 1000
	fmt.Fprintf(b, `<svg x="0" y="0" width="100%%" height="%d" viewBox="0 0 %d %[1]d" preserveAspectRatio="none">`, h.Height, wide)
	for s, row := range values {
		fmt.Fprintf(b, `<path class="area series-%d" d="M0,%d`, s+1, h.Height)
		for i, v := range row {
			fmt.Fprintf(b, "V%sH%.0f", px((1-v/most)*float64(h.Height-2)+2), x.at(h.Edges[i+1])*wide)
		}
		fmt.Fprintf(b, `V%dZ"/>`, h.Height)
	}
	fmt.Fprintf(b, `</svg><line class="grid" x1="0" x2="100%%" y1="%d" y2="%[1]d"/>`, h.Height)
}

// axis names both ends and some values between.
func (h Histogram) axis(b *strings.Builder, x scale) {
	Line{Height: h.Height, TickX: h.X}.axisX(b, x)
}
