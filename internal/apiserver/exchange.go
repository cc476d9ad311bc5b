package apiserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/ml"
)

// exchange is one request with its answer: what the outermost handler and the routes tell each
// other. It is the http.ResponseWriter of every route.
type exchange struct {
	http.ResponseWriter
	started time.Time
	id      string // request id
	remote  string // address and port of the client
	body    requestBody
	route   *route // nil until one matches
	who     ml.Identity
	span    trace.Span // nil: the request has none
	ignored []string   // fields of the request that the operation has no use for: see ignore
	status  int        // 0 until the answer begins
	bytes   int64
}

// ignore notes a field that the operation has no use for, each name once, and not a hundred thousand.
func (x *exchange) ignore(name string) {
	name = shortened(name)
	if len(x.ignored) < maxProblems && !slices.Contains(x.ignored, name) {
		x.ignored = append(x.ignored, name)
	}
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.begin(status)
	}
	x.ResponseWriter.WriteHeader(status)
}

// begin is called once, before the answer.
func (x *exchange) begin(status int) {
	x.status = status
	x.body.settle(x, status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.begin(http.StatusOK)
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// requestContext carries the exchange and chi's routing in one value, so that a request is copied
// once and not twice.
type requestContext struct {
	context.Context
	exchange exchange
	routing  *chi.Context
}

type exchangeKey struct{}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	switch key {
	case any(exchangeKey{}):
		return &c.exchange
	case any(chi.RouteCtxKey):
		return c.routing
	}
	return c.Context.Value(key)
}

// exchangeOf is the exchange that ctx belongs to, nil outside of a request.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// identityOf is who the request comes from; the zero Identity on an open route.
func identityOf(ctx context.Context) ml.Identity {
	if x := exchangeOf(ctx); x != nil {
		return x.who
	}
	return ml.Identity{}
}

// RequestID is the id of the request that ctx belongs to, empty outside of one.
func RequestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.id
	}
	return ""
}

// LogRequestID wraps a handler of the log so that each line that is logged with a request's context
// carries its request_id. Wrapping twice does no harm.
func LogRequestID(h slog.Handler) slog.Handler {
	if _, ok := h.(requestIDHandler); ok {
		return h
	}
	return requestIDHandler{h}
}

type requestIDHandler struct{ slog.Handler }

func (h requestIDHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestIDHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestIDHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestIDHandler) WithGroup(name string) slog.Handler {
	return requestIDHandler{h.Handler.WithGroup(name)}
}

// requestIDs gives ids to requests that bring none: a random start, then a count.
type requestIDs struct {
	prefix string
	count  atomic.Uint64
}

func newRequestIDs() *requestIDs {
	var b [6]byte
	rand.Read(b[:]) // never fails
	return &requestIDs{prefix: hex.EncodeToString(b[:]) + "-"}
}

// of is the request's own X-Request-ID, if it is sane, or a new id.
func (g *requestIDs) of(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && saneID(given[0]) {
		return given[0]
	}
	var b [40]byte
	return string(strconv.AppendUint(append(b[:0], g.prefix...), g.count.Add(1), 36))
}

// saneID reports whether an id may be repeated in headers and logs.
func saneID(id string) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
