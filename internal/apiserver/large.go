package apiserver

import (
	"context"
	"net/http"
	"time"

	"iacontinu/internal/ml"
)

// A body of predictions from largeBody bytes on has a place while it is there, and is decoded in turn: decoded, its
// values take many times its bytes.
const (
	largeBody       = 64 << 10
	maxLarge        = 128
	callerLarge     = 64
	largePatience   = 10 * time.Second // for the turn
	largeRetryAfter = "1"              // seconds
)

// largePlace is the leave to send a body, until done is called. One of unknown length counts as large.
func (s *Server) largePlace(x *exchange, r *http.Request) (done func(), err error) {
	if 0 <= r.ContentLength && r.ContentLength <= largeBody {
		return func() {}, nil
	}
	if done, _ = s.large.take(actor(x.who)); done == nil {
		return nil, tooManyLarge()
	}
	return done, nil
}

// decodeTurn waits for the turn to decode a body of so many bytes, which ends when done is called.
func (s *Server) decodeTurn(ctx context.Context, size int) (done func(), err error) {
	if size <= largeBody {
		return func() {}, nil
	}
	enough := time.NewTimer(largePatience)
	defer enough.Stop()
	select {
	case s.decoding <- struct{}{}:
		return func() { <-s.decoding }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-enough.C:
		return nil, tooManyLarge()
	}
}

func tooManyLarge() *failure {
	f := newFailure(http.StatusServiceUnavailable, ml.CodeUnavailable, "too many large bodies are being read at once: send this one again in a moment, or in parts")
	f.header.Set("Retry-After", largeRetryAfter)
	return f
}
