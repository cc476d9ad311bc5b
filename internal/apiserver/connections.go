package apiserver

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/httprate"
	"golang.org/x/sys/unix"
)

// Every connection takes one of the files that the process may have open, and memory. The reserve is for all
// others: database, datasets, log, calls to other services.
const (
	fileReserve    = 128
	minConnections = 64
	maxConnections = 4096
)

// connectionRoom is how many connections may be there at once. Go has raised the soft limit to the hard one.
func connectionRoom() int {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		return minConnections
	}
	return roomOf(files.Cur)
}

func roomOf(files uint64) int {
	return int(min(max(files, fileReserve+minConnections)-fileReserve, maxConnections))
}

// connections is a listener that bounds its connections, in all and of one address. When there is no room for
// one more, the one gives way whose client has kept the server waiting longest, between two requests or in the
// middle of one: who keeps connections for nothing loses them, who sends slowly outlasts who is silent, and a
// client whose connection was closed between two requests makes another. With every one at work it is the new
// one that goes. An address has most of the room, since a proxy brings all its clients from one, and
// never all.
type connections struct {
	net.Listener
	all, each int

	mu     sync.Mutex
	open   map[*connection]struct{}
	counts map[string]int // of each address
}

func newConnections(l net.Listener, all int) *connections {
	return &connections{Listener: l, all: all, each: all - all/4, open: map[*connection]struct{}{}, counts: map[string]int{}}
}

// connection is a TCP connection and not just any, so that net/http can close its halves one by one.
type connection struct {
	*net.TCPConn
	of      *connections
	address string
	waiting atomic.Int64 // for bytes of its client, since then in Unix nanoseconds; 0 while the server is at work
	endless atomic.Bool  // no deadline bounds a Read
}

// Accept implements net.Listener.
func (l *connections) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp := conn.(*net.TCPConn) // the listener is one of TCP
		c := &connection{TCPConn: tcp, of: l, address: httprate.CanonicalizeIP(hostOf(tcp.RemoteAddr().String()))}
		c.waiting.Store(time.Now().UnixNano())
		if l.admit(c) {
			return c, nil
		}
		_ = tcp.Close() // of one that nothing was sent on
	}
}

// admit makes room for a connection, and reports whether there is any.
func (l *connections) admit(c *connection) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.counts[c.address] == l.each
	if full || len(l.open) == l.all {
		idle := l.longestWaiting(func(other *connection) bool { return !full || other.address == c.address })
		if idle == nil {
			return false
		}
		l.forget(idle)
		_ = idle.TCPConn.Close() // its client may have gone already
	}
	l.open[c] = struct{}{}
	l.counts[c.address]++
	return true
}

// longestWaiting is the connection of those whose client has been silent longest, nil if none is waited for.
func (l *connections) longestWaiting(those func(*connection) bool) (longest *connection) {
	var since int64
	for c := range l.open {
		if at := c.waiting.Load(); at != 0 && (longest == nil || at < since) && those(c) {
			longest, since = c, at
		}
	}
	return longest
}

// forget gives back the room of a connection, once.
func (l *connections) forget(c *connection) {
	if _, ok := l.open[c]; !ok {
		return
	}
	delete(l.open, c)
	if l.counts[c.address]--; l.counts[c.address] == 0 {
		delete(l.counts, c.address)
	}
}

// Close implements net.Conn.
func (c *connection) Close() error {
	err := c.TCPConn.Close()
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.forget(c)
	return err
}

// SetReadDeadline implements net.Conn.
func (c *connection) SetReadDeadline(at time.Time) error {
	c.endless.Store(at.IsZero())
	return c.TCPConn.SetReadDeadline(at)
}

// Read implements io.Reader. Whatever the server waits for has a deadline, be it headers, a body or the next
// request; net/http alone reads without one, to see whether the client goes away while its request is at work.
func (c *connection) Read(p []byte) (int, error) {
	if c.endless.Load() {
		return c.TCPConn.Read(p)
	}
	c.waiting.Store(time.Now().UnixNano())
	n, err := c.TCPConn.Read(p)
	c.waiting.Store(0)
	return n, err
}
