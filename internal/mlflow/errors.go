package mlflow

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"iacontinu/internal/redact"
)

// The error codes of MLflow that are told apart here.
const (
	codeMissing = "RESOURCE_DOES_NOT_EXIST"
	codeExists  = "RESOURCE_ALREADY_EXISTS"
	// codeDoubtful is the answer to a request that its database can't take, and as well to any while the
	// database can't be written, was cut off or has no connection left. Only time tells them apart.
	codeDoubtful = "BAD_REQUEST"
)

const maxRetryAfter = time.Hour // none is believed beyond

// Error is a call that came to nothing.
type Error struct {
	// Operation is what was asked for, such as runs/create.
	Operation string
	// Status is the HTTP status of the answer, 0 if there was none.
	Status int
	// Code is MLflow's error_code, empty if the answer has none.
	Code string

	text       string
	retryAfter time.Duration
	permanent  bool
	cause      error
}

// Error implements error. It holds no credential.
func (e *Error) Error() string { return "mlflow: " + e.Operation + ": " + e.text }

// Unwrap returns the cause, such as context.Canceled.
func (e *Error) Unwrap() error { return e.cause }

// RetryAfter is how long the server asks to wait before the next try; 0 if it named no time.
func (e *Error) RetryAfter() time.Duration { return e.retryAfter }

// Permanent reports whether no later try of the same can succeed: the server understood it and refuses
// it for what it says. What somebody may mend, such as a wrong password, is not permanent.
func (e *Error) Permanent() bool { return e.permanent }

// hasCode reports whether err is MLflow's error of that code.
func hasCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// failure is an error without an answer to blame, worth another try.
func (c *Client) failure(operation, text string) *Error {
	return &Error{Operation: operation, text: text}
}

// judge makes an error of an answer that is not a success.
func (c *Client) judge(operation string, resp *http.Response, answer []byte) *Error {
	e := &Error{Operation: operation, Status: resp.StatusCode, retryAfter: retryAfter(resp.Header)}
	var words string
	e.Code, words = c.reason(answer)
	switch status := resp.StatusCode; {
	case status >= 300 && status < 400:
		words = "a redirect, which is not followed; is MLFLOW_TRACKING_URI right?"
	case status == http.StatusUnauthorized:
		words = "who we are is not accepted; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN: " + words
	case status == http.StatusForbidden:
		words = "not allowed; give the user of MLFLOW_TRACKING_USERNAME or MLFLOW_TRACKING_TOKEN the right to edit, " +
			"or start the server with our name for it among its --allowed-hosts: " + words
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500, e.Code == codeMissing:
	case status == http.StatusRequestEntityTooLarge:
		e.permanent = true
	case e.Code == "":
		words = "this is no answer of MLflow; is MLFLOW_TRACKING_URI right? " + words
	case e.Code == codeDoubtful:
	default:
		e.permanent = true
	}
	e.text = strings.TrimSpace(fmt.Sprintf("answered %d %s: %s", e.Status, e.Code, words))
	return e
}

// reason is what an answer says, cut short after secrets were taken out: half a one would not be found.
func (c *Client) reason(answer []byte) (code, words string) {
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &body) == nil && body.Code != "" {
		return body.Code, truncate(c.redact.Replace(body.Message), 400)
	}
	return "", truncate(strings.Join(strings.Fields(strings.ToValidUTF8(c.redact.Replace(string(answer)), "?")), " "), 200)
}

func retryAfter(h http.Header) time.Duration {
	s, err := strconv.ParseFloat(h.Get("Retry-After"), 64)
	if err != nil || !(s > 0) {
		return 0
	}
	return time.Duration(min(s, maxRetryAfter.Seconds()) * float64(time.Second))
}

// networkError strips the URL that net/http puts around each of its errors.
func (c *Client) networkError(operation string, err error) *Error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	e := &Error{Operation: operation, text: "no answer: " + c.redact.Replace(err.Error()), cause: err}
	if untrusted := (*tls.CertificateVerificationError)(nil); errors.As(err, &untrusted) {
		e.text += "; trust it by MLFLOW_TRACKING_SERVER_CERT_PATH"
	}
	if c.redact.Replace(err.Error()) != err.Error() {
		e.cause = nil // it would tell what the text must not
	}
	return e
}

// redactor hides the credentials wherever they are repeated.
func redactor(o Options) *strings.Replacer {
	address := o.URL
	if u, err := url.Parse(o.URL); err != nil || u.User == nil {
		address = "" // it is no secret
	}
	both := ""
	if o.Password != "" {
		both = o.Username + ":" + o.Password
	}
	return redact.Secrets(address, o.Token, both, o.Password)
}

// truncate cuts a text to n bytes at most, at the edge of a character.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const more = "..."
	n -= len(more)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + more
}
