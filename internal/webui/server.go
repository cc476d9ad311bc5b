package webui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/api"
	"iacontinu/internal/bounds"
	"iacontinu/internal/tracing"
)

// Options configure a Server. APIURL is required; the zero value of any other field means its default.
type Options struct {
	Addr   string // ":8501"; port 0 picks a free one
	APIURL string // where the API is
	// SecureCookie marks the session's cookie as one for TLS even if the request does not look like TLS.
	SecureCookie bool
	// Patience is how long the API may take to answer for a page: 10 s. Forms that train wait for a job.
	Patience time.Duration
	// Pace is the time between two looks for what changed on an open page: 2 s.
	Pace time.Duration
	// MaxConnections bounds the connections at once, three quarters of them for one address: a quarter of what the
	// limit of open files allows, at most 1024.
	MaxConnections int
	// MaxStreams bounds the pages that are kept current at once: 100, and at most half of the connections, so that
	// there is room for other requests.
	MaxStreams int
	// MaxUpload bounds a form with a file, in bytes: more than the API takes, so that it is the one to refuse.
	MaxUpload int64
	// UploadPatience is how long such a form may take to arrive: 10 min.
	UploadPatience time.Duration
	// StopPatience is how long Run waits for requests when it stops: 5 s.
	StopPatience time.Duration
	Tracer       trace.Tracer          // nil: no spans
	Registerer   prometheus.Registerer // nil registers nothing
	Logger       *slog.Logger          // nil discards
}

func (o Options) withDefaults() Options {
	o.Addr = cmp.Or(o.Addr, ":8501")
	o.Patience = cmp.Or(o.Patience, 10*time.Second)
	o.Pace = cmp.Or(o.Pace, 2*time.Second)
	o.MaxConnections = cmp.Or(o.MaxConnections, bounds.PagesRoom())
	o.MaxStreams = cmp.Or(o.MaxStreams, max(1, min(100, o.MaxConnections/2)))
	o.MaxUpload = cmp.Or(o.MaxUpload, api.MaxUpload+2<<20)
	o.UploadPatience = cmp.Or(o.UploadPatience, 10*time.Minute)
	o.StopPatience = cmp.Or(o.StopPatience, 5*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// Server is the web pages.
type Server struct {
	opt      Options
	log      *slog.Logger
	renderer *renderer
	calls    *http.Client   // to the API, shared for its connections
	streams  *bounds.Places // one for each open page
	metrics  *metrics
	handler  http.Handler

	listener net.Listener
	http     *http.Server
	cancel   context.CancelFunc // of all requests
}

// maxCalls is how many connections to the API there may be at once, of the files that bounds reserves.
const maxCalls = 64

// Limits of a connection.
const (
	headerPatience = 10 * time.Second
	readPatience   = time.Minute
	idlePatience   = 2 * time.Minute
	maxHeader      = 16 << 10
)

// New reads the templates and binds the listener; Run serves. If Run is never called, Close releases the
// listener.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if _, err := api.New(o.APIURL, api.Options{}); err != nil {
		return nil, fmt.Errorf("webui: APIURL: %w", err)
	}
	renderer, err := newRenderer()
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	connections := &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute, MaxConnsPerHost: maxCalls}
	s := &Server{
		opt: o, log: o.Logger, renderer: renderer, streams: bounds.NewPlaces(o.MaxStreams, accountStreams), metrics: metrics,
		calls: &http.Client{Transport: calls{tracing.Transport(connections), connections}},
	}
	s.handler = s.watched(s.routes())
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("webui: %w", err)
	}
	s.listener = bounds.Listen(listener, o.MaxConnections)
	base, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: headerPatience, ReadTimeout: readPatience, IdleTimeout: idlePatience, MaxHeaderBytes: maxHeader,
		WriteTimeout: o.Patience + readPatience, // streams move it
		BaseContext:  func(net.Listener) context.Context { return base },
		ErrorLog:     slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// calls are the requests to the API, with a way to close their connections at the end.
type calls struct {
	http.RoundTripper
	connections *http.Transport
}

// CloseIdleConnections is called by that of http.Client.
func (c calls) CloseIdleConnections() { c.connections.CloseIdleConnections() }

// URL is the address as a browser on this machine would write it.
func (s *Server) URL() string {
	host, port, _ := net.SplitHostPort(s.listener.Addr().String()) // of a listener: well formed
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Close stops at once. Run does so in order.
func (s *Server) Close() error {
	s.cancel()
	err := errors.Join(s.http.Close(), s.listener.Close())
	s.calls.CloseIdleConnections()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Run serves until ctx ends; then streams end at once and other requests may finish.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		s.cancel()
		return fmt.Errorf("webui: serve: %w", err)
	case <-ctx.Done():
	}
	s.cancel() // pages only show: what a form asked for is the API's by now
	patience, done := context.WithTimeout(context.WithoutCancel(ctx), s.opt.StopPatience)
	defer done()
	err := s.http.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.calls.CloseIdleConnections()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("webui: stop: %w", err)
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secureHeaders(w.Header())
	s.handler.ServeHTTP(w, r)
}

// policy allows what lies here and nothing else: no script or style within a page.
var policy = strings.Join([]string{
	"default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self' data:", "connect-src 'self'",
	"form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
}, "; ")

func secureHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
