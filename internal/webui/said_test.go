package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

// What the API says in codes is said in the reader's language, on every page that shows it; what it says in
// English alone is marked as such.
func TestPagesSayInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	refused := []api.Remark{{Code: "gate.no_better", Values: map[string]any{"accuracy": 0.5, "rows": 200, "majority": 0.51}}}
	f.trains[1].Reasons = refused
	f.checks[0].Details.Note = "the drift stays"
	f.checks[0].Details.Remarks = []api.Remark{{Code: "check.cooldown", Values: map[string]any{"ago": 15, "cooldown": 3600}}}
	f.services = api.ServiceList{Services: []api.Service{
		{Name: "worker", Status: "ok", Detail: "2 jobs wait", Remarks: []api.Remark{{Code: "part.jobs_wait", Values: map[string]any{"n": 2, "overdue": 3}}}},
		{Name: "mlflow", Status: "down", Detail: "<gone>", Remarks: []api.Remark{{Code: "of a newer API"}}},
	}}
	f.job = api.Job{ID: 9, State: "failed", Error: "there is no dataset 3", ErrorRemarks: []api.Remark{{Code: "error.dataset_gone", Values: map[string]any{"dataset": 3}}}}
	v := setup(t, f, "root")
	for path, want := range map[string]string{
		"/drift":                    "Pas d’entraînement\u00a0: le dernier a eu lieu il y a 15\u00a0s, et il faut attendre 1\u00a0h entre deux.",
		"/monitoring":               "2 tâches attendent, la plus ancienne en retard de 3\u00a0s.",
		"/models?job=9&compare=v1":  "Sur 200 lignes de test, 50\u00a0% de bonnes réponses",
		"/models?compare=v1&job=9#": "Le jeu 3 n’existe pas.",
		"/admin?job=9":              "Le jeu 3 n’existe pas.",
	} {
		r := v.request(http.MethodGet, path, nil)
		r.AddCookie(french)
		page := v.send(r)
		page.wants(t, http.StatusOK, want)
		if strings.Contains(page.body, "the drift stays") || strings.Contains(page.body, "there is no dataset") || strings.Contains(page.body, "2 jobs") {
			t.Errorf("%s is half English", path)
		}
		if odd := map[string]string{"/monitoring": "&lt;gone&gt;", "/admin?job=9": "wrong &lt;i&gt;"}[path]; odd != "" {
			page.wants(t, http.StatusOK, `<span lang="en">`+odd+`</span>`)
		}
	}
	v.get("/drift").wants(t, http.StatusOK, "No retraining, because the last one was 15s ago (cooldown 1h).")
}

// So is what the API has against a form: its own sentences and no field names beside them. What has no codes, or
// unknown ones, stays English and is marked as such.
func TestProblemsAreSaidInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	refused := api.Problem{
		Status: http.StatusUnprocessableEntity, Detail: "the file has a bad row", Errors: []api.FieldError{{Location: "line 402", Message: "not a number"}},
		Remarks: []api.Remark{{Code: "file.bad_value", Values: map[string]any{"line": 402, "column": "taille"}}, {Code: "row.not_a_number", Values: map[string]any{"value": "<abc>"}}},
	}
	f.set(func() { f.refuse = &refused })
	imported := func() answered {
		r := v.formWith("/data/import", "the file", url.Values{"target": {"ill"}})
		r.AddCookie(french)
		return v.send(r)
	}
	page := imported()
	page.wants(t, http.StatusUnprocessableEntity, "Rien n’a été importé, car la ligne 402 est inutilisable, à cause de sa colonne taille. Ce n’est pas un nombre\u00a0: &lt;abc&gt;.")
	if strings.Contains(page.body, "bad row") || strings.Contains(page.body, "not a number") {
		t.Error("the page is half English")
	}
	f.set(func() { refused.Remarks[1].Code = "of a newer API" })
	imported().wants(t, http.StatusUnprocessableEntity, `<p lang="en">the file has a bad row</p>`, "line 402: not a number")
}
