package apiserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"iacontinu/internal/ml"
)

// A body of predictions of which more than largeBody bytes have come has a place while it is there, and is decoded
// in turn: decoded, its values take many times its bytes. Two callers together can't have all places.
const (
	largeBody       = 64 << 10
	maxLarge        = 128
	callerLarge     = 48
	largePatience   = 10 * time.Second // for the turn
	largeRetryAfter = "1"              // seconds
)

// readInto reads a body of at most maxJSON bytes into dst, which grows as needed. Without an error, leave is to be
// called when the body is done with. What a client only announces takes no place.
func (s *Server) readInto(dst []byte, x *exchange, r *http.Request) (body []byte, leave func(), err error) {
	if len(r.Header["Content-Encoding"]) > 0 {
		if err := identityEncoding(r.Header); err != nil {
			return dst, nil, err
		}
	}
	if r.ContentLength > maxJSON {
		return dst, nil, tooLarge(maxJSON)
	}
	body, err = readPast(largeBody, dst, r.Body)
	if err != nil || len(body) <= largeBody {
		return body, func() {}, err
	}
	leave, own := s.large.Take(actor(x.who))
	if leave == nil {
		return body, nil, tooManyLarge(own)
	}
	body, err = readPast(maxJSON, body, r.Body)
	if err == nil && len(body) > maxJSON {
		err = tooLarge(maxJSON)
	}
	if err != nil {
		leave()
	}
	return body, leave, err
}

// readPast reads on until the body has ended or dst is past a number of bytes.
func readPast(most int, dst []byte, body io.Reader) ([]byte, error) {
	for len(dst) <= most {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, unreadable(err)
		}
	}
	return dst, nil
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
	f := newFailure(http.StatusServiceUnavailable, ml.CodeUnavailable, "too many large bodies are being read at once: send this one again in a moment, or in parts").
		says("error.sending", nil)
	if own {
		f = newFailure(http.StatusTooManyRequests, "", fmt.Sprintf("%d large bodies of yours are on their way, and no more are taken at once: send this one when one of them has ended, or in parts", callerLarge)).
			says("error.sending_own", map[string]any{"n": callerLarge})
	}
	f.header.Set("Retry-After", largeRetryAfter)
	return f
}
