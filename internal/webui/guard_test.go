package webui

import (
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
)

// A name that people choose is text on a page, also where it is a value of a remark.
func TestNamesInRemarksAreNoMarkup(t *testing.T) {
	t.Parallel()
	const name, shown = `<img src=x onerror=alert(1)>`, `&lt;img src=x onerror=alert(1)&gt;`
	f := newFakeAPI(t).withModel()
	f.job = api.Job{ID: 9, State: "failed", Error: "told", ErrorRemarks: []api.Remark{
		{Code: "error.one_class", Values: map[string]any{"rows": 10, "target": name, "class": name}},
	}}
	page := setup(t, f, "root").get("/models?job=9")
	page.wants(t, http.StatusOK, "All 10 rows have "+shown)
	if strings.Contains(page.body, "<img") {
		t.Error("the page has the name as markup")
	}
	languages, err := loadLanguages()
	if err != nil {
		t.Fatal(err)
	}
	part, ok := languages["en"].functions()["part"].(func([]api.Remark, string) template.HTML)
	if got := string(part(f.job.ErrorRemarks, "")); !ok || strings.Contains(got, "<img") || !strings.Contains(got, shown) {
		t.Errorf("a part of a sentence: %q", got)
	}
}

// The file has each row beside its own answer, and no text in it that a spreadsheet would run.
func TestWriteAnswers(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	writeAnswers(w, api.ModelInfo{Features: []string{"-age", "@dose", "-1"}, Target: "=ill"}, [][]float64{{-1, 2, 3}, {4, -5, 6}, {7, 8, -9}}, api.BatchResponse{
		Predictions: []api.PredictResponse{
			{Class: `=HYPERLINK("http://x")`, Confidence: 0.9, ModelVersion: "v2", PredictionID: "p1"},
			{Class: "-1", Confidence: 0.8, ModelVersion: "v2", PredictionID: "p2"},
			{Class: "+no", Confidence: 0.7, ModelVersion: "v2", PredictionID: "p3"},
		},
	})
	want := "'-age,'@dose,-1,'=ill,confidence,model_version,prediction_id\n" +
		`-1,2,3,"'=HYPERLINK(""http://x"")",0.900000,v2,p1` + "\n" +
		"4,-5,6,-1,0.800000,v2,p2\n" +
		"7,8,-9,'+no,0.700000,v2,p3\n"
	if got := w.Body.String(); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	for text, want := range map[string]string{"": "", "yes": "yes", "a=b": "a=b", "-1,5": "-1,5", "-": "'-", "\tx": "'\tx", "＝1": "'＝1"} {
		if got := guarded(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// An open page outlives the time that the server gives an answer, which is over here before the first event.
func TestLiveOutlivesTheWriteTimeout(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	pages := httptest.NewUnstartedServer(v.server)
	pages.Config.WriteTimeout = time.Nanosecond
	pages.Start()
	t.Cleanup(pages.Close)
	v.base = pages.URL
	r := v.request(http.MethodGet, "/live/overview", nil)
	res, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, len("event: part"))
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "event: part" {
		t.Errorf("the page gets %q, %v", first, err)
	}
}
