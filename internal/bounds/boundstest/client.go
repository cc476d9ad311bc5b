// Package boundstest is a client that keeps its connection, for tests of what servers do with those.
package boundstest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Client is a connection that is kept.
type Client struct {
	net.Conn
	Answers *bufio.Reader
}

// Dial connects to a server from an address of this machine, for 20 s.
func Dial(t *testing.T, server net.Addr, from string) *Client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &Client{Conn: conn, Answers: bufio.NewReader(conn)}
}

// Ask sends a request and reads its answer, whose status is 0 if the connection was closed instead.
func (c *Client) Ask(t *testing.T, request string) (status int) {
	t.Helper()
	_, _ = fmt.Fprint(c, request) // the answer tells
	r, err := http.ReadResponse(c.Answers, nil)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal(err)
	}
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode
}
