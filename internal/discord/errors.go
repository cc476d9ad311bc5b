package discord

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"time"

	"iacontinu/internal/redact"
)

// Error is a message that was not sent.
type Error struct {
	// Status is the HTTP status of the answer, 0 if there was none.
	Status int

	text       string
	retryAfter time.Duration
	permanent  bool
	cause      error
}

// Error implements error. It holds nothing of the webhook's URL.
func (e *Error) Error() string { return e.text }

// Unwrap returns the cause, such as context.Canceled.
func (e *Error) Unwrap() error { return e.cause }

// RetryAfter is how long to wait before the next try; 0 if Discord named no time.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }

// Permanent reports whether no later try can succeed.
func (e *Error) Permanent() bool { return e.permanent }

func (e *Error) outcome() string {
	switch {
	case e.retryAfter > 0:
		return outcomeLimited
	case e.permanent:
		return outcomeRefused
	}
	return outcomeFailed
}

// networkError strips the URL that net/http puts around each of its errors.
func (c *Client) networkError(err error) *Error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	text := c.redact.Replace(err.Error())
	if text != err.Error() {
		err = nil // the cause would tell what its text must not
	}
	return &Error{text: "discord: no answer: " + text, cause: err}
}

// redactor hides the URL and each part of it that lets one write: the path, the id and the token, as
// given and as encoded.
func redactor(u *url.URL, raw string) *strings.Replacer {
	// The longest first: of two that begin at the same place the earlier is hidden.
	parts := []string{raw, u.String(), u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery}
	if dir, token := path.Split(strings.TrimSuffix(u.EscapedPath(), "/")); token != "" {
		parts = append(parts, token, path.Base(u.Path), path.Base(dir))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.String(), password)
	}
	return redact.Secrets(parts...)
}
