package chart

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
)

func escape(s string) string { return template.HTMLEscapeString(s) }

// withID is the attribute that names an element, if it has a name.
func withID(id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf(` id="%s"`, escape(id))
}

func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 2, 64) + "%" }

func px(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// writeTable gives the figures of a chart to those who want them as such. It lies in a box that a keyboard
// can scroll.
func writeTable(b *strings.Builder, title, opens string, head []string, rows [][]string) {
	fmt.Fprintf(b, `<details class="figures"><summary>%s</summary><div class="scroll" tabindex="0" role="group" aria-label="%s"><table><thead><tr>`, escape(opens), escape(title))
	for _, h := range head {
		fmt.Fprintf(b, `<th scope="col">%s</th>`, escape(h))
	}
	b.WriteString(`</tr></thead><tbody>`)
	for _, row := range rows {
		b.WriteString(`<tr>`)
		for i, cell := range row {
			if i == 0 {
				fmt.Fprintf(b, `<th scope="row">%s</th>`, escape(cell))
				continue
			}
			fmt.Fprintf(b, `<td>%s</td>`, escape(cell))
		}
		b.WriteString(`</tr>`)
	}
	b.WriteString(`</tbody></table></div></details>`)
}
