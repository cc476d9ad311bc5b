package apiserver

import (
	"context"
	"fmt"
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
	done, own := s.large.take(actor(x.who))
	if done == nil {
		return nil, tooManyLarge(own)
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
		return nil, tooManyLarge(false)
	}
}

// tooManyLarge refuses one who has too many large bodies of his own on the way, or who comes while others have.
func tooManyLarge(own bool) *failure {
	f := newFailure(http.StatusServiceUnavailable, ml.CodeUnavailable, "too many large bodies are being read at once: send this one again in a moment, or in parts")
	if own {
		f = newFailure(http.StatusTooManyRequests, "", fmt.Sprintf("%d large bodies of yours are on their way, and no more are taken at once: send this one when one of them has ended, or in parts", callerLarge))
	}
	f.header.Set("Retry-After", largeRetryAfter)
	return f
}
