package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/chart"
)

func TestPredictTellsWhy(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	v.get("/predict").wants(t, http.StatusOK, "learned from 1 to 3", `id="boundary"`, "1 predictions on one side and 1 on the other", `class="dot series-2 "`, "2.5 / 1,234.75", `data-name="dose">1,234.75</td>`)
	page := v.post("/predict", url.Values{"f.age": {"1,5"}, "f.dose": {"5"}})
	page.wants(t, http.StatusOK, `id="reasons"`, "+1.5", "+5", `<span class="value">-4</span>`, "dose is 5", "learned from 1 to 3")
	if strings.Contains(page.body, "age is 1.5") {
		t.Error("a value that was learned from is warned of")
	}
}

// The line of x + y = 4 in boxes that it crosses, touches and misses; and lines along an axis.
func TestCrossing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		a, b, c   float64
		low, high [2]float64
		want      []chart.Point
	}{
		"corner to corner": {1, 1, -4, [2]float64{1, 1}, [2]float64{3, 3}, []chart.Point{{X: 1, Y: 3}, {X: 3, Y: 1}}},
		"cut off":          {1, 1, -4, [2]float64{0, 0}, [2]float64{10, 2}, []chart.Point{{X: 2, Y: 2}, {X: 4, Y: 0}}},
		"missed":           {1, 1, -4, [2]float64{5, 5}, [2]float64{9, 9}, nil},
		"upright":          {2, 0, -4, [2]float64{0, 0}, [2]float64{3, 3}, []chart.Point{{X: 2, Y: 0}, {X: 2, Y: 3}}},
		"level":            {0, 2, -4, [2]float64{0, 0}, [2]float64{3, 3}, []chart.Point{{X: 0, Y: 2}, {X: 3, Y: 2}}},
		"no line":          {0, 0, 1, [2]float64{0, 0}, [2]float64{3, 3}, nil},
	} {
		if diff := cmp.Diff(tt.want, crossing(tt.a, tt.b, tt.c, tt.low, tt.high)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
