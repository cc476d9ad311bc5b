// Package redact hides secrets in what is logged and kept of the answers of others.
package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// Secrets returns what hides secrets wherever they are repeated, as they are or encoded: a header of
// basic authentication holds "user:password" in base64, an answer in JSON has quotes and backslashes escaped.
// What has less than three characters is no secret.
func Secrets(secrets ...string) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if len(s) < 3 {
			continue
		}
		for _, form := range []string{s, base64.StdEncoding.EncodeToString([]byte(s)), url.QueryEscape(s), url.PathEscape(s), inJSON(s)} {
			pairs = append(pairs, form, "[redacted]")
		}
	}
	return strings.NewReplacer(pairs...)
}

// inJSON is a text as it stands between the quotes of JSON.
func inJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)  // as few besides Go do
	if e.Encode(s) != nil { // no text does that
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}
