package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

func TestAdminIsForAdministrators(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "ann")
	if body := v.get("/").body; strings.Contains(body, `href="/admin"`) {
		t.Error("a user is shown the way to the page for administrators")
	}
	v.get("/admin").wants(t, http.StatusForbidden, "Your account may not do this")
	setup(t, f, "root").get("/admin").wants(t, http.StatusOK, `href="/admin"`, "bob", "JWT_SECRET_KEY", "(set)", "20261125", "2.5 MB", "wrong &lt;i&gt;", "1 entry in all")
}

func TestAdminFiltersTheLog(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "root")
	v.get("/admin?level=WARNING&component=auth&event=login&user=bob&since=2026-11-24").wants(t, http.StatusOK, `value="WARNING" selected`, `value="2026-11-24"`, "Show all")
	want := "logs " + url.Values{"level": {"WARNING"}, "component": {"auth"}, "event_type": {"login"}, "username": {"bob"}, "from": {"2026-11-24T00:00:00Z"}, "limit": {"51"}}.Encode()
	if !slices.Contains(f.asked, want) {
		t.Errorf("asked %q, want %q", f.asked, want)
	}
}

func TestAdminForms(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "root")
	v.post("/admin/users", url.Values{"username": {"eve"}, "email": {"eve@example.org"}, "password": {"long enough"}, "role": {"admin"}}).wants(t, http.StatusOK, "The account was made")
	v.post("/admin/access", url.Values{"username": {"bob"}, "role": {"admin"}}).wants(t, http.StatusOK, "The account was changed")
	v.post("/admin/access", url.Values{"username": {"bob"}, "active": {"false"}}).wants(t, http.StatusOK, "The account was changed")
	for _, want := range []string{"eve admin", `{"role":"admin"}`, `{"is_active":false}`} {
		if !slices.ContainsFunc(f.asked, func(a string) bool { return strings.TrimSpace(a) == want }) {
			t.Errorf("asked %q, want %s", f.asked, want)
		}
	}
	v.post("/admin/backup", url.Values{}).wants(t, http.StatusOK, "The backup was made")
	page := v.post("/admin/test", url.Values{})
	page.wants(t, http.StatusOK, "not known any more")
	if page.path != "/admin?job=9" {
		t.Errorf("it leads to %s", page.path)
	}
	f.set(func() { f.job = api.Job{ID: 9, State: "failed", Error: "404 from Discord"} })
	v.get("/admin?job=9").wants(t, http.StatusOK, "Test message: failed", "404 from Discord")
	f.set(func() {
		f.refuse = &api.Problem{Status: http.StatusConflict, Detail: "eve exists"}
	})
	page = v.post("/admin/users", url.Values{"username": {"eve"}, "email": {"e@example.org"}, "password": {"hush hush"}})
	page.wants(t, http.StatusConflict, "eve exists", `value="eve"`)
	if strings.Contains(page.body, "hush hush") {
		t.Error("the page gives the password back")
	}
}
