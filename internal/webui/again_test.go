package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

// A form that the API does not answer keeps what was typed, looks on, and is sent again from there.
func TestFormWhileTheAPIIsAway(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "root")
	f.set(func() { f.down = true })
	page := v.post("/predict", url.Values{"f.age": {`1"5`}, "f.dose": {"2"}})
	page.wants(t, http.StatusServiceUnavailable, "The service does not answer", `data-live="/live/predict"`, `<h1>Predict</h1>`, `action="/logout"`,
		`action="/predict" class="stack"><input type="hidden" name="f.age" value="1&#34;5"><input type="hidden" name="f.dose" value="2">`, "Send again", `name="back" value="/predict"`)
	v.upload("/predict/batch", "", url.Values{"rows": {"1,2\n3,4"}, "as": {"page"}}).wants(t, http.StatusServiceUnavailable,
		`action="/predict/batch"`, "name=\"rows\" value=\"1,2\n3,4\"", "Send again")
	page = v.upload("/data/import", "the file", url.Values{"target": {"ill"}})
	page.wants(t, http.StatusServiceUnavailable, "Choose it again", `href="/data"`, `data-live="/live/data"`)
	if strings.Contains(page.body, "Send again") {
		t.Error("a file that is gone can be sent again")
	}
	page = v.post("/admin/users", url.Values{"username": {"eve"}, "password": {"hush-hush"}})
	page.wants(t, http.StatusServiceUnavailable, `value="eve"`, `<input name="password" type="password" required`)
	if strings.Contains(page.body, "hush") {
		t.Error("the page repeats a password")
	}
	f.set(func() { f.down, f.away = false, api.PathMe }) // nobody is known, so nothing is done in a name
	v.post("/models/rollback", url.Values{}).wants(t, http.StatusServiceUnavailable, `action="/models/rollback"`)
	if len(f.asked) > 0 {
		t.Errorf("the API was asked for %q", f.asked)
	}
	f.set(func() { f.away = "" })
	v.post("/predict/batch", url.Values{"rows": {"1,2\n3,4"}, "as": {"page"}}).wants(t, http.StatusOK, "2 rows were answered")
}

// The API that goes away between two questions of one form is as away.
func TestFormThatTheAPILeaves(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "root")
	for path, away := range map[string]string{"/predict": api.PathModelInfo, "/models/rollback": api.PathRollback} {
		f.set(func() { f.away = away })
		page := v.post(path, url.Values{"f.age": {"1"}, "f.dose": {"2"}})
		page.wants(t, http.StatusServiceUnavailable, "The service does not answer", `action="`+path+`" class="stack"><input type="hidden" name="f.age" value="1">`)
		if strings.Contains(page.body, "No model serves yet") {
			t.Error("what is not known is told")
		}
	}
}

// A form after the end of a session says that it was not sent, and the login leads back to it.
func TestFormAfterTheSession(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	f.set(func() { delete(f.roles, "tok-ann") })
	for range 2 { // with a token that is not known any more, and with none
		page := v.post("/data/generate", url.Values{"samples": {"5"}})
		page.wants(t, http.StatusOK, "Your session has ended, and the form was not sent.", `name="back" value="/data"`)
		if page.path != "/login?back=%2Fdata&unsent=1" {
			t.Errorf("it leads to %s", page.path)
		}
	}
	f.set(func() { f.roles["tok-ann"] = "user" })
	if page := v.post("/login", url.Values{"username": {"ann"}, "password": {"secret"}, "back": {"/data"}}); page.path != "/data" {
		t.Errorf("the login leads to %s", page.path)
	}
	if body := setup(t, f, "").get("/data").body; strings.Contains(body, "has ended") {
		t.Error("a session that never was has ended")
	}
}
