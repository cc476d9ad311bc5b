package apiserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/api"
	"iacontinu/internal/bounds"
)

// Options configure a Server. All interfaces are required; the zero value of any other field means
// its default.
type Options struct {
	// Addr is the address to listen on, ":8000"; port 0 picks a free one.
	Addr string
	// Version is the program's, shown by /health and the OpenAPI document.
	Version string

	Predictor predictor
	Follower  follower
	Tokens    tokens
	Accounts  accounts
	Users     users
	Versions  versions
	Artifacts artifacts
	Activator activator
	Catalogue catalogue
	Datasets  datasets
	Queue     queue
	Progress  progress
	Records   records
	CheckLog  checkLog
	Auditor   auditor
	Backups   backups
	// Metrics answers GET /metrics.
	Metrics http.Handler
	// Checks tells the state of each part for /health. It must not take longer than its context.
	// Who asks within a second is told the same. A check named "database" that is down makes /health answer
	// 503, one that warns makes it say that the API is degraded; no other does.
	Checks func(context.Context) map[string]api.Check
	// Waiting counts what is still to be done, by queue and by service.
	Waiting func(context.Context) (api.Waiting, error)
	// LastFailed is the job of the retraining that ended last if it failed, 0 if it came to a verdict.
	LastFailed func(context.Context) (job int64, at time.Time, err error)
	// Services asks how each service is, and KPIs for the figures of the specification. Whoever looks, both
	// are asked for no more often than their answers change.
	Services func(context.Context) ([]api.Service, error)
	KPIs     func(context.Context) (api.KPIs, error)
	// Settings are those in force, for administrators, secrets masked.
	Settings []api.Setting
	// MLflowURL is where people look at MLflow, without a slash at its end; empty: nowhere.
	MLflowURL string

	// RetrainPatience is how long POST /retrain waits before it answers 202: 60 s.
	RetrainPatience time.Duration
	// RetrainPoll is the time between two looks at the job meanwhile: 30 ms.
	RetrainPoll time.Duration
	// UserLogins and AddressLogins bound the logins a minute of a client address, for one name and in all: 10
	// and 30.
	UserLogins, AddressLogins int
	// TrustedProxies are networks of servers whose X-Forwarded-For names the client.
	TrustedProxies []netip.Prefix
	// UploadPatience is how long a client may keep the server waiting for more of a file, of which each 256 KiB give
	// a sixth back: 60 s.
	UploadPatience time.Duration
	// LingerPatience is how long the rest of a refused body is read, so that its client comes to read
	// the answer: 5 s.
	LingerPatience time.Duration
	// StopPatience is how long Run waits for requests when it stops: 7 s.
	StopPatience time.Duration
	// MaxConnections bounds the connections at once, three quarters of them for one address: what the limit of
	// open files leaves beside the pages, 64 to 4096.
	MaxConnections int

	Tracer     trace.Tracer          // nil: no spans
	Registerer prometheus.Registerer // nil: no metrics
	Logger     *slog.Logger          // nil discards
	Clock      func() time.Time      // time.Now
}

