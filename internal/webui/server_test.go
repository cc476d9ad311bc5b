package webui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// run serves on the server's own port until the test ends.
func (v *visitor) run() (address string) {
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
	return v.server.listener.Addr().String()
}

// healthy asks on a connection that is kept, and reports whether it is still there.
func healthy(t *testing.T, conn net.Conn, answers *bufio.Reader) bool {
	t.Helper()
	_, _ = fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") // the answer tells
	res, err := http.ReadResponse(answers, nil)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal(err)
	}
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK
}

// Connections that are kept for nothing take no more than their share, and lock nobody out.
func TestIdleConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	address := setup(t, newFakeAPI(t), "", func(o *Options) { o.MaxConnections = 4 }).run()
	type kept struct {
		net.Conn
		answers *bufio.Reader
	}
	var all []kept
	for i := range 12 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		all = append(all, kept{conn, bufio.NewReader(conn)})
		if !healthy(t, all[i], all[i].answers) {
			t.Fatalf("connection %d is not answered", i)
		}
	}
	open := 0
	for _, c := range all {
		if healthy(t, c, c.answers) {
			open++
		}
	}
	if open == 0 || open > 3 {
		t.Errorf("%d of 12 connections are open, want at most three quarters of 4, and some", open)
	}
}
