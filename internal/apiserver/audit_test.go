package apiserver

import (
	"errors"
	"strings"
	"testing"

	"iacontinu/internal/ml"
)

// A login that can't be recorded gives out no token.
func TestLoginNeedsItsRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.auditFail = ml.Errorf(ml.CodeStorageFull, "the disk is full")
	r := b.send(t, "POST", "/auth/login", "", `{"username":"testuser","password":"test123"}`)
	p := problem(t, r, 503)
	if p.Code != "unavailable" || r.Header.Get("Retry-After") == "" || strings.Contains(r.body, "access_token") {
		t.Errorf("answer %s, Retry-After %q", r.body, r.Header.Get("Retry-After"))
	}
	problem(t, b.send(t, "POST", "/auth/login", "", `{"username":"testuser","password":"wrong"}`), 401) // no secret is at stake
}

// Whoever did what can't be recorded is told that it is done, and that nobody knows.
func TestWhatIsNotRecordedIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ event, method, path, who, body, header string }{
		{"generate", "POST", "/generate", "user", `{"samples":10}`, ""},
		{"import", "POST", "/datasets?target=y", "user", "a,y\n1,0\n", "Content-Type: text/csv"},
		{"dataset_deleted", "DELETE", "/datasets/7", "admin", "", ""},
		{"retrain", "POST", "/retrain", "user", "", ""},
		{"retrain", "POST", "/retrain/conditional", "user", `{"force_retrain":true}`, ""},
		{"activate", "POST", "/models/v1/activate", "admin", "", ""},
		{"rollback", "POST", "/models/rollback", "admin", "", ""},
		{"user_created", "POST", "/auth/register", "admin", `{"username":"new","email":"new@example.org","password":"long-enough"}`, ""},
		{"user_changed", "PATCH", "/auth/users/testuser", "admin", `{"role":"admin"}`, ""},
		{"backup", "POST", "/backups", "admin", "", ""},
		{"notification_test", "POST", "/notifications/test", "admin", "", ""},
		{"password_changed", "POST", "/auth/password", "user", `{"old_password":"test123","new_password":"long-enough"}`, ""},
		{"logout", "POST", "/auth/logout", "user", "", ""},
	} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.auditFail = errors.New("database is locked")
			var header []string
			if tt.header != "" {
				header = []string{tt.header}
			}
			p := problem(t, b.send(t, tt.method, tt.path, tt.who, tt.body, header...), 500)
			if p.Code != "unaudited" || !strings.Contains(p.Detail, "could not be recorded") || strings.Contains(p.Detail, "locked") {
				t.Errorf("problem %+v", p)
			}
			if log := b.log.String(); !strings.Contains(log, "database is locked") || !strings.Contains(log, "audit entry "+tt.event) {
				t.Errorf("the log keeps neither the entry nor the reason: %s", log)
			}
		})
	}
}