func (o Options) withDefaults() Options {
	o.Addr = cmp.Or(o.Addr, ":8000")
	o.Version = cmp.Or(o.Version, "dev")
	o.RetrainPatience = cmp.Or(o.RetrainPatience, time.Minute)
	o.RetrainPoll = cmp.Or(o.RetrainPoll, 30*time.Millisecond)
	o.UserLogins = cmp.Or(o.UserLogins, 10)
	o.AddressLogins = cmp.Or(o.AddressLogins, 30)
	o.UploadPatience = cmp.Or(o.UploadPatience, time.Minute)
	o.LingerPatience = cmp.Or(o.LingerPatience, 5*time.Second)
	o.StopPatience = cmp.Or(o.StopPatience, 7*time.Second)
	o.MaxConnections = cmp.Or(o.MaxConnections, bounds.Room())
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func (o Options) validate() error {
	for name, missing := range map[string]bool{
		"Predictor": o.Predictor == nil, "Follower": o.Follower == nil, "Tokens": o.Tokens == nil,
		"Accounts": o.Accounts == nil, "Users": o.Users == nil, "Versions": o.Versions == nil,
		"Artifacts": o.Artifacts == nil, "Activator": o.Activator == nil, "Catalogue": o.Catalogue == nil, "Datasets": o.Datasets == nil,
		"Queue": o.Queue == nil, "Progress": o.Progress == nil, "Records": o.Records == nil, "CheckLog": o.CheckLog == nil,
		"Auditor": o.Auditor == nil, "Backups": o.Backups == nil, "Metrics": o.Metrics == nil, "Checks": o.Checks == nil,
		"Waiting": o.Waiting == nil, "LastFailed": o.LastFailed == nil, "Services": o.Services == nil, "KPIs": o.KPIs == nil,
	} {
		if missing {
			return fmt.Errorf("apiserver: Options.%s is required", name)
		}
	}
	switch {
	case o.RetrainPatience < 0 || o.RetrainPatience > 10*time.Minute:
		return fmt.Errorf("apiserver: RetrainPatience is %v, want 0 to 10m", o.RetrainPatience)
	case o.RetrainPoll < time.Millisecond || o.RetrainPoll > time.Second:
		return fmt.Errorf("apiserver: RetrainPoll is %v, want 1ms to 1s", o.RetrainPoll)
	case o.UserLogins < 1 || o.AddressLogins < 1:
		return fmt.Errorf("apiserver: UserLogins and AddressLogins are %d and %d, want at least 1", o.UserLogins, o.AddressLogins)
	case o.UploadPatience < time.Millisecond || o.UploadPatience > 10*time.Minute:
		return fmt.Errorf("apiserver: UploadPatience is %v, want 1ms to 10m", o.UploadPatience)
	case o.LingerPatience < 0 || o.LingerPatience > time.Minute:
		return fmt.Errorf("apiserver: LingerPatience is %v, want 0 to 1m", o.LingerPatience)
	case o.StopPatience < 0 || o.StopPatience > time.Minute:
		return fmt.Errorf("apiserver: StopPatience is %v, want 0 to 1m", o.StopPatience)
	case o.MaxConnections < 1:
		return fmt.Errorf("apiserver: MaxConnections is %d, want at least 1", o.MaxConnections)
	}
	return nil
}

// Limits of a connection. A route that takes or needs longer moves its own deadlines.
const (
	headerPatience = 10 * time.Second
	readPatience   = 30 * time.Second
	idlePatience   = 2 * time.Minute
	writeMargin    = 30 * time.Second // beyond the longest wait for a retraining
	maxHeader      = 16 << 10         // bytes
)

// Server is the HTTP API.
type Server struct {
	opt      Options
	log      *slog.Logger
	metrics  *metrics
	ids      *requestIDs
	router   *chi.Mux
	routing  sync.Pool // of *chi.Context
	huma     huma.API
	document []byte // OpenAPI
	docs     *docs
	limits   *limits
	uploads  *bounds.Places
	large    *bounds.Places
	decoding chan struct{} // full when as many large bodies are decoded as may be
	watches  *watches
	seen     *seenWindows
	// of lines of the log
	refusals, strangers *sampler
	lastChecks          sharedChecks
	lastOverview        shared[api.Overview]
	lastServices        shared[[]api.Service]
	lastScores          shared[api.DriftScores]
	lastKPIs            shared[api.KPIs]

	listener net.Listener
	http     *http.Server
	cancel   context.CancelFunc // of all requests
	stopping chan struct{}      // closed when waiting requests should answer
}

// New makes the routes and binds the listener; Run serves. If Run is never called, Close releases
// the listener.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		opt: o, log: slog.New(LogRequestID(o.Logger.Handler())), ids: newRequestIDs(), router: chi.NewRouter(),
		limits: newLimits(o.UserLogins, o.AddressLogins), uploads: bounds.NewPlaces(maxUploads, callerUploads), stopping: make(chan struct{}),
		refusals: &sampler{most: refusalLines, window: refusalWindow}, strangers: &sampler{most: strangerLines, window: strangerWindow},
		large: bounds.NewPlaces(maxLarge, callerLarge), decoding: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	s.watches = newWatches(s.follow)
	s.seen = s.newSeen()
	s.routing.New = func() any { return chi.NewRouteContext() }
	var err error
	if s.metrics, err = newMetrics(o.Registerer); err != nil {
		return nil, err
	}
	if s.docs, err = newDocs(); err != nil {
		return nil, err
	}
	s.huma = s.newHuma()
	s.routes()
	if s.document, err = s.openAPI(); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("apiserver: %w", err) // names the address
	}
	s.listener = bounds.Listen(listener, o.MaxConnections)
	base, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerPatience,
		ReadTimeout:       readPatience,
		WriteTimeout:      o.RetrainPatience + writeMargin,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // clients' half-open connections
		// OPTIONS * goes to the router too, which knows nothing of it.
		DisableGeneralOptionsHandler: true,
	}
	return s, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is the address as a client on this machine would write it.
func (s *Server) URL() string {
	addr, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return "http://" + s.listener.Addr().String()
	}
	host := "localhost"
	if !addr.IP.IsUnspecified() {
		host = addr.IP.String()
	}
	return fmt.Sprintf("http://%s", net.JoinHostPort(host, fmt.Sprint(addr.Port)))
}

// Close stops at once. Run does so in order.
func (s *Server) Close() error {
	s.cancel()
	s.watches.close()
	return errors.Join(s.http.Close(), ignoreClosed(s.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Run serves until ctx ends. Then no connection is taken any more, requests that wait for a
// retraining answer 202, files that are still coming 503, all others may finish for StopPatience, and
// the rest is cut off.
func (s *Server) Run(ctx context.Context) error {
	defer s.watches.close()
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		s.cancel()
		return fmt.Errorf("apiserver: serve: %w", err)
	case <-ctx.Done():
	}
	close(s.stopping)
	patience, done := context.WithTimeout(context.WithoutCancel(ctx), s.opt.StopPatience)
	defer done()
	err := s.http.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.WarnContext(ctx, "requests cut off at the stop", "patience", s.opt.StopPatience)
		err = s.http.Close()
	}
	s.cancel()
	s.tellDropped(time.Time{}) // all there are
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("apiserver: stop: %w", err)
	}
	return nil
}
