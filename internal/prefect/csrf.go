package prefect

import (
	"context"
	"net/http"
	"net/url"
	"sync"
)

// csrf holds the token that a server with protection against cross-site requests wants with every
// change. The server knows one token a client: a new one voids the old one.
type csrf struct {
	client string // fixed for the life of the process

	mu    sync.Mutex
	asked bool
	value string // empty where the server wants none
}

// token gives the token, which is asked for before the first change.
func (t *csrf) token(ctx context.Context, c *Client) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked {
		return t.value, nil
	}
	var answer struct {
		Token string `json:"token"`
	}
	r := request{
		operation: "csrf_token", method: http.MethodGet, path: "/csrf-token?client=" + url.QueryEscape(t.client), out: &answer,
	}
	start := c.o.Clock()
	_, err := c.send(ctx, r, nil)
	off := answered(err, http.StatusUnprocessableEntity) || answered(err, http.StatusNotFound)
	if off {
		err = nil
	}
	c.metrics.observe(r.operation, c.o.Clock().Sub(start), err)
	if err != nil {
		return "", err
	}
	t.asked, t.value = true, answer.Token
	return t.value, nil
}

// void forgets a token that was refused, unless another caller has a newer one already.
func (t *csrf) void(used string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == used {
		t.asked, t.value = false, ""
	}
}

func (t *csrf) sign(req *http.Request, token string) {
	if token == "" {
		return
	}
	req.Header.Set("Prefect-Csrf-Client", t.client)
	req.Header.Set("Prefect-Csrf-Token", token)
}
