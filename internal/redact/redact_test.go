package redact_test

import (
	"encoding/json"
	"strings"
	"testing"

	"iacontinu/internal/redact"
)

func TestSecretsAreHiddenInJSON(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{`pass"word`, `pass\word`, `pass<&"`, "pass\tword", `"""`} {
		text, err := json.Marshal(map[string]string{"detail": "no " + secret + " here"})
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.NewReplacer(`\u003c`, "<", `\u0026`, "&").Replace(string(text)) // as most programs write it
		if got, want := redact.Secrets(secret).Replace(plain), `{"detail":"no [redacted] here"}`; got != want {
			t.Errorf("%s became %s, want %s", plain, got, want)
		}
	}
}

func TestSecretsAreHiddenInEveryForm(t *testing.T) {
	t.Parallel()
	r := redact.Secrets("me:p w/x", "", "ab", "tok-en")
	for text, want := range map[string]string{
		"Basic bWU6cCB3L3g= was refused": "Basic [redacted] was refused", "tok-en": "[redacted]",
		"me:p w/x": "[redacted]", "?u=me%3Ap+w%2Fx": "?u=[redacted]", "/me:p%20w%2Fx/": "/[redacted]/", "ab and all": "ab and all",
	} {
		if got := r.Replace(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
