package chart

import (
	"strings"
	"testing"
)

func plain(v float64) string { return "<" + px(v) + ">" }

func TestHistogram(t *testing.T) {
	t.Parallel()
	h := Histogram{
		ID: "h", Title: "Age", Summary: "a sentence", Edges: []float64{0, 1, 2}, X: plain, Y: plain, Labels: Labels{Figures: "table", Empty: "nothing"},
		Series: []Counted{{"then", []int{1, 3}}, {"now", []int{2, 0, 9}}}, // more bins than edges: not drawn
	}
	html := string(h.HTML())
	for _, want := range []string{
		`role="img" aria-label="Age. a sentence"`, `V74.0H500V2.0H1000V110Z`, `V38.0H500V110.0H1000V110Z`, "now: &lt;2.0&gt;", `<th scope="row">&lt;0.0&gt; – &lt;1.0&gt;</th><td>&lt;1.0&gt;</td>`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in %s", want, html)
		}
	}
	h.Shares = true
	h.Series[1].Counts = []int{2, 0}
	if html := string(h.HTML()); !strings.Contains(html, `V2.0H500V110.0`) || !strings.Contains(html, "then: &lt;0.8&gt;") {
		t.Errorf("shares of each kind: %s", html)
	}
	for name, edges := range map[string][]float64{"no edges": nil, "one value": {1, 1, 1}} {
		h.Edges = edges
		if html := string(h.HTML()); !strings.Contains(html, "nothing") || strings.Contains(html, "<svg") {
			t.Errorf("%s: %s", name, html)
		}
	}
}
