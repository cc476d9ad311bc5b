package webui

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// What went wrong is told in the reader's language, and marked as English where it is the API's text.
func TestFaultsTellTheirLanguage(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	inFrench := func(method, path string, form url.Values) answered {
		r := v.request(method, path, form)
		r.AddCookie(french)
		return v.send(r)
	}
	inFrench(http.MethodGet, "/nowhere", nil).wants(t, http.StatusNotFound, "<p>Il n’y a pas de page à cette adresse.</p>")
	f.set(func() { f.refuse = &api.Problem{Status: http.StatusConflict, Detail: "v2 needs it"} })
	inFrench(http.MethodPost, "/data/generate", url.Values{"samples": {"3"}}).wants(t, http.StatusConflict, `<p lang="en">v2 needs it</p>`)
}

// An account is shown by the first character of its name, and no name breaks the page.
func TestNamesHaveAnInitial(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	for name, want := range map[string]string{"élodie": "é", "": ""} {
		f.set(func() { f.name = name })
		v.get("/data").wants(t, http.StatusOK, `<span class="avatar" aria-hidden="true">`+want+`</span>`)
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
	v := &visit{language: words(t)["en"]}
	ks := 0.1
	well := []api.Fact{{Code: "well", Level: api.LevelOK}}
	for want, o := range map[string]api.Overview{
		"well good":            {Facts: well, Checks: []api.ShortCheck{{Drift: true, KS: &ks}, {KS: &ks}}},
		"unchecked good":       {Facts: well},
		"unmeasured good":      {Facts: well, Checks: []api.ShortCheck{{}}},
		"drift_retrained good": {Facts: well, Checks: []api.ShortCheck{{Drift: true, ActionTaken: "retrained", KS: &ks}}},
		"drift warn":           {Facts: []api.Fact{{Code: "drift", Level: api.LevelWatch}}},
		"drift_cooldown warn":  {Facts: []api.Fact{{Code: "drift", Level: api.LevelWatch, Values: map[string]any{"action": "cooldown"}}}},
		"drift_kept warn":      {Facts: []api.Fact{{Code: "drift", Level: api.LevelWatch, Values: map[string]any{"action": "retrain_rejected"}}}},
		"no_model bad":         {Facts: []api.Fact{{Code: "no_model", Level: api.LevelAct}, {Code: "jobs_wait", Level: api.LevelWatch}}},
		"unknown warn":         {Facts: []api.Fact{{Code: "from_the_future", Level: "so"}}},
		"unchecked warn":       {},
	} {
		if got := v.judge(o); got[0].Code+" "+got[0].Tone != want || len(got) != max(len(o.Facts), 1) {
			t.Errorf("%+v is judged %v, want %s", o, got, want)
		}
	}
}

// The overview leads to why it is so, and says which service is meant.
func TestOverviewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	f.overview.Facts = []api.Fact{
		{Code: "training_failed", Level: api.LevelWatch, Values: map[string]any{"job": 39}},
		{Code: "deliveries_wait", Level: api.LevelWatch, Values: map[string]any{"service": "mlflow"}},
		{Code: "checks_paused", Level: api.LevelWatch},
	}
	setup(t, f, "ann").get("/").wants(t, http.StatusOK, "The last training failed", `href="/models?job=39"`, `<span class="soft">MLflow</span>`, "its check is paused")
}

