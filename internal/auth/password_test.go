package auth

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"iacontinu/internal/ml"
)

// legacy is "test123" as the earlier system kept it, made with Python:
// hashlib.pbkdf2_hmac('sha256', b'test123', ('0f'*32).encode(), 100000).hex()
func legacy() ml.Credentials {
	return ml.Credentials{
		PasswordHash: "1f3a505f4cad8310e82b4aed2be4900e221263263bb4e984f9ebe3be00251087",
		Salt:         strings.Repeat("0f", 32),
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	h := newHasher(2)
	fresh, err := h.hash(t.Context(), "s3cret-pass")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(fresh, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %s, want the parameters 19456, 2, 1", fresh)
	}
	// Test vector of the reference implementation (phc-winner-argon2, src/test.c).
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

	for _, tt := range []struct {
		name, password string
		c              ml.Credentials
		ok, stale      bool
	}{
		{"fresh, right", "s3cret-pass", ml.Credentials{PasswordHash: fresh}, true, false},
		{"fresh, wrong", "s3cret-pasS", ml.Credentials{PasswordHash: fresh}, false, false},
		{"other parameters, right", "password", ml.Credentials{PasswordHash: reference}, true, true},
		{"legacy, right", "test123", legacy(), true, true},
		{"legacy, wrong", "test124", legacy(), false, true},
		{"nobody", "", h.nobody, false, false},
	} {
		ok, stale, err := h.check(t.Context(), tt.password, tt.c)
		if err != nil || ok != tt.ok || stale != tt.stale {
			t.Errorf("%s: check = %v, %v, %v, want %v, %v", tt.name, ok, stale, err, tt.ok, tt.stale)
		}
	}
}

func TestHashIsSalted(t *testing.T) {
	t.Parallel()
	h := newHasher(2)
	a, _ := h.hash(t.Context(), "same")
	b, _ := h.hash(t.Context(), "same")
	if a == b {
		t.Error("two hashes of one password are equal")
	}
}

func TestDamagedHashIsAnErrorWithoutTheHash(t *testing.T) {
	t.Parallel()
	h := newHasher(2)
	for _, stored := range []string{
		"", "plaintext", "$argon2id$", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA",
		"$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=0$c29tc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$!!!!",
		strings.Repeat("zz", 32),
	} {
		ok, _, err := h.check(t.Context(), "x", ml.Credentials{PasswordHash: stored, Salt: "s"})
		if ok || err == nil {
			t.Errorf("check(%q) = %v, %v, want an error", stored, ok, err)
		} else if len(stored) > 9 && strings.Contains(err.Error(), stored) {
			t.Errorf("error repeats the hash: %v", err)
		}
	}
}

// A stranger must not learn from the time of the answer whether a name is taken, nor which kind of
// hash it has: every failure makes both derivations.
func TestFailuresCostTheSame(t *testing.T) {
	t.Parallel()
	h := newHasher(1)
	var argon, pb atomic.Int32
	realArgon, realPB := h.argon2, h.pbkdf2
	h.argon2 = func(p, s []byte, a argonParams) []byte { argon.Add(1); return realArgon(p, s, a) }
	h.pbkdf2 = func(p, s string) ([]byte, error) { pb.Add(1); return realPB(p, s) }
	fresh, _ := h.hash(t.Context(), "right")
	for name, c := range map[string]ml.Credentials{"argon2id": {PasswordHash: fresh}, "legacy": legacy(), "nobody": h.nobody} {
		argon.Store(0)
		pb.Store(0)
		if ok, _, err := h.check(t.Context(), "wrong", c); ok || err != nil {
			t.Fatalf("%s: check = %v, %v", name, ok, err)
		}
		if argon.Load() != 1 || pb.Load() != 1 {
			t.Errorf("%s: %d argon2id and %d PBKDF2 derivations, want 1 and 1", name, argon.Load(), pb.Load())
		}
	}
}

func TestHashingIsBoundedAndObeysContext(t *testing.T) {
	t.Parallel()
	h := newHasher(2)
	var running, most atomic.Int32
	entered, release := make(chan struct{}, 3), make(chan struct{})
	h.argon2 = func([]byte, []byte, argonParams) []byte {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		entered <- struct{}{}
		<-release
		return make([]byte, argonKey)
	}
	done := make(chan error, 3)
	for range 3 {
		go func() { _, err := h.hash(t.Context(), "x"); done <- err }()
	}
	<-entered
	<-entered // both turns are taken, and stay so until release
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("hash with a cancelled context = %v, want context.Canceled", err)
	}
	close(release)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != 2 {
		t.Errorf("%d at once, want 2", most.Load())
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for password, ok := range map[string]bool{
		"1234567": false, "12345678": true, strings.Repeat("é", 8): true, strings.Repeat("é", 7): false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
	} {
		err := CheckPassword(password, "body.password")
		if (err == nil) != ok {
			t.Errorf("CheckPassword(%d bytes) = %v, want ok %v", len(password), err, ok)
		}
		var e *ml.Error
		if err != nil && (!errors.As(err, &e) || e.Code != ml.CodeInvalid || e.Fields[0].Location != "body.password") {
			t.Errorf("error does not name the field: %#v", err)
		}
	}
}
