package mlflow

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"iacontinu/internal/tracing"
)

// maxAnswer bounds what is read of an answer. The largest is a page of registered versions.
const maxAnswer = 8 << 20

const (
	apiPath      = "/api/2.0/mlflow/"
	artifactPath = "/api/2.0/mlflow-artifacts/artifacts/"
)

// Client speaks to one tracking server. It tries each request once: who delivers tries again.
type Client struct {
	options Options
	base    *url.URL
	http    *http.Client
	auth    string // the Authorization header, empty for none
	redact  *strings.Replacer
	metrics *metrics
}

// NewClient returns a client. It sends nothing by itself.
func NewClient(o Options) (*Client, error) {
	o = o.withDefaults()
	c, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("mlflow: %w", err)
	}
	return c, nil
}

func newClient(o Options) (*Client, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	base, err := o.address()
	if err != nil {
		return nil, err
	}
	transport, err := o.transport()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	c := &Client{options: o, base: base, metrics: m}
	c.http = &http.Client{Transport: transport, Timeout: o.Timeout, CheckRedirect: noRedirect}
	switch {
	case o.Token != "":
		c.auth = "Bearer " + o.Token
	case o.Username != "":
		c.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(o.Username+":"+o.Password))
	}
	c.redact = redactor(o)
	return c, nil
}

// noRedirect shows redirects as they are: one that is followed loses a POST's body.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Version is the server's version.
func (c *Client) Version(ctx context.Context) (string, error) {
	var text []byte
	err := c.call(ctx, request{operation: "version", method: http.MethodGet, path: "/version"}, &text)
	return strings.TrimSpace(string(text)), err
}

// request is one call.
type request struct {
	operation string // the name in metrics and errors
	method    string
	path      string
	query     url.Values
	body      any // sent as JSON, nil for none
	// raw is sent as it is, instead of body.
	raw         []byte
	contentType string
}

// get and post are calls of MLflow's own interface; the operation is the path.
func (c *Client) get(ctx context.Context, operation string, query url.Values, answer any) error {
	return c.call(ctx, request{operation: operation, method: http.MethodGet, path: apiPath + operation, query: query}, answer)
}

func (c *Client) post(ctx context.Context, operation string, body, answer any) error {
	return c.call(ctx, request{operation: operation, method: http.MethodPost, path: apiPath + operation, body: body}, answer)
}

// call sends a request and decodes the answer into what answer points to: bytes as they are, nil for
// nothing, else JSON. Its errors are of type *Error.
func (c *Client) call(ctx context.Context, r request, answer any) error {
	ctx, span := tracing.Call(ctx, "mlflow "+r.operation)
	start := c.options.Clock()
	text, failure := c.send(ctx, r)
	if failure == nil {
		failure = c.decode(r, text, answer)
	}
	c.metrics.observe(r.operation, failure, c.options.Clock().Sub(start))
	if failure != nil {
		tracing.End(span, failure)
		c.options.Logger.DebugContext(ctx, "mlflow call failed", "operation", r.operation, "status", failure.Status, "error", failure)
		return failure
	}
	span.End()
	return nil
}

func (c *Client) send(ctx context.Context, r request) ([]byte, *Error) {
	req, failure := c.newRequest(ctx, r)
	if failure != nil {
		return nil, failure
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.networkError(r.operation, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode/100 != 2:
		return nil, c.judge(r.operation, resp, text)
	case err != nil:
		return nil, c.networkError(r.operation, err)
	case len(text) > maxAnswer:
		return nil, c.failure(r.operation, fmt.Sprintf("the answer has more than %d bytes", maxAnswer))
	}
	return text, nil
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, *Error) {
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, &Error{Operation: r.operation, text: "encode the request: " + err.Error(), permanent: true}
		}
		r.raw, r.contentType = text, "application/json"
	}
	u := *c.base
	u.Path += r.path
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(r.raw))
	if err != nil {
		return nil, &Error{Operation: r.operation, text: "make the request: " + c.redact.Replace(err.Error()), permanent: true}
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	req.Header.Set("User-Agent", "iacontinu")
	return req, nil
}

func (c *Client) decode(r request, text []byte, answer any) *Error {
	switch into := answer.(type) {
	case nil:
		return nil
	case *[]byte:
		*into = text
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return c.failure(r.operation, "the answer is not the JSON of an MLflow server; is MLFLOW_TRACKING_URI right? "+err.Error())
	}
	return nil
}

// upload stores a file below the root that the server gave, through the server.
func (c *Client) upload(ctx context.Context, root string, f file) error {
	u, err := url.Parse(root)
	if err != nil || u.Scheme != "mlflow-artifacts" {
		return c.failure("artifacts/put", fmt.Sprintf(
			"the server keeps artifacts at %q and takes none itself; start it with --serve-artifacts", c.redact.Replace(root)))
	}
	return c.call(ctx, request{
		operation: "artifacts/put", method: http.MethodPut, raw: f.content, contentType: f.contentType,
		path: artifactPath + strings.Trim(u.Path, "/") + "/" + f.name,
	}, nil)
}

// file is a file to upload, its name relative to a root.
type file struct {
	name, contentType string
	content           []byte
}

// millis is a moment as MLflow counts it.
func millis(t time.Time) int64 { return t.UnixMilli() }
