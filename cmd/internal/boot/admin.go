package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin is the listener for those who look after a process: /metrics and /healthz for everybody who
// reaches it, and the profiles of pprof for requests from the same machine and for administrators.
type Admin struct {
	listener net.Listener
	server   *http.Server
}

// AdminOptions say what the listener tells. All are required.
type AdminOptions struct {
	Setting  string // the name of the port's setting, for errors
	Addr     string
	Gatherer prometheus.Gatherer
	// Health says whether the process is well.
	Health func(context.Context) error
	// Administrator returns nil for a token of an administrator, and ErrNotAdministrator for one of somebody else.
	Administrator func(ctx context.Context, token string) error
}

// ErrNotAdministrator is for whoever is known and may not see profiles.
var ErrNotAdministrator = errors.New("the token is not an administrator's")

// NewAdmin binds the listener.
func NewAdmin(ctx context.Context, o AdminOptions) (*Admin, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Setting, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := o.Health(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /debug/pprof/", o.guarded(pprof.Index))
	mux.Handle("GET /debug/pprof/profile", o.guarded(pprof.Profile))
	mux.Handle("GET /debug/pprof/trace", o.guarded(pprof.Trace))
	return &Admin{listener: l, server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}, nil
}

// Addr is the address that was bound.
func (a *Admin) Addr() net.Addr { return a.listener.Addr() }

// Run serves until ctx ends.
func (a *Admin) Run(ctx context.Context) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		stopped <- a.server.Shutdown(shutdown)
	})
	defer stop()
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin listener: %w", err)
	}
	if err := <-stopped; err != nil {
		// A scrape that outlasts the stop loses nothing that was promised.
		return a.server.Close()
	}
	return nil
}

// guarded lets a request from the same machine in, and one with an administrator's token from anywhere. What
// a proxy on this machine passes on comes from elsewhere.
func (o AdminOptions) guarded(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if local(r) {
			h(w, r)
			return
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "profiles are for requests from the same machine, or with the token of an administrator", http.StatusUnauthorized)
			return
		}
		if err := o.Administrator(r.Context(), token); err != nil {
			http.Error(w, "profiles are for administrators: "+err.Error(), http.StatusForbidden)
			return
		}
		h(w, r)
	})
}

func local(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
