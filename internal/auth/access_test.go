package auth

import (
	"testing"

	"iacontinu/internal/ml"
)

// What a token says of a role ends with the role, at once.
func TestSetAccessEndsTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	token := b.login(t, "ann", "correct horse")
	if _, err := b.Verify(t.Context(), token); err != nil { // and it is remembered
		t.Fatal(err)
	}
	admin, no := ml.RoleAdmin, false
	if u, err := b.SetAccess(t.Context(), "ann", ml.Access{Role: &admin}); err != nil || u.Role != ml.RoleAdmin {
		t.Fatalf("%+v, %v", u, err)
	}
	if _, err := b.Verify(t.Context(), token); ml.CodeOf(err) != ml.CodeUnauthorized {
		t.Errorf("the token of before: %v", err)
	}
	if who, err := b.Verify(t.Context(), b.login(t, "ann", "correct horse")); err != nil || who.Role != ml.RoleAdmin {
		t.Errorf("a new one: %+v, %v", who, err)
	}
	if _, err := b.SetAccess(t.Context(), "ann", ml.Access{Active: &no}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Login(t.Context(), "ann", "correct horse"); ml.CodeOf(err) != ml.CodeUnauthorized {
		t.Errorf("a login to an account that is shut: %v", err)
	}
}
