package redact_test

import (
	"testing"

	"iacontinu/internal/redact"
)

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
