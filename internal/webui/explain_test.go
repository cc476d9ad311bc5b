package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/chart"
)

func TestPredictTellsWhy(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	// A value far from those that were learned from would press the others together.
	v.get("/predict").wants(t, http.StatusOK, "learned from 1 to 3", `id="boundary"`, "1 predictions on one side and 0 on the other", "1 prediction lies far beyond", `data-name="dose">1,234.75</td>`)
	f.set(func() { f.recent[1].Features[1] = 4.75 })
	if page := v.get("/predict"); strings.Contains(page.body, "far beyond") {
		t.Error("a value near those that were learned from is left out")
	} else {
		page.wants(t, http.StatusOK, "1 predictions on one side and 1 on the other", `class="dot series-2 "`, "2.5 / 4.75")
	}
	page := v.post("/predict", url.Values{"f.age": {"1,5"}, "f.dose": {"5"}})
	page.wants(t, http.StatusOK, `id="reasons"`, "+1.5", "+5", `<span class="value">-4</span>`, "dose is 5", "learned from 1 to 3")
	if strings.Contains(page.body, "age is 1.5") {
		t.Error("a value that was learned from is warned of")
	}
}

// However sure the model is of a value that it has not learned from, the page warns and does not say so.
func TestPredictIsNotSureOfAGuess(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	green := `low="0.6" high="0.8" optimum="1" value="0.91"`
	v.post("/predict", url.Values{"f.age": {"1.5"}, "f.dose": {"2"}}).wants(t, http.StatusOK, "quite sure", green)
	page := v.post("/predict", url.Values{"f.age": {"1.5"}, "f.dose": {"2100.50"}})
	page.wants(t, http.StatusOK, "dose is 2,100.5", "says little here", "so it guesses", `low="0.501" high="1" optimum="0.5" value="0.91"`)
	if strings.Contains(page.body, "quite sure") || strings.Contains(page.body, green) {
		t.Errorf("the page trusts a guess:\n%s", page.body)
	}
}

// What models of other columns or classes answered is not shown under the names of the active one's.
func TestPredictLeavesOutOtherModels(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	said := func(version string, x float64) api.LoggedPrediction {
		return api.LoggedPrediction{ModelVersion: version, Features: []float64{x, x}, Prediction: 1, CreatedAt: now}
	}
	binary := []string{"no", "yes"}
	f.models = append(f.models,
		api.Version{Version: "alike", Features: []string{"age", "dose"}, Classes: binary}, api.Version{Version: "turned", Features: []string{"dose", "age"}, Classes: binary},
		api.Version{Version: "other-classes", Features: []string{"age", "dose"}, Classes: []string{"ham", "spam"}})
	f.recent = []api.LoggedPrediction{said("turned", 4.1), said("v2", 4.2), said("alike", 4.3), said("gone", 4.4), said("other-classes", 4.5)}
	v := setup(t, f, "ann")
	page := v.get("/predict")
	page.wants(t, http.StatusOK, `data-name="age">4.2<`, `data-name="age">4.3<`, "0 predictions on one side and 2 on the other", "3 predictions, of other models")
	for _, wrong := range []string{"turned", "gone", "other-classes", ">4.1<", ">4.4<", ">4.5<"} {
		if strings.Contains(page.body, wrong) {
			t.Errorf("the page shows %s of another model", wrong)
		}
	}
	f.set(func() { f.recent = f.recent[:1] })
	page = v.get("/predict")
	page.wants(t, http.StatusOK, "1 prediction, of another model")
	if strings.Contains(page.body, "You have made none yet") {
		t.Error("the page says that there are none")
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
