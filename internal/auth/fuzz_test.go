package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iacontinu/internal/ml"
)

// FuzzVerify looks for a token that is taken though it was not signed here, and for a panic. A token
// is taken with its signature only, so any change to it must be refused.
func FuzzVerify(f *testing.F) {
	s := newTestSigner(f, nil)
	svc, err := New(f.Context(), Options{Signer: s, Users: &memory{users: []ml.Credentials{{User: ml.User{ID: 7, Username: "ann", Active: true}}}}, Revocations: &memory{}, CacheSize: 8})
	if err != nil {
		f.Fatal(err)
	}
	// The same in each of the processes that go fuzzing.
	who := ml.Identity{
		UserID: 7, Username: "ann", Role: ml.RoleUser, TokenID: "fixed",
		IssuedAt: testNow, ExpiresAt: testNow.Truncate(time.Second).Add(TokenLife),
	}
	valid, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Username: who.Username, Role: who.Role, IssuedMS: who.IssuedAt.UnixMilli(),
		RegisteredClaims: jwt.RegisteredClaims{Subject: "7", ID: who.TokenID, ExpiresAt: jwt.NewNumericDate(who.ExpiresAt)},
	}).SignedString(testSecret())
	if err != nil {
		f.Fatal(err)
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "1", "role": "admin"}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		f.Fatal(err)
	}
	part := strings.Split(valid, ".")
	for _, seed := range []string{valid, none, "", "..", "a.b.c", part[0] + "." + part[1] + ".", part[0] + ".e30." + part[2], valid + " ", "Bearer " + valid} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		for range 2 { // the second time by way of the cache
			got, err := svc.Verify(t.Context(), token)
			if token == valid {
				if err != nil || got != who {
					t.Fatalf("the valid token: %+v, %v", got, err)
				}
				continue
			}
			if err == nil {
				t.Fatalf("taken: %q as %+v", token, got)
			}
			if ml.CodeOf(err) != ml.CodeUnauthorized {
				t.Fatalf("code %q for %q", ml.CodeOf(err), token)
			}
		}
	})
}
