package auth

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// memory is a store of users and revocations that several services share.
type memory struct {
	mu          sync.Mutex
	users       []ml.Credentials
	revocations []ml.Revocation
	logins      map[int64]int
	fail        error
}

func (m *memory) Credentials(_ context.Context, username string) (ml.Credentials, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return ml.Credentials{}, m.fail
	}
	for _, c := range m.users {
		if c.Username == username {
			return c, nil
		}
	}
	return ml.Credentials{}, ml.Errorf(ml.CodeNotFound, "no user %q", username)
}

func (m *memory) Users(context.Context) ([]ml.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]ml.User, len(m.users))
	for i, c := range m.users {
		out[i] = c.User
	}
	return out, m.fail
}

func (m *memory) CreateUser(_ context.Context, c ml.Credentials) (ml.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, old := range m.users {
		if old.Username == c.Username || old.Email == c.Email {
			return ml.User{}, ml.Errorf(ml.CodeConflict, "exists already")
		}
	}
	c.ID = int64(len(m.users) + 1)
	m.users = append(m.users, c)
	return c.User, nil
}

func (m *memory) change(id int64, oldHash, newHash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &m.users[id-1]
	if oldHash == "" || c.PasswordHash == oldHash {
		c.PasswordHash, c.Salt = newHash, ""
	}
	return nil
}

func (m *memory) SetPassword(ctx context.Context, id int64, hash string, r ml.Revocation) error {
	if err := m.change(id, "", hash); err != nil {
		return err
	}
	return m.Revoke(ctx, r)
}

func (m *memory) SetAccess(ctx context.Context, username string, a ml.Access, r ml.Revocation) (ml.User, error) {
	c, err := m.Credentials(ctx, username)
	if err != nil {
		return ml.User{}, err
	}
	m.mu.Lock()
	u := &m.users[c.ID-1].User
	if a.Role != nil {
		u.Role = *a.Role
	}
	if a.Active != nil {
		u.Active = *a.Active
	}
	changed := *u
	m.mu.Unlock()
	r.UserID = changed.ID
	return changed, m.Revoke(ctx, r)
}

func (m *memory) UpgradeHash(_ context.Context, id int64, oldHash, newHash string) error {
	return m.change(id, oldHash, newHash)
}

func (m *memory) RecordLogin(_ context.Context, id int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.logins[id]++
	return nil
}

func (m *memory) Revoke(_ context.Context, r ml.Revocation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.ID = int64(len(m.revocations) + 1)
	m.revocations = append(m.revocations, r)
	return m.fail
}

func (m *memory) Revocations(_ context.Context, after int64) ([]ml.Revocation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	return m.revocations[after:], nil
}

type testBundle struct {
	store *memory
	now   time.Time
	log   strings.Builder
	*Service
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{store: &memory{logins: map[int64]int{}}, now: testNow}
	b.Service = b.another(t)
	return b
}

// another returns a service of another process on the same store.
func (b *testBundle) another(t *testing.T) *Service {
	t.Helper()
	s, err := New(t.Context(), Options{
		Signer: newTestSigner(t, func() time.Time { return b.now }), Users: b.store, Revocations: b.store,
		Interval: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	// Derivations that cost nothing: what is tested here is what is done with their answers.
	s.hasher.argon2 = func(password, salt []byte, p argonParams) []byte {
		return pbkdf2Once(string(password), string(salt), int(p.keyLen))
	}
	s.hasher.pbkdf2 = func(password, salt string) ([]byte, error) { return pbkdf2Once(password, salt, pbkdf2Key), nil }
	return s
}

func pbkdf2Once(password, salt string, n int) []byte {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), 1, n)
	if err != nil {
		panic(err)
	}
	return key
}

func (b *testBundle) register(t *testing.T, name, password string) {
	t.Helper()
	if _, err := b.Register(t.Context(), ml.User{Username: name, Email: name + "@x.example"}, password); err != nil {
		t.Fatal(err)
	}
}

func (b *testBundle) login(t *testing.T, name, password string) string {
	t.Helper()
	token, _, err := b.Login(t.Context(), name, password)
	if err != nil {
		t.Fatalf("login of %s: %v", name, err)
	}
	return token
}

func TestLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	token, who, err := b.Login(t.Context(), "ann", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if who.UserID != 1 || who.Role != ml.RoleUser || who.ExpiresAt.Sub(who.IssuedAt.Truncate(time.Second)) != TokenLife {
		t.Errorf("identity %+v", who)
	}
	for range 2 { // a miss, then a hit
		if got, err := b.Verify(t.Context(), token); err != nil || got != who {
			t.Errorf("Verify = %+v, %v, want %+v", got, err, who)
		}
	}
	if b.store.logins[1] != 1 {
		t.Errorf("%d logins recorded, want 1", b.store.logins[1])
	}

	b.register(t, "bob", "correct horse")
	b.store.users[1].Active = false
	for _, c := range [][2]string{{"ann", "wrong horse"}, {"ann", ""}, {"nobody", "correct horse"}, {"bob", "correct horse"}} {
		if _, _, err := b.Login(t.Context(), c[0], c[1]); !errors.Is(err, errLogin) {
			t.Errorf("login of %s with %q: %v, want %v", c[0], c[1], err, errLogin)
		}
	}
	if b.store.logins[1] != 1 {
		t.Error("a failed login was recorded as one")
	}
}

func TestLoginWhileStoreIsDown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.fail = ml.Errorf(ml.CodeUnavailable, "locked")
	if _, _, err := b.Login(t.Context(), "ann", "x"); ml.CodeOf(err) != ml.CodeUnavailable {
		t.Errorf("login = %v, want the store's error", err)
	}
}

func TestLegacyHashIsUpgradedAtLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := legacy()
	c.User = ml.User{ID: 1, Username: "testuser", Active: true} // the old table may have no role
	b.store.users = []ml.Credentials{c}
	b.hasher.pbkdf2 = derivePBKDF2
	b.login(t, "testuser", "test123")
	if got := b.store.users[0].PasswordHash; !strings.HasPrefix(got, "$argon2id$") {
		t.Errorf("hash after login = %s, want argon2id", got)
	}
	upgraded := b.store.users[0].PasswordHash
	b.login(t, "testuser", "test123")
	if b.store.users[0].PasswordHash != upgraded {
		t.Error("an up-to-date hash was replaced")
	}
	if strings.Contains(b.log.String(), "test123") || strings.Contains(b.log.String(), upgraded) {
		t.Errorf("the log holds a secret: %s", b.log.String())
	}
}

func TestLogoutRevokesEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	other := b.another(t)
	token, kept := b.login(t, "ann", "correct horse"), b.login(t, "ann", "correct horse")
	for _, s := range []*Service{b.Service, other} {
		if _, err := s.Verify(t.Context(), token); err != nil { // now both have it in their cache
			t.Fatal(err)
		}
	}
	who, _ := b.Verify(t.Context(), token)
	if err := b.Logout(t.Context(), who); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(t.Context(), token); !errors.Is(err, errRevoked) {
		t.Errorf("here: %v, want revoked at once", err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	stopped := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { stopped <- other.Run(running) }()
	for {
		if _, err := other.Verify(t.Context(), token); errors.Is(err, errRevoked) {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("elsewhere: still valid after a second")
		}
	}
	if _, err := other.Verify(t.Context(), kept); err != nil {
		t.Errorf("the user's other token: %v, want it valid", err)
	}
	if _, err := b.another(t).Verify(t.Context(), token); !errors.Is(err, errRevoked) {
		t.Error("a process started later takes the revoked token")
	}
	stop()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// The change and the new login fall into one second, even into one millisecond: the clock stands.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	b.register(t, "bob", "correct horse")
	old, bobs := b.login(t, "ann", "correct horse"), b.login(t, "bob", "correct horse")
	who, _ := b.Verify(t.Context(), old)

	var e *ml.Error
	if _, _, err := b.ChangePassword(t.Context(), who, "wrong", "battery staple"); !errors.As(err, &e) || e.Code != ml.CodeInvalid || e.Fields[0].Location != "body.old_password" {
		t.Errorf("wrong old password: %v", err)
	}
	if _, _, err := b.ChangePassword(t.Context(), who, "correct horse", "short"); !errors.As(err, &e) || e.Fields[0].Location != "body.new_password" {
		t.Errorf("short new password: %v", err)
	}
	if _, err := b.Verify(t.Context(), old); err != nil {
		t.Errorf("after refused changes the token is %v", err)
	}

	fresh, _, err := b.ChangePassword(t.Context(), who, "correct horse", "battery staple")
	if err != nil {
		t.Fatal(err)
	}
	later := b.login(t, "ann", "battery staple")
	other := b.another(t)
	for name, s := range map[string]*Service{"here": b.Service, "elsewhere": other} {
		if _, err := s.Verify(t.Context(), old); !errors.Is(err, errRevoked) {
			t.Errorf("%s: the old token: %v, want revoked", name, err)
		}
		for _, token := range []string{fresh, later, bobs} {
			if _, err := s.Verify(t.Context(), token); err != nil {
				t.Errorf("%s: a token that must stay: %v", name, err)
			}
		}
	}
	if _, _, err := b.Login(t.Context(), "ann", "correct horse"); !errors.Is(err, errLogin) {
		t.Errorf("login with the old password: %v", err)
	}
}

func TestClockSetBackAfterPasswordChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	if err := b.SetPassword(t.Context(), 1, "battery staple"); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(-time.Hour)
	if _, err := b.Verify(t.Context(), b.login(t, "ann", "battery staple")); err != nil {
		t.Errorf("a login an hour before the change by the clock: %v", err)
	}
}

