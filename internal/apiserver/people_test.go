package apiserver

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, err := b.client(t, "").Login(t.Context(), "testuser", "test123")
	if err != nil {
		t.Fatal(err)
	}
	want := api.LoginResponse{AccessToken: "user", TokenType: "bearer", ExpiresIn: 86400, UserID: 2, Username: "testuser", Role: "user"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("login (-want +got):\n%s", diff)
	}
	_, err = b.client(t, "").Login(t.Context(), "testuser", "wrong")
	if p := api.AsProblem(err); p == nil || p.Status != 401 || p.Code != "unauthorized" {
		t.Errorf("wrong password: %v", err)
	}
	if got := b.events(); !slices.Equal(got, []string{"login", "login_failed"}) {
		t.Errorf("audit %v", got)
	}
	if e := b.audits[0]; e.UserID != 2 || e.Level != "INFO" || e.Component != "api" {
		t.Errorf("audit entry %+v", e)
	}
	if e := b.audits[1]; e.UserID != 0 || e.Level != "WARNING" {
		t.Errorf("audit entry %+v", e)
	}
	b.fail = ml.Errorf(ml.CodeUnavailable, "too many logins at once")
	if _, err := b.client(t, "").Login(t.Context(), "testuser", "test123"); api.AsProblem(err).Status != 503 {
		t.Errorf("busy: %v", err)
	}
}

func TestLoginsAreLimited(t *testing.T) {
	t.Parallel()
	t.Run("by name, however it is written", func(t *testing.T) {
		t.Parallel()
		b := setup(t) // 5 by name, 8 by address
		for i := range 5 {
			name := []string{"testuser", "TestUser", " testuser"}[i%3]
			problem(t, b.send(t, "POST", "/auth/login", "", fmt.Sprintf(`{"username":%q,"password":"guess%d"}`, name, i)), 401)
		}
		_, err := b.client(t, "").Login(t.Context(), "testuser", "test123")
		if p := api.AsProblem(err); p == nil || p.Status != 429 || p.RetryAfter != time.Minute {
			t.Errorf("the sixth: %v, want 429 with Retry-After: 60", err)
		}
		problem(t, b.send(t, "POST", "/auth/login", "", `{"username":"other","password":"x"}`), 401) // another name
	})
	t.Run("by address", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for i := range 8 {
			problem(t, b.send(t, "POST", "/auth/login", "", fmt.Sprintf(`{"username":"u%d","password":"x"}`, i)), 401)
		}
		problem(t, b.send(t, "POST", "/auth/login", "", `{"username":"u9","password":"x"}`, "X-Forwarded-For: 10.1.2.3", "X-Real-IP: 10.1.2.4"), 429)
	})
	t.Run("nobody keeps another out", func(t *testing.T) {
		t.Parallel()
		l := newLimits(5, 8)
		try := func(address string) error {
			x := &exchange{ResponseWriter: httptest.NewRecorder(), remote: address + ":1234"}
			return l.password(&requestContext{Context: t.Context(), exchange: *x}, "admin")
		}
		for range 20 {
			_ = try("192.0.2.1")
		}
		if err := try("192.0.2.1"); err == nil {
			t.Error("one address may try as often as it likes")
		}
		if err := try("192.0.2.2"); err != nil {
			t.Errorf("from another address: %v", err)
		}
		for i := range 60 {
			_ = try(fmt.Sprintf("198.51.100.%d", i))
		}
		if err := try("203.0.113.1"); err == nil {
			t.Error("many addresses together may try as often as they like")
		}
	})
	t.Run("the old password", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for range 5 {
			problem(t, b.send(t, "POST", "/auth/password", "user", `{"old_password":"guess","new_password":"long-enough"}`), 422)
		}
		problem(t, b.send(t, "POST", "/auth/password", "user", `{"old_password":"test123","new_password":"long-enough"}`), 429)
	})
}

func TestLogoutTakesTheTokenAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "user")
	if err := c.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Me(t.Context()); api.AsProblem(err).Status != 401 {
		t.Errorf("after logout: %v", err)
	}
	if got := b.events(); !slices.Equal(got, []string{"logout"}) {
		t.Errorf("audit %v", got)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "admin")
	got, err := c.Register(t.Context(), api.RegisterRequest{Username: "new.user", Email: "new@ia-continu.local", Password: "long-enough"})
	want := api.User{ID: 9, Username: "new.user", Email: "new@ia-continu.local", Role: "user", IsActive: true, CreatedAt: testNow}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, user (-want +got):\n%s", err, diff)
	}
	if e := b.audits[0]; e.EventType != "user_created" || e.UserID != 1 {
		t.Errorf("audit entry %+v", e)
	}
	got, err = c.Register(t.Context(), api.RegisterRequest{Username: "new.admin", Email: "a@ia-continu.local", Password: "long-enough", Role: "admin"})
	if err != nil || got.Role != "admin" || !strings.Contains(b.audits[1].Details, `"role":"admin"`) {
		t.Errorf("an administrator: %+v, %v, audited as %s", got, err, b.audits[1].Details)
	}
	_, err = c.Register(t.Context(), api.RegisterRequest{Username: "taken", Email: "x@x.example", Password: "long-enough"})
	if p := api.AsProblem(err); p == nil || p.Status != 409 || !slices.Equal(fields(*p), []string{"body.username"}) {
		t.Errorf("a name that is taken: %v", err)
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	me, err := b.client(t, "user").Me(t.Context())
	if err != nil || me.ID != 2 || me.Role != "user" || me.Email == "" || me.LastLogin != nil {
		t.Errorf("me %+v, %v", me, err)
	}
	me, err = b.client(t, "service").Me(t.Context())
	if err != nil || me.ID != 0 || me.Role != "service" || me.Username != "flow" {
		t.Errorf("a service %+v, %v", me, err)
	}
	all, err := b.client(t, "admin").Users(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("users %+v, %v", all, err)
	}
}

func TestSystemLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.audits = []ml.AuditEntry{
		{ID: 1, Level: "INFO", Component: "api", EventType: "old", Message: "m", Details: "no JSON", CreatedAt: testNow},
		{ID: 2, Level: "INFO", Component: "cli", EventType: "new", Message: "m", Details: `{"a":1}`, UserID: 2, CreatedAt: testNow},
	}
	logs, err := b.client(t, "admin").SystemLogs(t.Context(), 1)
	if err != nil || logs.Total != 2 || len(logs.Logs) != 1 || string(logs.Logs[0].Details) != `{"a":1}` || *logs.Logs[0].UserID != 2 {
		t.Errorf("%+v, %v", logs, err)
	}
	logs, err = b.client(t, "admin").SystemLogs(t.Context(), 0)
	if err != nil || len(logs.Logs) != 2 || string(logs.Logs[1].Details) != `"no JSON"` || logs.Logs[1].UserID != nil {
		t.Errorf("%+v, %v", logs, err)
	}
}
