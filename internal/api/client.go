package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options configure a Client. The zero value is an anonymous client.
type Options struct {
	// Token gives the token of each request; nil, or an empty token: no Authorization header.
	Token func(ctx context.Context) (string, error)
	// HTTPClient sends the requests; nil: one of its own without a timeout, the context has it.
	HTTPClient *http.Client
	UserAgent  string // "iacontinu"
	// ForwardedFor is for whom the requests are made, as X-Forwarded-For has it; empty: for the client itself.
	ForwardedFor string
}

// Client calls the API at one address. It is safe for concurrent use and never repeats a request.
type Client struct {
	base  string
	token func(context.Context) (string, error)
	http  *http.Client
	agent string
	of    string
}

// maxAnswer bounds how much of an answer is read, in bytes.
const maxAnswer = 256 << 20

// New returns a client of the API at baseURL, such as http://localhost:8000.
func New(baseURL string, o Options) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("api: base URL must look like http://host:8000, not %q", redacted(u, baseURL))
	}
	return &Client{
		base:  strings.TrimSuffix(u.String(), "/"),
		token: o.Token,
		http:  cmp.Or(o.HTTPClient, &http.Client{}),
		agent: cmp.Or(o.UserAgent, "iacontinu"),
		of:    o.ForwardedFor,
	}, nil
}

// redacted is the URL without a password in it.
func redacted(u *url.URL, raw string) string {
	if u == nil {
		return "(not a URL)"
	}
	if u.User == nil {
		return raw
	}
	return u.Redacted()
}

// call is one request. in is sent as JSON unless it is nil or body is set.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	in           any
	body         io.Reader
}

// do sends the call and decodes a success into out, which may be nil, or be chosen by the status if
// it is a func(int) any; a *string takes it as it is. Any other answer is a *Problem.
func (c *Client) do(ctx context.Context, k call, out any) error {
	req, err := c.request(ctx, k)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("api: %w", err) // names the method and the URL
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("api: read answer of %s %s: %w", k.method, k.path, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return problemOf(resp, body)
	}
	if choose, ok := out.(func(int) any); ok {
		out = choose(resp.StatusCode)
	}
	if out == nil {
		return nil
	}
	if text, ok := out.(*string); ok {
		*text = string(body)
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("api: decode answer of %s %s: %w", k.method, k.path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	target := c.base + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	body := k.body
	if k.in != nil {
		b, err := json.Marshal(k.in)
		if err != nil {
			return nil, fmt.Errorf("api: encode body of %s %s: %w", k.method, k.path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("api: make request: %w", err)
	}
	for name, values := range k.header {
		req.Header[name] = values
	}
	if k.in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if c.of != "" {
		req.Header.Set("X-Forwarded-For", c.of)
	}
	req.Header.Set("User-Agent", c.agent)
	if c.token == nil {
		return req, nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("api: get token: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// problemOf reads an error answer. One that is no problem, such as a proxy's page, becomes a problem
// of its status with the beginning of its text.
func problemOf(resp *http.Response, body []byte) *Problem {
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != ProblemType || json.Unmarshal(body, p) != nil {
		const most = 200
		text := strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), most)]), ""))
		p = &Problem{Detail: text}
	}
	p.Status = resp.StatusCode
	p.Title = cmp.Or(p.Title, http.StatusText(resp.StatusCode))
	p.RequestID = cmp.Or(p.RequestID, resp.Header.Get("X-Request-ID"))
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return p
}

// retryAfter reads a Retry-After header, seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(header); err == nil {
		wait = time.Duration(min(seconds, int(most/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), most)
}

// AsProblem is the problem in err's chain, nil if the API did not answer with one.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}