// TestTokenOfNoAccount: a secret outlives a database. A right signature is not enough where the account
// is gone, shut, or somebody else's; the platform's own processes never had one.
func TestTokenOfNoAccount(t *testing.T) {
	t.Parallel()
	ann := ml.User{ID: 1, Username: "ann", Role: ml.RoleAdmin, Active: true}
	for name, tt := range map[string]struct {
		change func(*ml.User)
		want   error
	}{
		"as it was":             {func(*ml.User) {}, nil},
		"not there":             {func(u *ml.User) { u.Username = "eve" }, errNoAccount},
		"not active":            {func(u *ml.User) { u.Active = false }, errNoAccount},
		"the id of another one": {func(u *ml.User) { u.ID = 2 }, errNoAccount},
		"no admin any more":     {func(u *ml.User) { u.Role = ml.RoleUser }, errNoAccount},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			token, _, err := b.signer.sign(ml.Identity{UserID: ann.ID, Username: ann.Username, Role: ann.Role}, TokenLife)
			if err != nil {
				t.Fatal(err)
			}
			now := ann
			tt.change(&now)
			b.store.users = []ml.Credentials{{User: now}}
			if _, err := b.Verify(t.Context(), token); !errors.Is(err, tt.want) {
				t.Errorf("Verify = %v, want %v", err, tt.want)
			}
		})
	}
	b := setup(t)
	b.store.fail = ml.Errorf(ml.CodeUnavailable, "locked")
	token, _, _ := b.signer.sign(ml.Identity{UserID: 1, Username: "ann", Role: ml.RoleUser}, TokenLife)
	if _, err := b.Verify(t.Context(), token); ml.CodeOf(err) != ml.CodeUnavailable {
		t.Errorf("while the store is down: %v, want its error", err)
	}
	service, _ := b.signer.ServiceToken("flow", time.Minute)
	if who, err := b.Verify(t.Context(), service); err != nil || who.Role != ml.RoleService {
		t.Errorf("a service: %+v, %v", who, err)
	}
}

func TestTokenExpiresInTheCacheToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	token := b.login(t, "ann", "correct horse")
	if _, err := b.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(TokenLife + leeway)
	if _, err := b.Verify(t.Context(), token); !errors.Is(err, errExpired) {
		t.Errorf("after its life: %v, want expired", err)
	}
}

func TestRevocationsAreForgottenWhenUseless(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	who, _ := b.Verify(t.Context(), b.login(t, "ann", "correct horse"))
	if err := errors.Join(b.Logout(t.Context(), who), b.revoke(t.Context(), b.revocationOf(1))); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(48 * time.Hour)
	if err := b.revoke(t.Context(), b.revocationOf(2)); err != nil {
		t.Fatal(err)
	}
	if n, m := len(b.revoked.tokens), len(b.revoked.users); n != 0 || m != 1 {
		t.Errorf("%d tokens and %d users remembered, want 0 and 1", n, m)
	}
}

func TestVerifyHitDoesNotAllocate(t *testing.T) {
	b := setup(t)
	b.register(t, "ann", "correct horse")
	token := b.login(t, "ann", "correct horse")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := b.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := b.opt
	for name, change := range map[string]func(*Options){
		"required":  func(o *Options) { o.Signer = nil },
		"Interval":  func(o *Options) { o.Interval = time.Minute },
		"CacheSize": func(o *Options) { o.CacheSize = -1 },
		"Hashing":   func(o *Options) { o.Hashing = 1000 },
	} {
		o := good
		change(&o)
		if _, err := New(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
}
