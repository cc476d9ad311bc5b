package auth

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"iacontinu/internal/ml"
)

// Parameters of argon2id: the first recommendation for interactive logins of the OWASP Password
// Storage Cheat Sheet.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonKey     = 32 // bytes
	argonSalt    = 16 // bytes
)

// PBKDF2-HMAC-SHA256 as the earlier system used it: the salt is the text of its 64 hexadecimal
// digits, not the bytes that they stand for.
const (
	pbkdf2Rounds = 100_000
	pbkdf2Key    = 32 // bytes
)

// Bounds of a new password, in characters.
const (
	MinPassword = 8
	MaxPassword = 128
)

// hashingPatience is how long a login waits for its turn at hashing.
const hashingPatience = 10 * time.Second

// CheckPassword returns an error that names the field location if the password may not be chosen.
func CheckPassword(password, location string) error {
	n := utf8.RuneCountInString(password)
	if n >= MinPassword && n <= MaxPassword {
		return nil
	}
	wrong := &ml.Error{
		Code: ml.CodeInvalid, Message: "the password is too short or too long",
		Fields: []ml.FieldError{{Location: location, Message: fmt.Sprintf("must have %d to %d characters, has %d", MinPassword, MaxPassword, n)}},
	}
	return wrong.Says("error.password", map[string]any{"least": MinPassword, "most": MaxPassword})
}

// hasher hashes and checks passwords, few at a time: each takes 19 MiB and a core for a while, and
// requests must go on being served.
type hasher struct {
	turns  chan struct{}
	argon2 func(password, salt []byte, p argonParams) []byte
	pbkdf2 func(password, salt string) ([]byte, error)
	// nobody is what a password is checked against if there is no such user, so that the answer
	// takes as long.
	nobody ml.Credentials
}

type argonParams struct {
	memory, time uint32
	threads      uint8
	keyLen       uint32
}

func newHasher(atOnce int) *hasher {
	h := &hasher{turns: make(chan struct{}, atOnce), argon2: deriveArgon2, pbkdf2: derivePBKDF2}
	salt, key := make([]byte, argonSalt), make([]byte, argonKey)
	rand.Read(salt) // never fails (crypto/rand)
	rand.Read(key)  // the key of no password that anybody knows
	h.nobody.PasswordHash = formatPHC(present(), salt, key)
	return h
}

func present() argonParams { return argonParams{argonMemory, argonTime, argonThreads, argonKey} }

func deriveArgon2(password, salt []byte, p argonParams) []byte {
	return argon2.IDKey(password, salt, p.time, p.memory, p.threads, p.keyLen)
}

func derivePBKDF2(password, salt string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, []byte(salt), pbkdf2Rounds, pbkdf2Key)
}

// turn waits until hashing may begin; call done afterwards.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	wait, cancel := context.WithTimeout(ctx, hashingPatience)
	defer cancel()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-wait.Done():
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("auth: wait for hashing: %w", err)
		}
		return nil, ml.Errorf(ml.CodeUnavailable, "too many logins at once: try again in a moment").Says("error.logins", nil)
	}
}

// hash returns the argon2id PHC string of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, argonSalt)
	rand.Read(salt) // never fails
	return formatPHC(present(), salt, h.argon2([]byte(password), salt, present())), nil
}

// check reports whether the password is the one of the credentials and whether its hash should be
// replaced by a present one. A wrong password costs the same whichever way the right one is kept
// and whether or not there is such a user: both derivations are made.
func (h *hasher) check(ctx context.Context, password string, c ml.Credentials) (ok, stale bool, err error) {
	done, err := h.turn(ctx)
	if err != nil {
		return false, false, err
	}
	defer done()
	if strings.HasPrefix(c.PasswordHash, "$") {
		ok, stale, err = h.checkArgon2(password, c.PasswordHash)
		if err == nil && !ok {
			_, err = h.pbkdf2(password, c.PasswordHash)
		}
		return ok, stale, err
	}
	ok, err = h.checkPBKDF2(password, c)
	if err == nil && !ok {
		_, _, err = h.checkArgon2(password, h.nobody.PasswordHash)
	}
	return ok, true, err
}

func (h *hasher) checkArgon2(password, phc string) (ok, stale bool, err error) {
	p, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, false, err
	}
	got := h.argon2([]byte(password), salt, p)
	return subtle.ConstantTimeCompare(got, want) == 1, p != present(), nil
}

func (h *hasher) checkPBKDF2(password string, c ml.Credentials) (bool, error) {
	want, err := hex.DecodeString(c.PasswordHash)
	if err != nil || len(want) != pbkdf2Key || c.Salt == "" {
		return false, errors.New("auth: stored password hash has an unknown format")
	}
	got, err := h.pbkdf2(password, c.Salt)
	if err != nil {
		return false, fmt.Errorf("auth: derive key: %w", err)
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func formatPHC(p argonParams, salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads, b64(salt), b64(key))
}

// parsePHC reads $argon2id$v=19$m=19456,t=2,p=1$salt$key. Errors don't repeat the hash.
func parsePHC(phc string) (p argonParams, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errors.New("auth: stored password hash is not argon2id of this version")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); err != nil {
		return p, nil, nil, errors.New("auth: stored password hash has unreadable parameters")
	}
	// The bounds keep a damaged row from taking all memory or hours.
	if p.memory < 8 || p.memory > 1<<20 || p.time < 1 || p.time > 64 || p.threads < 1 {
		return p, nil, nil, errors.New("auth: stored password hash has parameters out of bounds")
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(salt) < 8 || len(key) < 16 {
		return p, nil, nil, errors.New("auth: stored password hash has an unreadable salt or key")
	}
	p.keyLen = uint32(len(key))
	return p, salt, key, nil
}
