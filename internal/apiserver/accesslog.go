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
// its refusals only a sample.
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

// refusalLines is how many refusals on quiet routes are logged a second. A client with a revoked token
// may be refused thousands of times a second, and the log keeps a bounded history.
const refusalLines = 10

// sampler lets so many lines of each second through and counts the others.
type sampler struct {
	mu      sync.Mutex
	second  int64 // Unix time
	lines   int   // let through in this second
	dropped int   // since told last
}

// take reports whether a line may be written now.
func (p *sampler) take(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if second := now.Unix(); second != p.second {
		p.second, p.lines = second, 0
	}
	if p.lines == refusalLines {
		p.dropped++
		return false
	}
	p.lines++
	return true
}

// overdue takes the number of lines dropped in earlier seconds.
func (p *sampler) overdue(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Unix() == p.second {
		return 0
	}
	n := p.dropped
	p.dropped = 0
	return n
}

// sampled reports whether the line of a request is to be written. The refusals that were left out are
// told of by the first line of any kind in a later second.
func (s *Server) sampled(x *exchange) bool {
	refused := x.status >= 400 && x.status < 500 && x.route != nil && quiet(x.route.pattern)
	now := s.opt.Clock()
	s.tellDropped(s.refusals.overdue(now))
	return !refused || s.refusals.take(now)
}

func (s *Server) tellDropped(n int) {
	if n > 0 {
		s.log.LogAttrs(context.Background(), slog.LevelInfo, "refused requests not logged", slog.Int("suppressed", n))
	}
}
