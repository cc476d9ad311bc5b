package webui

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
)

var french = &http.Cookie{Name: languageCookie, Value: "fr"}

// Every page in both languages, with nothing and with all: no template fails, nothing breaks the policy,
// and no name of an account or a version is taken for HTML.
func TestPagesRender(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|<style|<script>|javascript:|<b>`)
	for name, f := range map[string]*fakeAPI{"empty": newFakeAPI(t), "full": newFakeAPI(t).withModel()} {
		v := setup(t, f, "root")
		for _, p := range pages {
			for _, cookie := range []*http.Cookie{{Name: languageCookie, Value: "en"}, french} {
				r := v.request(http.MethodGet, p.path, nil)
				r.AddCookie(cookie)
				page := v.send(r)
				page.wants(t, http.StatusOK, `<html lang="`+cookie.Value+`"`, "ann &lt;b&gt;", `aria-current="page"`)
				if found := inline.FindString(page.body); found != "" {
					t.Errorf("%s, %s has %q", name, p.path, found)
				}
				const most = 150 << 10
				if len(page.body) > most {
					t.Errorf("%s, %s weighs %d bytes", name, p.path, len(page.body))
				}
			}
		}
	}
}

func TestOverviewTellsOfTheModel(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	v.get("/").wants(t, http.StatusOK, "Drift was found, and a better model serves now.", "95.3%", "between 94.0% and 96.0%", "v2",
		"A candidate was not better", "Drift was reported", `class="cell good"`, `class="cell warn"`)
	r := v.request(http.MethodGet, "/", nil)
	r.AddCookie(french)
	v.send(r).wants(t, http.StatusOK, "95,3", "entre 94,0", "25 nov. 2026, 12:00 UTC")
}

func TestJudge(t *testing.T) {
	t.Parallel()
	serving := api.ModelInfo{ModelLoaded: true}
	drifted := func(action string) *api.DriftDetection { d := measured(now, action, true, 0.5); return &d }
	fine, unmeasured := measured(now, "none", false, 0), api.DriftDetection{DetectionMethod: "random", ActionTaken: "none"}
	moved := measured(now, "none", false, 0.5)
	moved.Details.Scores[0].Drift = true
	failed := api.DriftDetection{ActionTaken: "health_check_failed"}
	for want, tt := range map[string]struct {
		troubled, status string
		model            api.ModelInfo
		last             *api.DriftDetection
	}{
		"well":            {model: serving, last: &fine},
		"unmeasured":      {model: serving, last: &unmeasured},
		"moved":           {model: serving, last: &moved},
		"unchecked":       {model: serving},
		"no_model":        {},
		"database":        {troubled: "database", status: "warning", model: serving, last: &fine},
		"no_worker":       {troubled: "worker", status: "warning", model: serving, last: &fine},
		"no_flow":         {troubled: "flow", status: "warning", model: serving, last: &fine},
		"check_failed":    {model: serving, last: &failed},
		"drift_retrained": {model: serving, last: drifted("retrained")},
		"drift_kept":      {model: serving, last: drifted("retrain_rejected")},
		"drift_failed":    {model: serving, last: drifted("retrain_failed")},
		"drift_data":      {model: serving, last: drifted("new_data_needed")},
		"drift_handled":   {model: serving, last: drifted("cooldown")},
	} {
		health := api.Health{Checks: map[string]api.Check{tt.troubled: {Status: tt.status}}}
		if got := judge(health, tt.model, tt.last); got.Code != want {
			t.Errorf("%+v is judged %s, want %s", tt, got.Code, want)
		}
	}
}

// A drift that goes on is one event.
func TestEventsTellOnce(t *testing.T) {
	t.Parallel()
	checks := []api.DriftDetection{measured(now, "cooldown", true, 1), measured(now, "retrained", true, 1), measured(now, "none", false, 0), measured(now, "cooldown", true, 1)}
	if got := eventsOf(nil, checks); len(got) != 2 {
		t.Errorf("%d events: %+v", len(got), got)
	}
}

func TestPredictForm(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	v.post("/predict", url.Values{"f.age": {"1,5"}, "f.dose": {"2"}}).wants(t, http.StatusOK, `class="huge">yes<`, "91.0%", "quite sure", `value="1,5"`)
	v.post("/predict", url.Values{"f.age": {"old"}, "f.dose": {"2"}}).wants(t, http.StatusUnprocessableEntity, `aria-describedby="wrong-age"`, `id="wrong-age"`, "Type a number", `value="old"`)
	f.set(func() { f.refuse = &api.Problem{Status: http.StatusServiceUnavailable, Detail: "no model is ready"} })
	v.post("/predict", url.Values{"f.age": {"1"}, "f.dose": {"2"}}).wants(t, http.StatusServiceUnavailable, "Try again in a while", "no model is ready", "<code>req-42</code>", `value="1"`)
}

func TestPredictBatch(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	send := func(rows, file, as string) answered {
		return v.upload("/predict/batch", file, url.Values{"rows": {rows}, "as": {as}})
	}
	send("1,2\n3,4", "", "page").wants(t, http.StatusOK, "2 rows were answered", "70.0%")
	send("1,x", "", "page").wants(t, http.StatusUnprocessableEntity, "Line 1: dose is not a number", "1,x</textarea>")
	page := send("", "dose,age\n5,6\n", "file")
	page.wants(t, http.StatusOK, "age,dose,ill,confidence,model_version,prediction_id\n6,5,no,0.700000,v2,p\n")
	if got := page.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
		t.Errorf("the file comes as %q", got)
	}
	send("", strings.Repeat("1,2\n", maxBatchFile/4+1), "page").wants(t, http.StatusRequestEntityTooLarge, "larger than 4 MB")
}

func TestReadRows(t *testing.T) {
	t.Parallel()
	languages, err := loadLanguages()
	if err != nil {
		t.Fatal(err)
	}
	l := languages["en"]
	features := []string{"a", "b"}
	for text, want := range map[string]string{
		"1,2":                           "",
		"\ufeffb;a;other\n2,5;1;x\n":    "",
		"1\t2\n":                        "",
		"":                              "no rows",
		"a,b\n":                         "no rows",
		"a,c\n1,2":                      "no column b",
		"1,2\n3":                        "Line 2 needs 2 numbers and has 1",
		"1,2\n3,x":                      "Line 2: b is not a number",
		`"1,2`:                          "can’t be read",
		strings.Repeat("1,2\n", 10_001): "At most 10,000 rows",
	} {
		rows, err := l.readRows(text, features)
		if want == "" {
			if err != nil || len(rows) != 1 || rows[0][0] != 1 || rows[0][1] < 2 {
				t.Errorf("%.20q: %v, %v", text, rows, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestDriftOfAChosenTime(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	f.checks = append(f.checks, measured(now.Add(-24*time.Hour), "none", false, 0.01))
	v := setup(t, f, "ann")
	if n := strings.Count(v.get("/drift").body, `class="found"`); n != 3 {
		t.Errorf("%d checks, want 3", n)
	}
	page := v.get("/drift?from=1795604300&to=1795611600")
	page.wants(t, http.StatusOK, "Show all", `data-live="/live/drift?from=1795604300&amp;to=1795611600"`)
	if n := strings.Count(page.body, `class="found"`); n != 2 {
		t.Errorf("%d checks of the chosen time, want 2", n)
	}
	v.get("/drift?from=x&to=").wants(t, http.StatusOK)
}

func TestModelsForms(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "root")
	v.get("/models").wants(t, http.StatusOK, "Side by side", "v1", "no better", `id="roc"`, `id="calibration"`, `popovertarget="confirm-v1"`)
	page := v.post("/models/retrain", url.Values{})
	page.wants(t, http.StatusOK, "not known any more")
	if page.path != "/models?job=7" {
		t.Errorf("it leads to %s", page.path)
	}
	f.set(func() {
		f.job = api.Job{ID: 7, State: "running", Step: "train"}
	})
	v.get("/models?job=7").wants(t, http.StatusOK, `<li class="done"><span>Split`, `<li class="running"><span>Training`, `<li class="waiting"><span>Comparison`)
	f.set(func() {
		f.job = api.Job{ID: 7, State: "succeeded", Result: &api.RetrainResponse{RetrainResult: api.RetrainResult{Verdict: "rejected", HoldoutSamples: 1200, CandidateAccuracy: 0.9}}}
	})
	v.get("/models?job=7").wants(t, http.StatusOK, "The new version is not better", "90.0% right answers on 1,200 rows")
	v.post("/models/conditional", url.Values{"threshold": {"50"}}).wants(t, http.StatusOK, "no training was needed")
	if page := v.post("/models/conditional", url.Values{"threshold": {"99,5"}}); page.path != "/models?job=8" {
		t.Errorf("a threshold that is not reached leads to %s", page.path)
	}
	v.post("/models/conditional", url.Values{"threshold": {"many"}}).wants(t, http.StatusUnprocessableEntity, "number from 0 to 100")
	v.post("/models/activate", url.Values{"version": {"v1"}}).wants(t, http.StatusOK, "The version serves now")
	v.post("/models/rollback", url.Values{}).wants(t, http.StatusOK, "The version before serves again")
	f.set(func() { f.refuse = &api.Problem{Status: http.StatusConflict, Detail: "no version was active before"} })
	v.post("/models/rollback", url.Values{}).wants(t, http.StatusConflict, "not possible now", "no version was active before", "req-42", "All versions")
}

func TestViewerSeesNoButtonOfAdministrators(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	if body := v.get("/models").body; strings.Contains(body, "popover") || strings.Contains(body, "/models/activate") {
		t.Errorf("a user is shown what an administrator may do:\n%s", body)
	}
	v.post("/models/rollback", url.Values{}).wants(t, http.StatusForbidden, "Your account may not do this")
}
