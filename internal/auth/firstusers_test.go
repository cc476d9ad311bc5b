package auth

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"iacontinu/internal/ml"
)

func TestInitialAdmin(t *testing.T) {
	t.Parallel()
	b, dir := setup(t), t.TempDir()
	var made sync.Map
	var all sync.WaitGroup
	for i := range 3 { // three processes at the same moment
		all.Go(func() {
			_, created, err := InitialAdmin(t.Context(), b.store, dir, "")
			if err != nil {
				t.Error(err)
			}
			if created {
				made.Store(i, true)
			}
		})
	}
	all.Wait()
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	if n != 1 || len(b.store.users) != 1 {
		t.Fatalf("%d calls made %d users, want one", n, len(b.store.users))
	}
	path := filepath.Join(dir, AdminPasswordFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	b.hasher.argon2 = deriveArgon2
	token := b.login(t, "admin", strings.TrimSpace(string(text)))
	if who, _ := b.Verify(t.Context(), token); who.Role != ml.RoleAdmin {
		t.Errorf("role %s, want admin", who.Role)
	}
	if _, created, err := InitialAdmin(t.Context(), b.store, dir, ""); created || err != nil {
		t.Errorf("the second start: %v, %v", created, err)
	}
}

func TestInitialAdminHasThePasswordGiven(t *testing.T) {
	t.Parallel()
	b, dir := setup(t), t.TempDir()
	path, created, err := InitialAdmin(t.Context(), b.store, dir, "given by a file")
	if path != "" || !created || err != nil {
		t.Fatalf("InitialAdmin = %q, %v, %v", path, created, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Error("the password was written")
	}
	b.hasher.argon2 = deriveArgon2
	b.login(t, "admin", "given by a file")
}

func TestInitialAdminLeavesAnExistingOne(t *testing.T) {
	t.Parallel()
	b, dir := setup(t), t.TempDir()
	b.store.users = []ml.Credentials{{User: ml.User{ID: 1, Username: "root", Role: ml.RoleAdmin, Active: true}}}
	path, created, err := InitialAdmin(t.Context(), b.store, dir, "")
	if path != "" || created || err != nil {
		t.Errorf("InitialAdmin = %q, %v, %v", path, created, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Error("a password was written for nobody")
	}
}

func TestInitialAdminWhereTheNameIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.users = []ml.Credentials{{User: ml.User{ID: 1, Username: "admin", Role: ml.RoleUser, Active: true}}}
	if _, _, err := InitialAdmin(t.Context(), b.store, t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "user add") {
		t.Errorf("InitialAdmin = %v, want an error that says what to do", err)
	}
}

func TestDemoUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 2 {
		if made, err := DemoUsers(t.Context(), b.store); err != nil || made != (i == 0) {
			t.Fatalf("DemoUsers = %v, %v the %d. time", made, err, i+1)
		}
	}
	b.hasher.argon2 = deriveArgon2
	if who, _ := b.Verify(t.Context(), b.login(t, "admin", "admin123")); who.Role != ml.RoleAdmin {
		t.Errorf("admin has role %s", who.Role)
	}
	if who, _ := b.Verify(t.Context(), b.login(t, "testuser", "test123")); who.Role != ml.RoleUser {
		t.Errorf("testuser has role %s", who.Role)
	}
}

func TestDemoUsersAreNotAddedToAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "olga", "correct horse")
	if made, err := DemoUsers(t.Context(), b.store); err != nil || made {
		t.Fatalf("DemoUsers = %v, %v", made, err)
	}
	if users, err := b.store.Users(t.Context()); err != nil || len(users) != 1 {
		t.Errorf("%d accounts, %v; want olga's alone", len(users), err)
	}
}
