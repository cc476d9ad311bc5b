package auth

import (
	"errors"
	"fmt"
	"net/mail"
	"regexp"

	"iacontinu/internal/ml"
)

// userName is what an account may be called. No name has a colon, which marks the processes of the
// platform in records, nor anything that a terminal or a log would take for its own.
var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{2,63}$`)

const maxEmail = 254 // RFC 5321, section 4.5.3.1.3

// checkAccount returns an error that names each field of a new account that is wrong.
func checkAccount(u ml.User, password string) error {
	wrong := &ml.Error{Code: ml.CodeInvalid, Message: "the account can't be made"}
	refuse := func(location, message, code string) {
		wrong.Fields = append(wrong.Fields, ml.FieldError{Location: location, Message: message})
		wrong = wrong.Says(code, nil)
	}
	if !userName.MatchString(u.Username) {
		refuse("body.username", "must have 3 to 64 letters, digits and . _ @ -, a letter or digit first", "error.username")
	}
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > maxEmail {
		refuse("body.email", "must be an address such as name@example.org", "error.email")
	}
	if u.Role != ml.RoleUser && u.Role != ml.RoleAdmin && u.Role != "" {
		refuse("body.role", fmt.Sprintf("must be %s or %s", ml.RoleUser, ml.RoleAdmin), "error.role")
	}
	var short *ml.Error
	if errors.As(CheckPassword(password, "body.password"), &short) {
		wrong.Fields, wrong.Remarks = append(wrong.Fields, short.Fields...), append(wrong.Remarks, short.Remarks...)
	}
	if wrong.Fields == nil {
		return nil
	}
	return wrong
}
