package bounds

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/bounds/boundstest"
)

// testBundle is a server on a port of its own, which reads a body before it answers.
type testBundle struct {
	listener *Listener
}

func setup(t *testing.T, all int, answer func()) *testBundle {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &testBundle{listener: Listen(l, all)}
	server := &http.Server{ReadTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			answer()
			w.WriteHeader(http.StatusOK)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(b.listener) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return b
}

func atOnce() {}

// dial connects from an address of this machine.
func (b *testBundle) dial(t *testing.T, from string) *boundstest.Client {
	t.Helper()
	return boundstest.Dial(t, b.listener.Addr(), from)
}

// serverEnd is the server's end of a connection, nil if it is not there.
func serverEnd(c *boundstest.Client, open map[*connection]struct{}) *connection {
	for known := range open {
		if known.RemoteAddr().String() == c.LocalAddr().String() {
			return known
		}
	}
	return nil
}

// until waits for what the server knows of its connections, which it learns just after its answers.
func (b *testBundle) until(t *testing.T, so func(open map[*connection]struct{}) bool) {
	t.Helper()
	l := b.listener
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		l.mu.Lock()
		done := so(l.open)
		l.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the connections are not as expected within 10 s")
		}
	}
}

// askWhole asks on a connection and returns when it waits again, or is closed.
func (b *testBundle) askWhole(t *testing.T, c *boundstest.Client) (status int) {
	t.Helper()
	status = c.Ask(t, whole)
	b.until(t, func(open map[*connection]struct{}) bool {
		known := serverEnd(c, open)
		return known == nil || known.waiting.Load() != 0
	})
	return status
}

const (
	whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	begun = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n" // its answer is that it is read
)

// Connections that nothing is asked on give way to new ones, those that have waited longest first: of their own
// address when it has its share, of any when there is no room at all.
func TestWaitingConnectionsGiveWay(t *testing.T) {
	t.Parallel()
	b := setup(t, 8, atOnce)
	silent := b.dial(t, "127.0.0.2")
	var kept []*boundstest.Client
	for i := range 20 {
		c := b.dial(t, "127.0.0.1")
		if status := b.askWhole(t, c); status != 200 {
			t.Fatalf("connection %d: status %d", i, status)
		}
		kept = append(kept, c)
	}
	for i, c := range kept {
		if status, want := b.askWhole(t, c), 200; i < 14 && status != 0 || i >= 14 && status != want {
			t.Errorf("connection %d of 20 afterwards: status %d; only the last 6 are to be open", i, status)
		}
	}
	if status := b.askWhole(t, silent); status != 200 {
		t.Errorf("another address: status %d", status)
	}
	b.askWhole(t, b.dial(t, "127.0.0.2"))
	if status := b.askWhole(t, b.dial(t, "127.0.0.3")); status != 200 { // without room, and within its share
		t.Errorf("a third address: status %d", status)
	}
	if status := b.askWhole(t, kept[14]); status != 0 {
		t.Errorf("the one that has waited longest: status %d", status)
	}
	if status := b.askWhole(t, kept[15]); status != 200 {
		t.Errorf("another one: status %d", status)
	}
}

// Connections at work stay, and a new one finds none: but no address has all of them, and an answer makes room.
func TestConnectionsAtWorkStay(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	leave := sync.OnceFunc(func() { close(gate) })
	b := setup(t, 8, func() { <-gate })
	t.Cleanup(leave)
	var busy []*boundstest.Client
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		for range map[string]int{"127.0.0.1": 6, "127.0.0.2": 2}[from] {
			c := b.dial(t, from)
			fmt.Fprint(c, whole)
			b.until(t, func(open map[*connection]struct{}) bool {
				known := serverEnd(c, open)
				return known != nil && known.endless.Load()
			})
			busy = append(busy, c)
		}
		if status := b.dial(t, "127.0.0.1").Ask(t, whole); status != 0 {
			t.Errorf("one more with %d at work: status %d", len(busy), status)
		}
	}
	if status := b.dial(t, "127.0.0.3").Ask(t, whole); status != 0 {
		t.Errorf("one more than there may be in all: status %d", status)
	}
	leave()
	for _, c := range busy {
		if status := c.Ask(t, ""); status != 200 {
			t.Errorf("a connection at work: status %d", status)
		}
	}
	for _, c := range busy {
		b.askWhole(t, c)
	}
	if status := b.dial(t, "127.0.0.3").Ask(t, whole); status != 200 {
		t.Errorf("after they have been answered: status %d", status)
	}
}

