package prefect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"iacontinu/internal/tracing"
)

const (
	apiVersion    = "0.8.4"
	maxAnswer     = 8 << 20 // bytes
	maxTries      = 4
	patientTries  = 7 // six seconds
	firstBackoff  = 100 * time.Millisecond
	maxRetryAfter = 10 * time.Second
)

// Error is the server's answer that it did not do what it was asked.
type Error struct {
	Operation  string
	Status     int
	Detail     string // in the server's words
	retryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("prefect: %s: answered %d", e.Operation, e.Status)
	switch {
	case e.Status == http.StatusUnauthorized:
		return text + ": mend PREFECT_API_AUTH_STRING (a server with basic authentication) or PREFECT_API_KEY"
	case e.Status >= 300 && e.Status < 400:
		return text + ": a redirect, which is not followed: mend PREFECT_API_URL"
	case e.astray():
		return text + " " + e.Detail + ": this is not Prefect's API: mend PREFECT_API_URL, which mostly ends in /api"
	case e.Detail != "":
		return text + ": " + e.Detail
	}
	return text
}

// astray reports whether something else than the API answered: the server says what of its own it lacks.
func (e *Error) astray() bool {
	return e.Status == http.StatusMethodNotAllowed || strings.HasPrefix(e.Detail, "<") ||
		(e.Status == http.StatusNotFound && (e.Detail == "" || e.Detail == "Not Found"))
}

// Permanent reports whether the server will never take what it was sent.
func (e *Error) Permanent() bool { return unfit(e) }

// busy reports whether the same request may be answered well later.
func (e *Error) busy() bool { return e.Status == http.StatusTooManyRequests || e.Status >= 500 }

// errUnfit is of what need not be sent.
var errUnfit = errors.New("not as its kind has to be")

// unfit reports whether the server will never take what it was sent.
func unfit(err error) bool {
	return errors.Is(err, errUnfit) || answered(err, http.StatusBadRequest) || answered(err, http.StatusUnprocessableEntity) ||
		answered(err, http.StatusRequestEntityTooLarge)
}

// answered reports whether err is the server's answer with that status.
func answered(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// request is one thing asked of the server.
type request struct {
	operation, method, path string
	in, out                 any
	// once says that sending it a second time would do it a second time. It is not tried again then
	// unless the server surely did nothing.
	once bool
	// patient says that a conflict may be over after some seconds.
	patient bool
}

// do sends a request, again where that is safe and may help, and gives the status of the answer.
func (c *Client) do(ctx context.Context, r request) (status int, err error) {
	ctx, span := tracing.Call(ctx, "prefect "+r.operation)
	defer func() { tracing.End(span, err) }()
	var body []byte
	if r.in != nil {
		if body, err = json.Marshal(r.in); err != nil {
			return 0, fmt.Errorf("prefect: %s: encode: %w", r.operation, err)
		}
	}
	tries := maxTries
	if r.patient {
		tries = patientTries
	}
	for try := 1; ; try++ {
		start := c.o.Clock()
		status, err = c.send(ctx, r, body)
		c.metrics.observe(r.operation, c.o.Clock().Sub(start), err)
		if err == nil || try == tries || ctx.Err() != nil || !again(r, err, try) {
			return status, err
		}
		if !sleep(ctx, pause(err, try)) {
			return status, err
		}
	}
}

// again decides whether a request that failed so is worth and safe to be sent once more.
func again(r request, err error, try int) bool {
	var e *Error
	if !errors.As(err, &e) {
		var dial *net.OpError
		return !r.once || (errors.As(err, &dial) && dial.Op == "dial")
	}
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusBadGateway, http.StatusGatewayTimeout: // a proxy that may have passed it on
		return !r.once
	case http.StatusForbidden: // a new CSRF token may help, once
		return try == 1 && r.method != http.MethodGet
	case http.StatusConflict:
		return r.patient
	}
	return false
}

func pause(err error, try int) time.Duration {
	var e *Error
	if errors.As(err, &e) && e.retryAfter > 0 {
		return e.retryAfter
	}
	d := firstBackoff << (try - 1)
	return d/2 + rand.N(d) // between a half and one and a half
}

// sleep waits, and reports false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// send sends a request once.
func (c *Client) send(ctx context.Context, r request, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.o.URL+r.path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("prefect: %s: make the request: %w", r.operation, err)
	}
	c.sign(req)
	var token string
	if r.method != http.MethodGet {
		if token, err = c.csrf.token(ctx, c); err != nil {
			return 0, err
		}
		c.csrf.sign(req, token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("prefect: %s: %w", r.operation, c.plain(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, fmt.Errorf("prefect: %s: read the answer: %w", r.operation, c.plain(err))
	case len(answer) > maxAnswer:
		return 0, fmt.Errorf("prefect: %s: the answer is longer than %d bytes", r.operation, maxAnswer)
	case resp.StatusCode == http.StatusForbidden:
		c.csrf.void(token)
	}
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, c.refusal(r.operation, resp, answer)
	}
	if err := decode(answer, r.out); err != nil {
		return resp.StatusCode, fmt.Errorf("prefect: %s: read the answer: %w; is PREFECT_API_URL the address of Prefect's API, which mostly ends in /api?", r.operation, err)
	}
	return resp.StatusCode, nil
}

// wholeness is what knows whether an answer says all that one of Prefect would. What does not comes from
// a broken server or another one: it says nothing of what was asked.
type wholeness interface{ whole() bool }

// decode reads an answer into out, nil for nothing.
func decode(answer []byte, out any) error {
	if out == nil {
		return nil
	}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, out); err != nil {
			return err
		}
	}
	if w, ok := out.(wholeness); ok && !w.whole() {
		return errors.New("it is not one of Prefect")
	}
	return nil
}

func (c *Client) sign(req *http.Request) {
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "iacontinu")
	req.Header.Set("X-PREFECT-API-VERSION", apiVersion)
	switch {
	case c.o.AuthString != "":
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.o.AuthString)))
	case c.o.APIKey != "":
		req.Header.Set("Authorization", "Bearer "+c.o.APIKey)
	}
}

func (c *Client) refusal(operation string, resp *http.Response, answer []byte) *Error {
	e := &Error{Operation: operation, Status: resp.StatusCode, Detail: c.reason(answer)}
	if s, err := strconv.ParseFloat(resp.Header.Get("Retry-After"), 64); err == nil && s > 0 {
		e.retryAfter = time.Duration(min(s, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	return e
}

// reason is what an answer says in words, cut short and bare of quotes after secrets were
// taken out: half a one would not be found.
func (c *Client) reason(answer []byte) string {
	var body struct {
		Detail    json.RawMessage `json:"detail"`
		Exception json.RawMessage `json:"exception_detail"`
	}
	text := string(answer)
	if json.Unmarshal(answer, &body) == nil && len(body.Detail)+len(body.Exception) > 0 {
		text = string(body.Detail) + " " + string(body.Exception)
	}
	text = strings.Trim(c.redact.Replace(text), `" `)
	return clip(strings.Join(strings.Fields(text), " "), 300)
}

// clip makes of a text one that the server's database takes, of n runes at most.
func clip(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// plain is the error beneath what net/http says of the address, without secrets.
func (c *Client) plain(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if text := c.redact.Replace(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}
