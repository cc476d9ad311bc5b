package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Cell is one thing that happened: its class gives the colour, Sign is seen by those who see no colours.
type Cell struct {
	Class, Sign, Text string
}

// Strip draws what happened one after the other, the latest last.
type Strip struct {
	ID, Title, Summary string
	Cells              []Cell
	Empty              string
}

// HTML draws the strip.
func (s Strip) HTML() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="chart strip"%s><figcaption><span class="chart-title">%s</span></figcaption>`, withID(s.ID), escape(s.Title))
	if len(s.Cells) == 0 {
		fmt.Fprintf(&b, `<p class="empty">%s</p></figure>`, escape(s.Empty))
		return template.HTML(b.String())
	}
	fmt.Fprintf(&b, `<svg class="cells" height="30" role="img" aria-label="%s">`, escape(s.Title+". "+s.Summary))
	width := 1 / float64(len(s.Cells))
	for i, c := range s.Cells {
		left := float64(i) * width
		fmt.Fprintf(&b, `<g class="cell %s" data-tip="%s"><rect x="%s" width="%s" height="30" rx="3"/><text x="%s" y="20">%s</text></g>`,
			escape(c.Class), escape(c.Text), percent(left+width*0.06), percent(width*0.88), percent(left+width/2), escape(c.Sign))
	}
	b.WriteString(`</svg></figure>`)
	return template.HTML(b.String())
}
