package apiserver

import (
	"net/http"
	"testing"
	"time"

	"iacontinu/internal/bounds/boundstest"
)

// dial connects from an address of this machine.
func (b *testBundle) dial(t *testing.T, from string) *boundstest.Client {
	t.Helper()
	return boundstest.Dial(t, b.server.Addr(), from)
}

const whole = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"

// A connection that nothing is asked on gives way when there is no room for one more.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.MaxConnections = 1 })
	first := b.dial(t, "127.0.0.1")
	if status := first.Ask(t, whole); status != http.StatusOK {
		t.Fatalf("the first: status %d", status)
	}
	// It is at work until just after its answer.
	for deadline := time.Now().Add(10 * time.Second); b.dial(t, "127.0.0.1").Ask(t, whole) != http.StatusOK; {
		if time.Now().After(deadline) {
			t.Fatal("no other connection is let in within 10 s")
		}
	}
	if status := first.Ask(t, whole); status != 0 {
		t.Errorf("the first is answered still: status %d", status)
	}
}
