package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// access says who may use a route.
type access int

const (
	open      access = iota // anybody
	signedIn                // whoever has a valid token
	adminOnly               // administrators
)

// ServeHTTP implements http.Handler: every request comes and goes by here.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	routing := s.routing.Get().(*chi.Context)
	routing.Reset()
	routing.Routes = s.router
	c := &requestContext{Context: r.Context(), routing: routing}
	c.exchange = exchange{ResponseWriter: w, started: time.Now(), id: s.ids.of(r), remote: s.clientOf(r)}
	s.beginSpan(c, r)
	w.Header()["X-Request-Id"] = []string{c.exchange.id}
	r = r.WithContext(c)
	if r.ContentLength != 0 {
		c.exchange.body = requestBody{ReadCloser: r.Body, asked: len(r.Header["Expect"]) > 0, length: r.ContentLength}
		r.Body = &c.exchange.body
	}

	s.metrics.active.Inc()
	defer s.finish(c, r)
	s.router.ServeHTTP(&c.exchange, r)
}

// finish turns a panic into an answer, then counts and logs the exchange.
func (s *Server) finish(c *requestContext, r *http.Request) {
	x := &c.exchange
	cut := any(nil)
	if p := recover(); p != nil {
		s.log.ErrorContext(c, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if x.status == 0 {
			s.fail(x, r, fmt.Errorf("apiserver: panic: %v", p))
		} else {
			cut = http.ErrAbortHandler // half an answer must not look like a whole one
		}
	}
	if x.status == 0 {
		x.status = http.StatusOK // nothing written: net/http answers so
	}
	took := time.Since(x.started)
	s.metrics.active.Dec()
	s.metrics.answered(c, x.route, r.Method, x.status, took)
	endSpan(x, r)
	s.logAccess(c, r, took)
	s.routing.Put(c.routing)
	c.routing = nil
	if cut != nil {
		panic(cut)
	}
}

// handle registers a plain route.
func (s *Server) handle(method, pattern string, a access, next http.HandlerFunc) {
	s.router.Method(method, pattern, s.enter(s.metrics.route(method, pattern), a, next))
}

// enter is the way into a route: it names the route, checks who comes, and sets the headers that
// every answer has.
func (s *Server) enter(rt *route, a access, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange) // ServeHTTP's; nothing stands between
		x.route = rt
		secureHeaders(w.Header())
		if a != open {
			if err := s.identify(x, r); err != nil {
				s.refuse(w, r, err)
				return
			}
			if a == adminOnly && x.who.Role != ml.RoleAdmin {
				s.refuse(w, r, ml.Errorf(ml.CodeForbidden, "this is for administrators").Says("error.for_admins", nil))
				return
			}
		}
		next(w, r)
	}
}

// identify reads the request's token.
func (s *Server) identify(x *exchange, r *http.Request) error {
	header := r.Header["Authorization"]
	if len(header) == 0 {
		return ml.Errorf(ml.CodeUnauthorized, "a token is needed: POST %s gives one, send it as Authorization: Bearer <token>", api.PathLogin)
	}
	const scheme = "Bearer "
	value := header[0]
	if len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return ml.Errorf(ml.CodeUnauthorized, "the Authorization header must be: Bearer <token>")
	}
	who, err := s.opt.Tokens.Verify(r.Context(), strings.TrimSpace(value[len(scheme):]))
	if err != nil {
		return err
	}
	x.who = who
	return nil
}

// Values of headers that all answers share, so that none is allocated for a request.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
	apiCSP  = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// secureHeaders follows the OWASP REST Security Cheat Sheet: an answer is data, not a page, and is
// kept by nobody.
func secureHeaders(h http.Header) {
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = apiCSP
}

// notFound answers a path that no route has.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	secureHeaders(w.Header())
	s.refuse(w, r, ml.Errorf(ml.CodeNotFound, "there is no such page: %s lists all there are", api.PathDocs))
}

// wrongMethod answers a path that has routes, but not for this method.
func (s *Server) wrongMethod(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if s.router.Match(chi.NewRouteContext(), method, r.URL.Path) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 { // chi matched the escaped path, and there is none of that name
		s.notFound(w, r)
		return
	}
	secureHeaders(w.Header())
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	s.refuseWith(w, r, newFailure(http.StatusMethodNotAllowed, "", "this page takes "+list))
}

// detached is a context for what must be recorded though the client has gone away.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	const most = 10 * time.Second
	return context.WithTimeout(context.WithoutCancel(ctx), most)
}
