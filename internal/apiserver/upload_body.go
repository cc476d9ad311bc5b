package apiserver

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// uploadPace is how many bytes give a client a paceShare-th of the patience back: one that sends fewer in that
// time comes to its end, and would hold its place for nothing; one that pauses has the whole of it.
const (
	uploadPace = 256 << 10
	paceShare  = 6
)

// uploadTime is how long a whole upload may take: at the least pace, the largest would take days.
const uploadTime = time.Hour

// stopPause is how long a client may pause still when the server stops.
const stopPause = time.Second

// uploadBody is a large body: as long as bytes come at some pace, its deadline moves on, until its time is
// up or the server stops. It remembers its first error.
type uploadBody struct {
	io.ReadCloser
	deadlines *http.ResponseController
	left      int64
	patience  time.Duration
	ends      time.Time     // of the whole upload, at the latest
	spare     time.Duration // what is left of the patience
	err       error
	stopping  <-chan struct{}
	read      chan struct{} // closed when nothing is read any more
	watching  sync.WaitGroup

	mu     sync.Mutex // guards what follows, and the read deadline
	moveAt time.Time
	fixed  bool // the deadline moves no more
}

// newUploadBody returns the body of r; answer must be called when it is read.
func newUploadBody(w http.ResponseWriter, r *http.Request, stopping <-chan struct{}, patience time.Duration) *uploadBody {
	b := &uploadBody{
		ReadCloser: r.Body, deadlines: http.NewResponseController(w), left: api.MaxUpload + multipartRoom,
		patience: patience, spare: patience, ends: time.Now().Add(uploadTime), stopping: stopping, read: make(chan struct{}),
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
	began := time.Now()
	n, err := b.ReadCloser.Read(p)
	waited := time.Since(began) // and not what the server does with the bytes
	b.spare = min(b.patience, b.spare-waited+b.patience/paceShare*time.Duration(n)/uploadPace)
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
		b.err = unreadable(err)
		return n, b.err
	}
	return n, err
}

func errStopping() error {
	return ml.Errorf(ml.CodeUnavailable, "the server is stopping: send the file again in a while").Says("error.stopping", nil)
}

func (b *uploadBody) stopped() bool {
	select {
	case <-b.stopping:
		return true
	default:
		return false
	}
}

// moveOn gives the client the time that it has left for more.
func (b *uploadBody) moveOn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); !b.fixed && now.After(b.moveAt) {
		deadline := now.Add(b.spare)
		if b.ends.Before(deadline) {
			deadline = b.ends
		}
		_ = b.deadlines.SetReadDeadline(deadline)
		b.moveAt = now.Add(min(time.Second, b.patience/10))
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
