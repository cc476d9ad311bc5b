package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "")
	if page := v.get("/drift?from=1"); page.path != "/login?back=%2Fdrift%3Ffrom%3D1" {
		t.Errorf("without a session the way leads to %s", page.path)
	}
	v.post("/login", url.Values{"username": {"ann"}, "password": {"wrong"}}).wants(t, http.StatusUnauthorized, "do not belong together", `value="ann"`)
	page := v.post("/login", url.Values{"username": {"ann"}, "password": {"secret"}, "back": {"/drift?from=1"}})
	if page.path != "/drift?from=1" {
		t.Errorf("the login leads to %s", page.path)
	}
	f.set(func() { f.refuse = &api.Problem{Status: http.StatusInternalServerError} }) // not even then does the session stay
	if page := v.post("/logout", url.Values{}); page.path != "/login" {
		t.Errorf("the end of the session leads to %s", page.path)
	}
	if page := v.get("/"); page.path != "/login" {
		t.Errorf("after the end of the session there is %s", page.path)
	}
}

// A token that the API no longer takes ends the session.
// The API counts the tries of passwords by who makes them, and not by these pages.
func TestTheAPIIsToldWhoAsks(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "")
	r := v.request(http.MethodPost, "/login", url.Values{"username": {"ann"}, "password": {"secret"}})
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	v.send(r)
	f.set(func() {
		if f.askedFor != "192.0.2.7, 127.0.0.1" {
			t.Errorf("the API was asked for %q", f.askedFor)
		}
	})
}

func TestSessionOfADeadToken(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "ann")
	f.set(func() { delete(f.roles, "tok-ann") })
	page := v.get("/models")
	if page.wants(t, http.StatusOK, "Your session has ended"); page.path != "/login?back=%2Fmodels&ended=1" {
		t.Errorf("it leads to %s", page.path)
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		proto, always string
		secure        bool
	}{"plain": {"", "", false}, "behind a proxy with TLS": {"https", "", true}, "always": {"", "true", true}} {
		v := setup(t, newFakeAPI(t), "", func(o *Options) { o.SecureCookie = tt.always == "true" })
		v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r := v.request(http.MethodPost, "/login", url.Values{"username": {"ann"}, "password": {"secret"}})
		if tt.proto != "" {
			r.Header.Set("X-Forwarded-Proto", tt.proto)
		}
		cookies := (&http.Response{Header: v.send(r).header}).Cookies()
		i := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == sessionCookie })
		if i < 0 {
			t.Fatalf("%s: no session among %v", name, cookies)
		}
		if c := cookies[i]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure != tt.secure || c.MaxAge != 3600 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// What another site has a browser send changes nothing.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "root")
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		for _, path := range []string{"/models/retrain", "/models/rollback", "/logout", "/login", "/preferences"} {
			r := v.request(http.MethodPost, path, url.Values{})
			r.Header.Set(header[0], header[1])
			if page := v.send(r); page.status != http.StatusForbidden {
				t.Errorf("%s with %v: %d", path, header, page.status)
			}
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("the API was asked for %v", f.asked)
	}
}

func TestBackTo(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/drift?from=1": "/drift?from=1", "": "/", "drift": "/", "//evil.example/x": "/", `/\evil.example`: "/", "https://evil.example": "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/",
	} {
		if got := backTo(in); got != want {
			t.Errorf("%q leads to %q, want %q", in, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t), "")
	for _, path := range []string{"/login", "/static/app.css", "/nothing", "/healthz"} {
		h := v.get(path).header
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
	page := v.get("/login")
	if page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a page may be kept: %s", page.header.Get("Cache-Control"))
	}
	for _, asset := range []string{v.server.renderer.files["app_css"], v.server.renderer.files["app_js"]} {
		file := v.get(asset)
		if file.status != http.StatusOK || !strings.Contains(file.header.Get("Cache-Control"), "immutable") || !strings.Contains(page.body, asset) {
			t.Errorf("%s: %d, %v", asset, file.status, file.header)
		}
	}
	other := v.get("/static/app.js?v=0123456789ab") // of another release
	if got := other.header.Get("Cache-Control"); other.status != http.StatusOK || strings.Contains(got, "immutable") {
		t.Errorf("another release's script: %d, %s", other.status, got)
	}
	if page := v.get("/static/../session.go"); page.status == http.StatusOK && strings.Contains(page.body, "package") {
		t.Error("a source file is served")
	}
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t), "ann")
	page := v.post("/preferences", url.Values{"theme": {"dark"}, "back": {"/models"}})
	page.wants(t, http.StatusOK, `data-theme="dark"`)
	if page.path != "/models" {
		t.Errorf("it leads to %s", page.path)
	}
	v.post("/preferences", url.Values{"language": {"fr"}}).wants(t, http.StatusOK, `lang="fr"`, `data-theme="dark"`)
	v.post("/preferences", url.Values{"language": {"xx"}, "theme": {"<"}}).wants(t, http.StatusOK, `lang="fr"`, `data-theme="dark"`)
}

func TestWhileTheAPIIsAway(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "root")
	f.set(func() { f.down = true })
	v.get("/models").wants(t, http.StatusServiceUnavailable, "The service does not answer", `data-live="/live/models"`)
	v.post("/models/rollback", url.Values{}).wants(t, http.StatusServiceUnavailable, "The service does not answer")
	v.post("/login", url.Values{"username": {"ann"}, "password": {"secret"}}).wants(t, http.StatusServiceUnavailable, "The service does not answer")
	f.set(func() { f.down = false })
	v.get("/models").wants(t, http.StatusOK, "All versions")
}

// A proxy before the API says with a status that it is away, and an API in trouble says so itself: pages wait for both.
func TestWhileTheAPIAnswersWithErrors(t *testing.T) {
	t.Parallel()
	for name, problem := range map[string]api.Problem{
		"a proxy": {Status: http.StatusBadGateway, Detail: "<html>bad gateway</html>"},
		"the API": {Status: http.StatusServiceUnavailable, Code: "unavailable"},
	} {
		f := newFakeAPI(t).withModel()
		v := setup(t, f, "root")
		next, _ := v.events("/live/monitoring")
		if event, data := next(); event != "part" || strings.Contains(data, "data-down") {
			t.Fatalf("%s: %s %s, want a banner that is empty", name, event, data)
		}
		f.set(func() { f.broken = &problem })
		for data := ""; !strings.Contains(data, "data-down"); { // the other parts come first
			event := ""
			if event, data = next(); event != "part" {
				t.Fatalf("%s: %s, want the banner", name, event)
			}
		}
		page := v.get("/models")
		page.wants(t, http.StatusServiceUnavailable, "The service does not answer", `data-live="/live/models"`, `class="empty"`)
		if strings.Contains(page.body, "bad gateway") || strings.Contains(page.body, "req-42") != (problem.Code != "") {
			t.Errorf("%s: the page is\n%s", name, page.body)
		}
		f.set(func() { f.broken = nil })
		if _, data := next(); !strings.Contains(data, `id="banner"`) || strings.Contains(data, "data-down") {
			t.Errorf("%s: afterwards %s", name, data)
		}
	}
}
