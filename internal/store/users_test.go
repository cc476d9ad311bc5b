package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

func addUser(t *testing.T, s *store.Store, name string) ml.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), ml.Credentials{
		User:         ml.User{Username: name, Email: name + "@example.org", Role: ml.RoleUser, Active: true},
		PasswordHash: "hash of " + name,
	})
	ok(t, err)
	return u
}

func TestUsersAreKept(t *testing.T) {
	t.Parallel()
	now := at(2026, 1, 2, 3, 4, 5, 0)
	s := setup(t, func(o *store.Options) { o.Clock = func() time.Time { return now.Add(600 * time.Millisecond) } })
	ann := addUser(t, s, "ann")
	want := ml.User{ID: ann.ID, Username: "ann", Email: "ann@example.org", Role: ml.RoleUser, Active: true, CreatedAt: now}
	if diff := cmp.Diff(want, ann); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	ok(t, s.RecordLogin(t.Context(), ann.ID))
	ok(t, s.RecordLogin(t.Context(), ann.ID))
	want.LoginCount, want.LastLogin = 2, now
	got, err := s.User(t.Context(), ann.ID)
	ok(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after two logins (-want +got):\n%s", diff)
	}
	bob := addUser(t, s, "bob")
	all, err := s.Users(t.Context())
	ok(t, err)
	if diff := cmp.Diff([]ml.User{want, bob}, all); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
}

func TestTakenNamesAreNamed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	addUser(t, s, "ann")
	for field, u := range map[string]ml.User{
		"username": {Username: "ann", Email: "other@example.org"},
		"email":    {Username: "other", Email: "ann@example.org"},
	} {
		_, err := s.CreateUser(t.Context(), ml.Credentials{User: u, PasswordHash: "secret-hash"})
		wantCode(t, err, ml.CodeConflict)
		var e *ml.Error
		if errors.As(err, &e); len(e.Fields) != 1 || e.Fields[0].Location != field {
			t.Errorf("fields are %v, want %s", e.Fields, field)
		}
		if strings.Contains(err.Error(), "secret-hash") {
			t.Errorf("the error tells the hash: %v", err)
		}
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	u, err := s.CreateUser(ctx, ml.Credentials{
		User: ml.User{Username: "ann", Email: "a@b.c", Active: true}, PasswordHash: "old", Salt: "salt",
	})
	ok(t, err)
	expect := func(hash, salt string) {
		t.Helper()
		c, err := s.Credentials(ctx, "ann")
		ok(t, err)
		if c.PasswordHash != hash || c.Salt != salt {
			t.Errorf("hash %q, salt %q, want %q, %q", c.PasswordHash, c.Salt, hash, salt)
		}
	}
	ok(t, s.UpgradeHash(ctx, u.ID, "another", "wrong"))
	expect("old", "salt") // it was changed meanwhile
	ok(t, s.UpgradeHash(ctx, u.ID, "old", "upgraded"))
	expect("upgraded", "")
	ok(t, s.SetPassword(ctx, u.ID, "new", ml.Revocation{UserID: u.ID, NotBefore: at(2026, 1, 2, 3, 4, 5, 6e6), ExpiresAt: at(2026, 1, 3, 3, 4, 5, 0)}))
	if revoked, err := s.Revocations(ctx, 0); err != nil || len(revoked) != 1 || revoked[0].UserID != u.ID || !revoked[0].NotBefore.Equal(at(2026, 1, 2, 3, 4, 5, 6e6)) {
		t.Errorf("revoked with the password: %+v, %v", revoked, err)
	}
	expect("new", "")
}

func TestUnknownUsers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	_, err := s.Credentials(ctx, "nobody")
	wantCode(t, err, ml.CodeNotFound)
	_, err = s.User(ctx, 5)
	wantCode(t, err, ml.CodeNotFound)
	wantCode(t, s.SetPassword(ctx, 5, "x", ml.Revocation{UserID: 5, NotBefore: at(2026, 1, 2, 3, 4, 5, 6e6)}), ml.CodeNotFound)
	wantCode(t, s.RecordLogin(ctx, 5), ml.CodeNotFound)
}

func TestRevocationsAreFollowed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := at(2026, 1, 2, 3, 4, 5, 0)
	s := setup(t, func(o *store.Options) { o.Clock = func() time.Time { return now } })
	one := ml.Revocation{JTI: "a", UserID: 1, ExpiresAt: now.Add(-time.Second)}
	all := ml.Revocation{UserID: 2, NotBefore: now.Add(1500 * time.Microsecond), ExpiresAt: now.Add(time.Hour)}
	ok(t, s.Revoke(ctx, one))
	ok(t, s.Revoke(ctx, all))
	one.ID, all.ID = 1, 2
	got, err := s.Revocations(ctx, 0)
	ok(t, err)
	if diff := cmp.Diff([]ml.Revocation{one, all}, got); diff != "" {
		t.Errorf("revocations (-want +got):\n%s", diff)
	}
	ok(t, s.Prune(ctx, 0))
	if got, err = s.Revocations(ctx, 0); err != nil || len(got) != 1 || got[0].ID != 2 {
		t.Errorf("after pruning: %v, %v", got, err)
	}
	// The last one pruned, ids go on: a follower that knows of 2 must see what comes.
	now = now.Add(2 * time.Hour)
	ok(t, s.Prune(ctx, 0))
	ok(t, s.Revoke(ctx, ml.Revocation{JTI: "b", ExpiresAt: now.Add(time.Hour)}))
	if got, err = s.Revocations(ctx, 2); err != nil || len(got) != 1 || got[0].JTI != "b" {
		t.Errorf("a follower sees %v, %v", got, err)
	}
}

func TestAuditIsFiltered(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	ann := addUser(t, s, "ann")
	for _, e := range []ml.AuditEntry{
		{Level: "INFO", Component: "api", EventType: "login", Message: "1", UserID: ann.ID},
		{Level: "INFO", Component: "worker", EventType: "retrain", Message: "2", Details: `{"job":3}`},
		{Level: "INFO", Component: "api", EventType: "login", Message: "3"},
	} {
		ok(t, s.Audit(ctx, e))
	}
	for _, c := range []struct {
		limit int
		want  string
	}{
		{0, "321"},
		{2, "32"},
	} {
		entries, total, err := s.AuditLog(ctx, ml.AuditFilter{}, c.limit)
		ok(t, err)
		got := ""
		for _, e := range entries {
			got += e.Message
			if e.CreatedAt.IsZero() {
				t.Errorf("entry %s has no time", e.Message)
			}
		}
		if got != c.want || total != 3 {
			t.Errorf("limit %d: %q of %d, want %q of 3", c.limit, got, total, c.want)
		}
	}
}
