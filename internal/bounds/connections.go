package bounds

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/httprate"
	"golang.org/x/sys/unix"
)

// Every connection takes one of the files that the process may have open, and memory. The pages may have a quarter
// of the files, since they run in one process with the API where there is one process alone; the reserve is for all
// others: database, datasets, log, calls to other services and of the pages to the API. The API has the rest.
const (
	fileReserve    = 128
	minConnections = 64
	maxConnections = 4096
	pagesShare     = 4
)

// Room is how many connections the API may have at once.
func Room() int { return roomOf(files()) }

// PagesRoom is how many connections the pages may have at once.
func PagesRoom() int { return pagesRoomOf(files()) }

// files is how many files may be open. Go has raised the soft limit to the hard one.
func files() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return limit.Cur
}

func roomOf(files uint64) int {
	others := files/pagesShare + fileReserve
	return int(min(max(files, others+minConnections)-others, maxConnections))
}

func pagesRoomOf(files uint64) int {
	return int(min(max(files, minConnections)/pagesShare, maxConnections/pagesShare))
}

// Listener is a listener that bounds its connections, in all and of one address. When there is no room for
// one more, the one gives way whose client has kept the server waiting longest, between two requests or in the
// middle of one: who keeps connections for nothing loses them, who sends slowly outlasts who is silent, and a
// client whose connection was closed between two requests makes another. With every one at work it is the new
// one that goes. An address has most of the room, since a proxy brings all its clients from one, and
// never all.
type Listener struct {
	net.Listener
	all, each int

	mu     sync.Mutex
	open   map[*connection]struct{}
	counts map[string]int // of each address
}

// Listen bounds the connections of a listener of TCP to so many in all.
func Listen(l net.Listener, all int) *Listener {
	return &Listener{Listener: l, all: all, each: all - all/4, open: map[*connection]struct{}{}, counts: map[string]int{}}
}

// connection is a TCP connection and not just any, so that net/http can close its halves one by one.
type connection struct {
	*net.TCPConn
	of      *Listener
	address string
	waiting atomic.Int64 // for bytes of its client, since then in Unix nanoseconds; 0 while the server is at work
	endless atomic.Bool  // no deadline bounds a Read
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp := conn.(*net.TCPConn) // the listener is one of TCP
		c := &connection{TCPConn: tcp, of: l, address: addressOf(tcp)}
		c.waiting.Store(time.Now().UnixNano())
		if l.admit(c) {
			return c, nil
		}
		_ = tcp.Close() // of one that nothing was sent on
	}
}

// addressOf is the address of a client, of IPv6 the /64.
func addressOf(c *net.TCPConn) string {
	return httprate.CanonicalizeIP(c.RemoteAddr().(*net.TCPAddr).IP.String())
}

// admit makes room for a connection, and reports whether there is any.
func (l *Listener) admit(c *connection) bool {
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
func (l *Listener) longestWaiting(those func(*connection) bool) (longest *connection) {
	var since int64
	for c := range l.open {
		if at := c.waiting.Load(); at != 0 && (longest == nil || at < since) && those(c) {
			longest, since = c, at
		}
	}
	return longest
}

// Waiting is how many connections the server waits on for bytes of their clients.
func (l *Listener) Waiting() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if c.waiting.Load() != 0 {
			n++
		}
	}
	return n
}

// forget gives back the room of a connection, once.
func (l *Listener) forget(c *connection) {
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
