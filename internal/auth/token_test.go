package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

var testNow = time.Date(2026, 11, 23, 17, 0, 0, 250e6, time.UTC)

func testSecret() []byte { return []byte(strings.Repeat("k", 32)) }

func newTestSigner(t testing.TB, clock func() time.Time) *Signer {
	t.Helper()
	if clock == nil {
		clock = func() time.Time { return testNow }
	}
	s, err := NewSigner(testSecret(), clock)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignAndParse(t *testing.T) {
	t.Parallel()
	s := newTestSigner(t, nil)
	token, signed, err := s.sign(ml.Identity{UserID: 7, Username: "ann", Role: ml.RoleAdmin}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.parse(token)
	if err != nil {
		t.Fatal(err)
	}
	want := ml.Identity{
		UserID: 7, Username: "ann", Role: ml.RoleAdmin, TokenID: signed.TokenID,
		IssuedAt: testNow, ExpiresAt: testNow.Truncate(time.Second).Add(time.Hour),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parsed identity (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, signed); diff != "" {
		t.Errorf("signed identity (-want +got):\n%s", diff)
	}
}

// The claims by their registered names, for whoever reads the token elsewhere.
func TestTokenClaims(t *testing.T) {
	t.Parallel()
	token, who, _ := newTestSigner(t, nil).sign(ml.Identity{UserID: 7, Username: "ann", Role: ml.RoleUser}, TokenLife)
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	want := jwt.MapClaims{
		"sub": "7", "username": "ann", "role": "user", "jti": who.TokenID,
		"iat": float64(testNow.Unix()), "iat_ms": float64(testNow.UnixMilli()), "exp": float64(testNow.Unix() + 86400),
	}
	if diff := cmp.Diff(want, parsed.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if parsed.Header["alg"] != "HS256" || len(who.TokenID) != 22 {
		t.Errorf("alg %v, jti %q", parsed.Header["alg"], who.TokenID)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	s := newTestSigner(t, nil)
	valid := func() claims {
		return claims{
			Username: "ann", Role: ml.RoleUser, IssuedMS: testNow.UnixMilli(),
			RegisteredClaims: jwt.RegisteredClaims{Subject: "7", ID: "x", ExpiresAt: jwt.NewNumericDate(testNow.Add(time.Hour))},
		}
	}
	signed := func(m jwt.SigningMethod, key any, change func(*claims)) string {
		c := valid()
		if change != nil {
			change(&c)
		}
		token, err := jwt.NewWithClaims(m, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	hs := func(change func(*claims)) string { return signed(jwt.SigningMethodHS256, testSecret(), change) }
	good := hs(nil)
	if _, err := s.parse(good); err != nil {
		t.Fatalf("the valid token is refused: %v", err)
	}
	part := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	// The last character of a signature of 32 bytes holds two bits of padding.
	last := good[len(good)-1]
	twisted := good[:len(good)-1] + string(rune(last+1))

	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"empty":             {"", errMalformed},
		"words":             {"not a token", errMalformed},
		"two parts":         {part[0] + "." + part[1], errMalformed},
		"four parts":        {good + ".x", errMalformed},
		"no signature":      {part[0] + "." + part[1] + ".", errMalformed},
		"alg none":          {signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), errMalformed},
		"alg None, signed":  {b64([]byte(`{"alg":"None","typ":"JWT"}`)) + "." + part[1] + "." + part[2], errMalformed},
		"HS512":             {signed(jwt.SigningMethodHS512, testSecret(), nil), errMalformed},
		"other secret":      {signed(jwt.SigningMethodHS256, []byte(strings.Repeat("j", 32)), nil), errMalformed},
		"empty secret":      {signed(jwt.SigningMethodHS256, []byte{}, nil), errMalformed},
		"other payload":     {part[0] + "." + b64([]byte(`{"sub":"1","role":"admin","exp":9999999999}`)) + "." + part[2], errMalformed},
		"twisted signature": {twisted, errMalformed},
		"expired":           {hs(func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(testNow.Add(-6 * time.Second)) }), errExpired},
		"expired, forged": {signed(jwt.SigningMethodHS256, []byte(strings.Repeat("j", 32)), func(c *claims) {
			c.ExpiresAt = jwt.NewNumericDate(testNow.Add(-time.Hour))
		}), errMalformed},
		"without exp":       {hs(func(c *claims) { c.ExpiresAt = nil }), errMalformed},
		"not yet valid":     {hs(func(c *claims) { c.NotBefore = jwt.NewNumericDate(testNow.Add(time.Hour)) }), errMalformed},
		"without jti":       {hs(func(c *claims) { c.ID = "" }), errMalformed},
		"without iat_ms":    {hs(func(c *claims) { c.IssuedMS = 0 }), errMalformed},
		"sub in words":      {hs(func(c *claims) { c.Subject = "ann" }), errMalformed},
		"user 0":            {hs(func(c *claims) { c.Subject = "0" }), errMalformed},
		"negative user":     {hs(func(c *claims) { c.Subject = "-1" }), errMalformed},
		"service with user": {hs(func(c *claims) { c.Role = ml.RoleService }), errMalformed},
		"unknown role":      {hs(func(c *claims) { c.Role = "root" }), errMalformed},
		"too long":          {hs(func(c *claims) { c.Username = strings.Repeat("x", 1024) }), errMalformed},
	} {
		_, err := s.parse(tt.token)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if ml.CodeOf(err) != ml.CodeUnauthorized {
			t.Errorf("%s: code %q", name, ml.CodeOf(err))
		}
	}

	for name, token := range map[string]string{
		"just expired":       hs(func(c *claims) { c.ExpiresAt = jwt.NewNumericDate(testNow.Add(-4 * time.Second)) }),
		"issued an hour on":  hs(func(c *claims) { c.IssuedMS += 3600e3; c.IssuedAt = jwt.NewNumericDate(testNow.Add(time.Hour)) }),
		"unknown extra head": hs(nil),
	} {
		if _, err := s.parse(token); err != nil {
			t.Errorf("%s: %v, want it taken", name, err)
		}
	}
}

func TestSecretTooShort(t *testing.T) {
	t.Parallel()
	if _, err := NewSigner([]byte("too-short-to-be-told"), nil); err == nil || strings.Contains(err.Error(), "too-short") {
		t.Errorf("NewSigner = %v, want an error without the secret", err)
	}
}

func TestServiceTokens(t *testing.T) {
	t.Parallel()
	now := testNow
	s := newTestSigner(t, func() time.Time { return now })
	next := s.ServiceTokens("flow")
	first, err := next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who, err := s.parse(first)
	if err != nil || who.Role != ml.RoleService || who.UserID != 0 || who.Username != "flow" {
		t.Fatalf("identity %+v, %v", who, err)
	}
	now = now.Add(3 * time.Minute)
	if again, _ := next(t.Context()); again != first {
		t.Error("a token with two minutes left was not used again")
	}
	now = now.Add(90 * time.Second)
	if again, _ := next(t.Context()); again == first {
		t.Error("a token with thirty seconds left was used again")
	}
	if _, err := s.parse(first); err != nil {
		t.Errorf("the old token must still be valid: %v", err)
	}
	late, _ := next(t.Context())
	now = now.Add(-time.Hour)
	if again, _ := next(t.Context()); again == late {
		t.Error("after the clock was set back the old token is used for an hour longer")
	}
}
