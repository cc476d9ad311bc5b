package store

import (
	"path/filepath"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

func TestSetAccess(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	for _, name := range []string{"ann", "bob"} {
		role := map[string]ml.Role{"ann": ml.RoleAdmin, "bob": ml.RoleUser}[name]
		if _, err := s.CreateUser(t.Context(), ml.Credentials{User: ml.User{Username: name, Email: name, Role: role, Active: true}}); err != nil {
			t.Fatal(err)
		}
	}
	admin, user, no := ml.RoleAdmin, ml.RoleUser, false
	r := ml.Revocation{NotBefore: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	for _, a := range []ml.Access{{Role: &user}, {Active: &no}} {
		if _, err := s.SetAccess(t.Context(), "ann", a, r); ml.CodeOf(err) != ml.CodeConflict {
			t.Errorf("the last administrator: %v", err)
		}
	}
	if u, err := s.User(t.Context(), 1); err != nil || u.Role != ml.RoleAdmin || !u.Active {
		t.Errorf("changed all the same: %+v, %v", u, err)
	}
	if u, err := s.SetAccess(t.Context(), "bob", ml.Access{Role: &admin}, r); err != nil || u.Role != ml.RoleAdmin || !u.Active || u.ID != 2 {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := s.SetAccess(t.Context(), "ann", ml.Access{Active: &no}, r); err != nil || u.Role != ml.RoleAdmin || u.Active {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := s.SetAccess(t.Context(), "eve", ml.Access{Active: &no}, r); ml.CodeOf(err) != ml.CodeNotFound {
		t.Errorf("nobody: %v", err)
	}
	all, err := s.Revocations(t.Context(), 0)
	if err != nil || len(all) != 2 || all[0].UserID != 2 || all[1].UserID != 1 {
		t.Errorf("revoked %+v, %v", all, err)
	}
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	execute(t, s, "INSERT INTO users (id, username, email, password_hash, salt) VALUES (5, 'ann', 'e', '', '')")
	for i, e := range []ml.AuditEntry{
		{Level: "INFO", Component: "api", EventType: "login", UserID: 5},
		{Level: "WARNING", Component: "api", EventType: "login_failed"},
		{Level: "INFO", Component: "cli", EventType: "backup"},
		{Level: "INFO", Component: "api", EventType: "login"},
	} {
		e.CreatedAt = noon.Add(time.Duration(i) * time.Hour)
		if err := s.Audit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		filter ml.AuditFilter
		want   []int64
	}{
		"all":       {ml.AuditFilter{}, []int64{4, 3, 2, 1}},
		"component": {ml.AuditFilter{Component: "cli"}, []int64{3}},
		"event":     {ml.AuditFilter{EventType: "login"}, []int64{4, 1}},
		"level":     {ml.AuditFilter{Level: "WARNING"}, []int64{2}},
		"user":      {ml.AuditFilter{Username: "ann"}, []int64{1}},
		"nobody":    {ml.AuditFilter{Username: "eve"}, nil},
		"from":      {ml.AuditFilter{From: noon.Add(2 * time.Hour)}, []int64{4, 3}},
		"to":        {ml.AuditFilter{To: noon.Add(time.Hour)}, []int64{2, 1}},
		"both":      {ml.AuditFilter{EventType: "login", From: noon.Add(time.Minute), To: noon.Add(9 * time.Hour)}, []int64{4}},
	} {
		got, total, err := s.AuditLog(t.Context(), tt.filter, 10)
		if err != nil || int(total) != len(tt.want) || len(got) != len(tt.want) {
			t.Errorf("%s: %+v of %d, %v", name, got, total, err)
			continue
		}
		for i, id := range tt.want {
			if got[i].ID != id {
				t.Errorf("%s: entry %d is %d, want %d", name, i, got[i].ID, id)
			}
		}
	}
}
