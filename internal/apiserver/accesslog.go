package apiserver

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"iacontinu/internal/api"
)

// logAccess writes a line for a request: what is asked for many times a minute only at debug, and of
// its refusals, and of what strangers ask for, only a sample; but each time that the server failed.
func (s *Server) logAccess(c *requestContext, r *http.Request, took time.Duration) {
	x := &c.exchange
	level := slog.LevelInfo
	switch {
	case x.status >= 500:
		level = slog.LevelWarn
	case x.status < 400 && x.route != nil && quiet(x.route.pattern):
		level = slog.LevelDebug
	}
	if !s.log.Enabled(c, level) || !s.sampled(x) {
		return
	}
	endpoint := unmatched
	if x.route != nil {
		endpoint = x.route.pattern
	}
	const most = 200
	path := r.URL.Path // never the query
	s.log.LogAttrs(c, level, "request",
		slog.String("method", knownMethod(r.Method)), slog.String("path", path[:min(len(path), most)]),
		slog.String("endpoint", endpoint), slog.Int("status", x.status), slog.Int64("bytes", x.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("user", x.who.Username), slog.String("remote", hostOf(x.remote)))
}

func quiet(pattern string) bool {
	switch pattern {
	case api.PathPredict, api.PathBatch, api.PathHealth, api.PathReady, api.PathMetrics, api.PathJob:
		return true
	}
	return false
}

// Anybody can ask thousands of times a second, and the log keeps a bounded history: strangers fill it in days
// with so many lines a minute, and not in minutes. Refusals of known callers on quiet routes are logged so many
// times a second.
const (
	strangerLines  = 30
	strangerWindow = 60 // seconds
	refusalLines   = 10
	refusalWindow  = 1
)

// sampler lets so many lines of each window of time through and counts the others.
type sampler struct {
	most   int
	window int64 // seconds

	mu      sync.Mutex
	now     int64 // the number of the window
	lines   int   // let through in it
	dropped int   // since told last
}

// take reports whether a line may be written now.
func (p *sampler) take(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := now.Unix() / p.window; n != p.now {
		p.now, p.lines = n, 0
	}
	if p.lines == p.most {
		p.dropped++
		return false
	}
	p.lines++
	return true
}

// overdue takes the number of lines dropped in earlier windows.
func (p *sampler) overdue(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Unix()/p.window == p.now {
		return 0
	}
	n := p.dropped
	p.dropped = 0
	return n
}

// sampled reports whether the line of a request is to be written. The lines that were left out are told of by
// the first line of any kind in a later window.
func (s *Server) sampled(x *exchange) bool {
	now := s.opt.Clock()
	s.tellDropped(now)
	switch {
	case x.status >= 500:
		return true
	case x.who.Username == "":
		return s.strangers.take(now)
	case x.status >= 400 && x.route != nil && quiet(x.route.pattern):
		return s.refusals.take(now)
	}
	return true
}

// tellDropped tells how many lines were left out up to the window before now.
func (s *Server) tellDropped(now time.Time) {
	if n := s.refusals.overdue(now); n > 0 {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "refused requests not logged", slog.Int("suppressed", n))
	}
	if n := s.strangers.overdue(now); n > 0 {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "requests without a valid token not logged", slog.Int("suppressed", n))
	}
}
