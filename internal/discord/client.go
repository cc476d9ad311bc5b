package discord

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

const (
	defaultTimeout = 10 * time.Second
	maxAnswer      = 64 << 10 // bytes read of an answer
	// A 429 that names no time is answered by this pause, and none is believed beyond maxRetryAfter.
	defaultRetryAfter = 5 * time.Second
	maxRetryAfter     = time.Hour
)

// Options configure a Client.
type Options struct {
	// WebhookURL is the secret address, http or https. Required.
	WebhookURL string
	// HTTPClient sends; nil means one with a timeout of 10 s. It is copied and follows no redirects.
	HTTPClient *http.Client
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil registers nothing
}

func (o Options) withDefaults() Options {
	client := http.Client{}
	if o.HTTPClient != nil {
		client = *o.HTTPClient
	}
	client.Timeout = cmp.Or(client.Timeout, defaultTimeout)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTPClient = &client
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Client sends to one webhook.
type Client struct {
	options Options
	url     string
	redact  *strings.Replacer
	metrics *metrics
	now     func() time.Time

	mu   sync.Mutex
	hold time.Time // nothing is sent before
}

// New returns a client of one webhook. It sends nothing by itself.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	u, err := url.Parse(o.WebhookURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		// The parser's error quotes the URL.
		return nil, errors.New("discord: Options.WebhookURL is not an http or https URL")
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("discord: register metrics: %w", err)
	}
	return &Client{options: o, url: o.WebhookURL, redact: redactor(u, o.WebhookURL), metrics: m, now: time.Now}, nil
}

// Send tells of an event. Its errors are of type *Error.
func (c *Client) Send(ctx context.Context, e ml.Event) (err error) {
	if wait := c.held(); wait > 0 {
		c.metrics.count(outcomeLimited)
		return &Error{text: "discord: rate limited", retryAfter: wait}
	}
	body, err := json.Marshal(newMessage(e))
	if err != nil { // strings, numbers and a time: cannot fail
		return &Error{text: "discord: encode the message: " + err.Error(), permanent: true}
	}
	ctx, span := tracing.Call(ctx, "discord send") // without the address, which is a secret
	defer func() { tracing.End(span, err) }()
	start := c.now()
	sent := c.post(ctx, body)
	c.metrics.duration.Observe(c.now().Sub(start).Seconds())
	if sent == nil {
		c.metrics.count(outcomeSent)
		return nil
	}
	c.metrics.count(sent.outcome())
	c.options.Logger.DebugContext(ctx, "discord did not take a message", "topic", e.Topic, "status", sent.Status)
	return sent
}

func (c *Client) post(ctx context.Context, body []byte) *Error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return &Error{text: "discord: make the request: " + c.redact.Replace(err.Error()), permanent: true}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "iacontinu")
	resp, err := c.options.HTTPClient.Do(req)
	if err != nil {
		return c.networkError(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // only for the error's words
	return c.judge(resp, answer)
}

// judge makes an error of an answer that is not a success.
func (c *Client) judge(resp *http.Response, answer []byte) *Error {
	status := resp.StatusCode
	switch {
	case status >= 200 && status < 300:
		if resp.Header.Get("X-RateLimit-Remaining") == "0" {
			c.holdFor(seconds(resp.Header.Get("X-RateLimit-Reset-After")))
		}
		return nil
	case status == http.StatusTooManyRequests:
		wait := retryAfter(resp.Header, answer)
		c.holdFor(wait)
		return &Error{Status: status, text: "discord: rate limited", retryAfter: wait}
	case status == http.StatusRequestTimeout || status >= 500:
		return &Error{Status: status, text: fmt.Sprintf("discord: answered %d", status)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound:
		return &Error{
			Status: status, permanent: true,
			text: fmt.Sprintf("discord: answered %d: the webhook is gone or its token is wrong; make a new one and set its URL", status),
		}
	case status >= 300 && status < 400:
		return &Error{
			Status: status, permanent: true,
			text: fmt.Sprintf("discord: answered %d: a redirect, which is not followed; is the webhook's URL right?", status),
		}
	}
	return &Error{
		Status: status, permanent: true,
		text: fmt.Sprintf("discord: refused the message with %d: %s", status, c.redact.Replace(reason(answer))),
	}
}

// held is how long nothing may be sent.
func (c *Client) held() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hold.Sub(c.now())
}

func (c *Client) holdFor(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.now().Add(d); until.After(c.hold) {
		c.hold = until
	}
}

// retryAfter reads how long a 429 asks to wait: from the body, exact to the millisecond, else from
// the header, which is all that a proxy before Discord sends.
func retryAfter(h http.Header, answer []byte) time.Duration {
	var body struct {
		RetryAfter float64 `json:"retry_after"`
	}
	if json.Unmarshal(answer, &body) == nil && body.RetryAfter > 0 {
		return bounded(body.RetryAfter)
	}
	if d := seconds(h.Get("Retry-After")); d > 0 {
		return d
	}
	return defaultRetryAfter
}

func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0) {
		return 0
	}
	return bounded(f)
}

func bounded(s float64) time.Duration {
	return time.Duration(min(s, maxRetryAfter.Seconds()) * float64(time.Second)).Round(time.Millisecond)
}

// reason is what an answer says in words, cut short.
func reason(answer []byte) string {
	var body struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if json.Unmarshal(answer, &body) == nil && body.Message != "" {
		return fmt.Sprintf("%s (code %d)", truncate(body.Message, 200), body.Code)
	}
	return truncate(strings.TrimSpace(string(answer)), 200)
}