// What goes on is one event, and so is a version that is let in and serves.
func TestEventsTellOnce(t *testing.T) {
	t.Parallel()
	at := func(minutes int, kind, version, detail string) api.Event {
		return api.Event{At: now.Add(time.Duration(-minutes) * time.Minute), Kind: kind, ModelVersion: version, Detail: detail}
	}
	happened := []api.Event{at(0, "swap", "v2", ""), at(3, "swap", "v2", ""), at(4, "verdict", "v2", "activated"), at(6, "verdict", "v1", "rejected"), at(9, "swap", "v1", ""), at(10, "rollback", "v0", ""), at(11, "failed", "v0", ""), at(12, "failed", "v0", "")}
	drifts := []api.Event{at(1, "drift", "v2", ""), at(2, "drift", "v2", ""), at(5, "drift", "v1", "")}
	var got []string
	for _, e := range eventsOf(happened, drifts) {
		got = append(got, fmt.Sprintf("%s %s %d since %s", e.Code, e.Version, e.Times, now.Sub(e.At)))
	}
	want := []string{
		"swap v2 1 since 0s", "drift v2 2 since 2m0s", "activated v2 1 since 3m0s", "drift v1 1 since 5m0s", "rejected v1 1 since 6m0s", "swap v1 1 since 9m0s", "rollback v0 1 since 10m0s",
		"failed v0 2 since 12m0s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Two versions are held against each other by the rows on which the later one was judged, whichever serves.
func TestVersionsAreComparedOnTheSameRows(t *testing.T) {
	t.Parallel()
	before := 0.8
	older := &api.ModelDetail{Version: api.Version{Version: "v1"}}
	newer := &api.ModelDetail{Version: api.Version{Version: "v2"}, Champion: "v1", Training: &api.Training{AccuracyBefore: &before, AccuracyAfter: 0.9}}
	for name, tt := range map[string]struct {
		active, other *api.ModelDetail
		want          *sameRows
	}{
		"the newer one serves":    {newer, older, &sameRows{Active: 0.9, Other: 0.8}},
		"the older one serves":    {older, newer, &sameRows{Active: 0.8, Other: 0.9}},
		"neither met the other":   {older, older, nil},
		"there is no second one":  {newer, nil, nil},
		"it met another champion": {newer, &api.ModelDetail{Version: api.Version{Version: "v0"}}, nil},
	} {
		if got := onSameRows(tt.active, tt.other); !cmp.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestOverviewTellsWhatWaits(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	v.get("/").wants(t, http.StatusOK, "Nothing: all work is done", `<time datetime="2026-11-25T13:01:00Z" data-due>`, "counts from 0.1", "by 2 checks in a row", "5,000 rows", "a&lt;b&gt;.csv")
	f.set(func() {
		f.overview.Facts = []api.Fact{{Code: "worker_absent", Level: api.LevelAct}, {Code: "jobs_wait", Level: api.LevelWatch}}
		f.overview.Waiting = api.Waiting{
			Jobs:       []api.QueueDepth{{Queue: "retrain", Waiting: 3, Running: 1}},
			Deliveries: []api.DeliveryDepth{{Service: "mlflow", Waiting: 12, Failing: true}},
		}
	})
	v.get("/").wants(t, http.StatusOK, `class="hero bad"`, "retrainings and messages wait", "1 more thing to know", "Work waits longer", "3 to do, 1 under way", "12 messages to deliver", "does not get through")
}

func TestDriftComparesBothWindows(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	v.get("/drift").wants(t, http.StatusOK, `id="compared-0"`, "The mean was 1.5 and is 2.5", "Learned from: 90.0%", "Asked now: 20.0%", "500 predictions compared", "1,000 rows", "counts from 0.1")
	f.set(func() { f.windows = nil })
	v.get("/drift?check=77").wants(t, http.StatusOK, "nothing to compare yet")
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
	send("1,2\n3,2100.50", "", "page").wants(t, http.StatusOK, "2 rows were answered", "70.0%", `>2,100.5</td>`)
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
		"sep=;\r\na;b\r\n1;2,5\r\n":     "",
		"SEP=\t\r\n1\t2,5\r\n":          "",
		"sep=;\na;b\n1;x":               "Line 3: b is not a number",
		"sep=;\n":                       "no rows",
		"\u22121,2\n":                   "",
		"A;B;note\n1;2;x":               "no column a: it has A, B, note",
		";\na;b\n;\n1;2\n;;\n\n; ;\n":   "",
		"":                              "no rows",
		"a,b\n":                         "no rows",
		"a,c\n1,2":                      "no column b",
		"1,2\n3":                        "Line 2 needs 2 numbers and has 1",
		"1,2\n3,x":                      "Line 2: b is not a number",
		`"1,2`:                          "Line 1: a quote",
		strings.Repeat("1,2\n", 10_001): "At most 10,000 rows",
	} {
		rows, err := l.readRows(text, features)
		if want == "" {
			if err != nil || len(rows) != 1 || math.Abs(rows[0][0]) != 1 || rows[0][1] < 2 {
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
	v.get("/models").wants(t, http.StatusOK, "Side by side", "v1", "no better", `href="http://mlflow/#/runs/7"`,
		`<td class="figure right">97</td><td class="figure">3</td>`, "Truly yes", `id="roc"`, `id="calibration"`, `popovertarget="confirm-v1"`)
	v.get("/models").wants(t, http.StatusOK, `<option value="2">2 · a&lt;b&gt;.csv · 5,000 rows</option>`)
	v.get("/data?id=2").wants(t, http.StatusOK, `<input type="hidden" name="dataset" value="2"><button>Train on this dataset`)
	v.post("/models/retrain", url.Values{"dataset": {"2"}})
	f.set(func() {
		if last := f.asked[len(f.asked)-1]; last != "dataset 2" {
			t.Errorf("training on a dataset asks for %s", last)
		}
	})
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
	v.get("/models?job=7").wants(t, http.StatusOK, "The new version is not better", "90.0% right answers on 1,200 rows",
		`<li class="done"><span>Saving`, `<li class="left_out"><span>Activation</span><span>: left out`)
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

// A version of other columns is compared with nothing and serves at once: that is asked before.
func TestTrainingOnOtherColumnsIsAsked(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	page := v.post("/models/retrain", url.Values{"dataset": {"1"}})
	page.wants(t, http.StatusOK, "which has other columns?", "Train all the same", `name="sure"`)
	if page.path != "/models?train=1" {
		t.Errorf("it leads to %s", page.path)
	}
	if page := v.post("/models/retrain", url.Values{"dataset": {"1"}, "sure": {"1"}}); page.path != "/models?job=7" {
		t.Errorf("the answer leads to %s", page.path)
	}
	if page := v.post("/models/retrain", url.Values{"dataset": {"2"}}); page.path != "/models?job=7" {
		t.Errorf("a dataset of the same columns leads to %s", page.path)
	}
	for _, id := range []string{"2", "99", "x"} {
		if page := v.get("/models?train=" + id); page.status != http.StatusOK || strings.Contains(page.body, "models-ask") {
			t.Errorf("dataset %s is asked about, %d", id, page.status)
		}
	}
}

func TestViewerSeesNoButtonOfAdministrators(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	if body := v.get("/models").body; strings.Contains(body, "popover") || strings.Contains(body, "/models/activate") {
		t.Errorf("a user is shown what an administrator may do:\n%s", body)
	}
	v.post("/models/rollback", url.Values{}).wants(t, http.StatusForbidden, "Your account may not do this")
}