// silent connects, begins to send a body, and stops.
func (b *testBundle) silent(t *testing.T, from string) *boundstest.Client {
	t.Helper()
	c := b.dial(t, from)
	if status := c.Ask(t, begun); status != http.StatusContinue {
		t.Fatalf("a request that begins, from %s: status %d", from, status)
	}
	fmt.Fprint(c, "{")
	return c
}

// Clients that announce a body and fall silent lock nobody out, of another address or of their own.
func TestSilentBodiesGiveWay(t *testing.T) {
	t.Parallel()
	b := setup(t, 8, atOnce)
	for i := range 16 {
		b.silent(t, fmt.Sprintf("127.0.0.%d", 2+i%4))
	}
	for i := range 3 {
		if status := b.dial(t, "127.0.0.9").Ask(t, whole); status != 200 {
			t.Errorf("another address, request %d: status %d", i, status)
		}
	}

	b = setup(t, 8, atOnce)
	other := b.silent(t, "127.0.0.2") // for the longest time
	for range 10 {
		b.silent(t, "127.0.0.1")
	}
	if status := b.dial(t, "127.0.0.1").Ask(t, whole); status != 200 {
		t.Errorf("their own address: status %d", status)
	}
	if status := other.Ask(t, fmt.Sprintf("%99s", "}")); status != 200 {
		t.Errorf("one of another address: status %d", status)
	}
}

// A client that sends slowly is heard out, and those give way that send nothing.
func TestSlowBodiesOutlastSilentOnes(t *testing.T) {
	t.Parallel()
	b := setup(t, 4, atOnce)
	slow := b.silent(t, "127.0.0.1")
	var silent []*boundstest.Client
	for range 3 {
		silent = append(silent, b.silent(t, "127.0.0.2"))
	}
	for i := range silent {
		var before int64
		b.until(t, func(open map[*connection]struct{}) bool {
			if known := serverEnd(slow, open); known != nil {
				before = known.waiting.Load()
			}
			return before != 0
		})
		fmt.Fprint(slow, " ")
		b.until(t, func(open map[*connection]struct{}) bool {
			known := serverEnd(slow, open)
			return known == nil || known.waiting.Load() > before
		})
		if status := b.askWhole(t, b.dial(t, "127.0.0.3")); status != 200 {
			t.Errorf("newcomer %d: status %d", i, status)
		}
	}
	if status := slow.Ask(t, fmt.Sprintf("%96s", "}")); status != 200 {
		t.Errorf("the slow one: status %d", status)
	}
	for i, c := range silent {
		if status := c.Ask(t, fmt.Sprintf("%99s", "}")); status != 0 {
			t.Errorf("silent one %d: status %d", i, status)
		}
	}
}

// A connection that ends while it is at work gives its room back.
func TestEndedConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	b := setup(t, 1, atOnce)
	for range 3 {
		c := b.dial(t, "127.0.0.1")
		if status := c.Ask(t, begun); status != http.StatusContinue {
			t.Fatalf("status %d", status)
		}
		c.Close()
		b.until(t, func(open map[*connection]struct{}) bool { return len(open) == 0 })
	}
}

// What the API, the pages and all others may have open fits within the limit, down to one of 256.
func TestRoom(t *testing.T) {
	t.Parallel()
	for files, want := range map[uint64][2]int{
		0: {64, 16}, 128: {64, 32}, 256: {64, 64}, 512: {256, 128}, 1024: {640, 256}, 1 << 20: {4096, 1024}, math.MaxUint64: {4096, 1024},
	} {
		if got := [2]int{roomOf(files), pagesRoomOf(files)}; got != want {
			t.Errorf("room for %d connections with %d open files, want %d", got, files, want)
		}
		if sum := roomOf(files) + pagesRoomOf(files) + fileReserve; files >= 256 && uint64(sum) > files {
			t.Errorf("%d files are promised of %d", sum, files)
		}
	}
	if got := Room(); got < minConnections || got > maxConnections {
		t.Errorf("room for %d connections here", got)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	p := NewPlaces(3, 2)
	first, _ := p.Take("ann")
	second, _ := p.Take("ann")
	if third, own := p.Take("ann"); first == nil || second == nil || third != nil || !own {
		t.Error("ann is to have two places, and is to be told that they are hers")
	}
	if last, own := p.TakeBut(1, "bob"); last != nil || own {
		t.Error("bob took a place that was to be left, or is told that he has too many")
	}
	if last, _ := p.Take("bob"); last == nil {
		t.Error("the last place was not to be had")
	}
	if more, own := p.Take("eve"); more != nil || own {
		t.Error("eve took a fourth place, or is told that she has too many")
	}
	first()
	if p.InUse() != 2 {
		t.Errorf("%d places are taken, want 2", p.InUse())
	}
	if more, _ := p.Take("eve"); more == nil {
		t.Error("a place that was given back was not to be had")
	}
}
