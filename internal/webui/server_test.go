package webui

import (
	"context"
	"net"
	"net/http"
	"testing"

	"iacontinu/internal/bounds/boundstest"
)

// run serves on the server's own port until the test ends.
func (v *visitor) run() (address net.Addr) {
	v.t.Helper()
	ctx, stop := context.WithCancel(v.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.server.Run(ctx) }()
	v.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			v.t.Error(err)
		}
	})
	return v.server.listener.Addr()
}

// Connections that are kept for nothing take no more than their share, and lock nobody out.
func TestIdleConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	address := setup(t, newFakeAPI(t), "", func(o *Options) { o.MaxConnections = 4 }).run()
	const whole = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	var all []*boundstest.Client
	for i := range 12 {
		c := boundstest.Dial(t, address, "127.0.0.1")
		if status := c.Ask(t, whole); status != http.StatusOK {
			t.Fatalf("connection %d: status %d", i, status)
		}
		all = append(all, c)
	}
	open := 0
	for _, c := range all {
		if c.Ask(t, whole) == http.StatusOK {
			open++
		}
	}
	if open == 0 || open > 3 {
		t.Errorf("%d of 12 connections are open, want at most three quarters of 4, and some", open)
	}
}
