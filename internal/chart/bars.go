package chart

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Bar is a number with its name.
type Bar struct {
	Name  string
	Value float64
	Text  string // the value as it is written
}

// Bars draws a bar for each number, from zero to the right, or to both sides if some are negative.
type Bars struct {
	ID, Title, Summary string
	Bars               []Bar
	// Most is the value that fills the width; the greatest one.
	Most float64
}

// HTML draws the bars as a list, whose words need no table.
func (c Bars) HTML() template.HTML {
	most, negative := c.Most, false
	for _, b := range c.Bars {
		most = math.Max(most, math.Abs(b.Value))
		negative = negative || b.Value < 0
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="chart bars"%s><figcaption><span class="chart-title">%s</span><span class="hidden">%s</span></figcaption><ul>`,
		withID(c.ID), escape(c.Title), escape(c.Summary))
	for _, bar := range c.Bars {
		left, width, class := place(bar.Value, most, negative)
		fmt.Fprintf(&b, `<li><span class="name">%s</span><svg height="14" aria-hidden="true"><rect class="track" width="100%%" height="14" rx="4"/><rect class="bar %s" x="%s" width="%s" height="14" rx="4"/></svg><span class="value">%s</span></li>`,
			escape(bar.Name), class, percent(left), percent(width), escape(bar.Text))
	}
	b.WriteString(`</ul></figure>`)
	return template.HTML(b.String())
}

// place is where a bar begins and how long it is, as shares of the width.
func place(value, most float64, negative bool) (left, width float64, class string) {
	if most > 0 {
		width = math.Abs(value) / most
	}
	if !negative {
		return 0, width, "up"
	}
	if value < 0 {
		return 0.5 - width/2, width / 2, "down"
	}
	return 0.5, width / 2, "up"
}
