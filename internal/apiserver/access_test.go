package apiserver

import (
	"slices"
	"testing"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func TestChangeUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "admin")
	no := false
	got, err := c.ChangeUser(t.Context(), "testuser", api.AccessRequest{Role: "admin", IsActive: &no})
	if err != nil || got.Role != "admin" || got.IsActive || got.Username != "testuser" {
		t.Errorf("%+v, %v", got, err)
	}
	if e := b.audits[0]; e.EventType != "user_changed" || e.UserID != 1 {
		t.Errorf("audit entry %+v", e)
	}
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"admin", `{"is_active":false}`, 409}, // oneself
		{"nobody", `{"role":"user"}`, 404},
		{"testuser", `{}`, 422},
		{"testuser", `{"role":"service"}`, 422},
		{"testuser", `{"role":"user","is_active":"maybe"}`, 422},
		{"testuser", ``, 422},
	} {
		problem(t, b.send(t, "PATCH", "/auth/users/"+tt.name, "admin", tt.body), tt.status)
	}
	if got := b.events(); !slices.Equal(got, []string{"user_changed"}) {
		t.Errorf("audit %v", got)
	}
}

func TestFilteredLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	from := testNow.Add(-time.Hour)
	_, err := b.client(t, "admin").FilteredLogs(t.Context(), api.LogFilter{
		During: api.During{From: from, To: testNow}, Component: "api", EventType: "login", Level: "INFO", Username: "ann", Before: 9, Limit: 7,
	})
	want := ml.AuditFilter{From: from, To: testNow, Component: "api", EventType: "login", Level: "INFO", Username: "ann", Before: 9}
	if err != nil || b.filter != want {
		t.Errorf("asked for %+v, %v; want %+v", b.filter, err, want)
	}
	for _, query := range []string{"?level=LOUD", "?from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z", "?from=noon"} {
		problem(t, b.send(t, "GET", "/logs/system"+query, "admin", ""), 422)
	}
}
