package apiserver

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

// client is a connection that is kept.
type client struct {
	net.Conn
	answers *bufio.Reader
}

// dial connects from an address of this machine.
func (b *testBundle) dial(t *testing.T, from string) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", b.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{Conn: conn, answers: bufio.NewReader(conn)}
}

// ask sends a request and reads its answer, whose status is 0 if the connection was closed instead.
func (c *client) ask(t *testing.T, request string) (status int) {
	t.Helper()
	_, _ = fmt.Fprint(c, request) // the answer tells
	r, err := http.ReadResponse(c.answers, nil)
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

const whole = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"

// A connection that nothing is asked on gives way when there is no room for one more.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.MaxConnections = 1 })
	first := b.dial(t, "127.0.0.1")
	if status := first.ask(t, whole); status != http.StatusOK {
		t.Fatalf("the first: status %d", status)
	}
	// It is at work until just after its answer.
	for deadline := time.Now().Add(10 * time.Second); b.dial(t, "127.0.0.1").ask(t, whole) != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("no other connection is let in within 10 s")
		}
	}
	if status := first.ask(t, whole); status != 0 {
		t.Errorf("the first is answered still: status %d", status)
	}
}
