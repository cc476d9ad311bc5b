package auth

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/ml"
)

func TestRegisterRefusesWhatIsNoAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct {
		user  ml.User
		wrong []string
	}{
		{ml.User{Username: "ann", Email: "ann@x.example"}, nil},
		{ml.User{Username: "bob", Email: "bob@localhost", Role: ml.RoleAdmin}, nil},
		{ml.User{Username: "", Email: "c@x.example"}, []string{"body.username"}},
		{ml.User{Username: "service:cli", Email: "d@x.example"}, []string{"body.username"}},
		{ml.User{Username: "bad name\nx", Email: "nonsense", Role: "boss"}, []string{"body.username", "body.email", "body.role"}},
		{ml.User{Username: "eve", Email: "Eve <eve@x.example>"}, []string{"body.email"}},
		{ml.User{Username: "flow", Email: "f@x.example", Role: ml.RoleService}, []string{"body.role"}},
		{ml.User{Username: " ann", Email: "h@x.example"}, []string{"body.username"}},
		{ml.User{Username: "ann\n", Email: "i@x.example"}, []string{"body.username"}},
		{ml.User{Username: strings.Repeat("n", 65), Email: "g@x.example"}, []string{"body.username"}},
	} {
		_, err := b.Register(t.Context(), tt.user, "correct horse")
		var wrong []string
		var problem *ml.Error
		if errors.As(err, &problem) {
			for _, f := range problem.Fields {
				wrong = append(wrong, f.Location)
			}
		}
		if !slices.Equal(wrong, tt.wrong) || (err == nil) != (tt.wrong == nil) {
			t.Errorf("%+v: %v, want %v to be wrong", tt.user, err, tt.wrong)
		}
	}
}

// TestARoleOfTheEarlierSystemMayDoTheLeast: its accounts may have roles that mean nothing here.
func TestARoleOfTheEarlierSystemMayDoTheLeast(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.register(t, "ann", "correct horse")
	b.store.users[0].Role = "manager"
	who, err := b.Verify(t.Context(), b.login(t, "ann", "correct horse"))
	if err != nil || who.Role != ml.RoleUser {
		t.Fatalf("%+v, %v; want a token of role user", who, err)
	}
}
