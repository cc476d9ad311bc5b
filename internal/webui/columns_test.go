package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

// A form that was opened when another model served comes back with what was typed for the columns that are still there,
// and says which are not; it is predicted from only when it is sent again.
func TestPredictFormOfAnotherModel(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	const kept, changed = "What you typed for the other features is kept.", "Another model serves since you opened this form."
	for name, tt := range map[string]struct {
		form  url.Values
		wants []string
	}{
		"new and gone": {
			url.Values{"f.age": {"1,5"}, "f.<size>": {"9"}, "f.hair": {"8"}},
			[]string{"It also asks for: dose. It no longer asks for: &lt;size&gt;, hair. " + kept, `name="f.age" inputmode="decimal" autocomplete="off" required value="1,5"`, `required value="" placeholder="1" autofocus`},
		},
		"new":  {url.Values{"f.age": {"old"}}, []string{"It also asks for: dose. " + kept, `value="old"`}},
		"gone": {url.Values{"f.age": {"1"}, "f.dose": {"2"}, "f.hair": {"8"}}, []string{"It no longer asks for: hair. " + kept, `value="1"`, `value="2"`}},
	} {
		page := v.post("/predict", tt.form)
		page.wants(t, http.StatusConflict, append(tt.wants, changed, `class="empty">The answer appears here`)...)
		if strings.Contains(page.body, "Type a number, such as") {
			t.Errorf("%s: nobody could have typed what is missing", name)
		}
		r := v.request(http.MethodPost, "/predict", tt.form)
		r.AddCookie(french)
		v.send(r).wants(t, http.StatusConflict, "Un autre modèle répond depuis", "Ce que vous avez saisi pour les autres variables est gardé.")
	}
	if slices.Contains(f.asked, "POST "+api.PathPredict) {
		t.Error("a form of other columns was predicted from")
	}
	page := v.post("/predict", url.Values{"f.age": {"1"}, "f.dose": {"2"}})
	page.wants(t, http.StatusOK, `class="huge">yes<`)
	if strings.Contains(page.body, changed) {
		t.Error("a form of the model's columns is said to be of others")
	}
}

// A model that comes to serve while it is asked refuses the columns: the page says so then too.
func TestColumnsChangeWhileAsking(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	f.set(func() {
		f.refuse = &api.Problem{Status: http.StatusUnprocessableEntity, Detail: "dose is not known"}
		f.then = func() { f.model.Features = []string{"age", "size"} }
	})
	v.post("/predict", url.Values{"f.age": {"1.5"}, "f.dose": {"2"}}).wants(t, http.StatusUnprocessableEntity,
		"dose is not known", "It also asks for: size. It no longer asks for: dose.", `value="1.5"`)
}
