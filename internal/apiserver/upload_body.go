package apiserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// uploadPatience is how long a client may pause while it sends a file, stopPause how long still when
// the server stops.
const (
	uploadPatience = time.Minute
	stopPause      = time.Second
)

// uploadBody is a large body: as long as bytes come, its deadlines move on, until the server stops.
// It remembers its first error.
type uploadBody struct {
	io.ReadCloser
	deadlines *http.ResponseController
	left      int64
	err       error
	stopping  <-chan struct{}
	read      chan struct{} // closed when nothing is read any more
	watching  sync.WaitGroup

	mu     sync.Mutex // guards what follows, and the read deadline
	moveAt time.Time
	fixed  bool // the deadline moves no more
}

// newUploadBody returns the body of r; answer must be called when it is read.
func newUploadBody(w http.ResponseWriter, r *http.Request, stopping <-chan struct{}) *uploadBody {
	b := &uploadBody{
		ReadCloser: r.Body, deadlines: http.NewResponseController(w), left: api.MaxUpload + multipartRoom,
		stopping: stopping, read: make(chan struct{}),
	}
	_ = b.deadlines.SetWriteDeadline(time.Time{}) // a recorder in a test has none
	b.watching.Go(func() {
		select {
		case <-stopping:
			b.hurry()
		case <-b.read:
		}
	})
	return b
}

// Read implements io.Reader.
func (b *uploadBody) Read(p []byte) (int, error) {
	if b.err == nil && b.stopped() {
		b.err = errStopping()
	}
	if b.err != nil {
		return 0, b.err
	}
	b.moveOn()
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		b.err = tooLarge(api.MaxUpload)
		return 0, b.err
	case errors.Is(err, io.EOF):
		b.whole()
	case err != nil && b.stopped():
		b.err = errStopping()
		return n, b.err
	case err != nil:
		b.err = fmt.Errorf("apiserver: read upload: %w", err)
		return n, b.err
	}
	return n, err
}

func errStopping() error {
	return ml.Errorf(ml.CodeUnavailable, "the server is stopping: send the file again in a while")
}

func (b *uploadBody) stopped() bool {
	select {
	case <-b.stopping:
		return true
	default:
		return false
	}
}

// moveOn gives the client time for more.
func (b *uploadBody) moveOn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); !b.fixed && now.After(b.moveAt) {
		_ = b.deadlines.SetReadDeadline(now.Add(uploadPatience))
		b.moveAt = now.Add(time.Second)
	}
}

// whole takes the deadline away: what follows may take its time. The server reads on by itself, to see
// a client that goes away, and would take a deadline for that.
func (b *uploadBody) whole() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fixed = true
	_ = b.deadlines.SetReadDeadline(time.Time{})
}

// hurry ends a Read that waits for bytes. One that has them ends by itself: a deadline that broke it
// off would leave a chunked body unreadable, and its client, still sending, without the answer.
func (b *uploadBody) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.fixed {
		b.fixed = true
		_ = b.deadlines.SetReadDeadline(time.Now().Add(stopPause))
	}
}

// answer ends the reading and gives the client time to read the answer.
func (b *uploadBody) answer() {
	close(b.read)
	b.watching.Wait()
	_ = b.deadlines.SetWriteDeadline(time.Now().Add(writeMargin))
}
