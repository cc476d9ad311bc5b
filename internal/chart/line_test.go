package chart

import (
	"strconv"
	"strings"
	"testing"
)

// attributes are those of the elements of a chart that have the class, in their order.
func attributes(t *testing.T, html, class string) (out []map[string]string) {
	t.Helper()
	for _, e := range elements(t, html) {
		of := map[string]string{}
		for _, a := range e.Attr {
			of[a.Name.Local] = a.Value
		}
		if strings.Contains(" "+of["class"]+" ", " "+class+" ") {
			out = append(out, of)
		}
	}
	return out
}

// On a screen y grows downwards: what is more lies higher, and so has less of it.
func TestMoreLiesHigher(t *testing.T) {
	t.Parallel()
	html := string(Line{
		Title: "c", Height: 100, Series: []Series{{Name: "s", Points: []Point{{1, -2}, {2, 0}, {3, 1}, {4, 5}}}}, Limits: []Limit{{"low", -1}, {"high", 4}},
	}.HTML())
	heights := map[string][]string{}
	for _, line := range attributes(t, html, "line") {
		for point := range strings.FieldsSeq(line["points"]) {
			_, y, _ := strings.Cut(point, ",")
			heights["line"] = append(heights["line"], y)
		}
	}
	for _, dot := range attributes(t, html, "dot") {
		heights["dots"] = append(heights["dots"], dot["cy"])
	}
	for _, limit := range attributes(t, html, "limit") {
		if limit["y1"] != "" { // else its name above the chart
			heights["limits"] = append(heights["limits"], limit["y1"])
		}
	}
	for what, n := range map[string]int{"line": 4, "dots": 4, "limits": 2} {
		if len(heights[what]) != n {
			t.Errorf("%s: at %v, want %d of them", what, heights[what], n)
		}
		last := 101.0
		for _, text := range heights[what] {
			y, err := strconv.ParseFloat(text, 64)
			if err != nil || y >= last || y < 0 {
				t.Errorf("%s of rising values: at %v, want falling ones within 0 to 100", what, heights[what])
				break
			}
			last = y
		}
	}
}

// What a pointer is told may hold any name.
func TestTipsAreNoMarkup(t *testing.T) {
	t.Parallel()
	const name = `a"><script onload="b">`
	html := string(Line{
		Title: name, Summary: name, Series: []Series{{Name: name, Points: []Point{{1, 1}, {2, 2}}}, {Name: name, Dots: true, Points: []Point{{1, 1}}}},
		Marks: []Mark{{1, "swap", name}}, Limits: []Limit{{name, 1}}, Labels: Labels{X: name, Figures: name},
	}.HTML())
	for _, class := range []string{"tip", "mark", "series-2"} {
		found := false
		for _, e := range attributes(t, html, class) {
			found = found || strings.Contains(e["data-tip"], name)
		}
		if !found {
			t.Errorf("no %s tells the name as it is", class)
		}
	}
	if strings.Contains(html, "<script") {
		t.Errorf("the name is markup in %s", html)
	}
}
