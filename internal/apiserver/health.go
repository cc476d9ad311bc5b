package apiserver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// checkPatience bounds the time that /health waits for the checks.
const checkPatience = 2 * time.Second

func (s *Server) health(ctx context.Context, _ *none) (*with[api.Health], error) {
	checks := s.checks(ctx)
	if checks["database"].Status == api.CheckDown {
		return nil, unwell("the database can't be read", checks)
	}
	return s.healthy(checks), nil
}

// ready is health, and a model serves.
func (s *Server) ready(ctx context.Context, _ *none) (*with[api.Health], error) {
	checks := s.checks(ctx)
	if checks["database"].Status == api.CheckDown {
		return nil, unwell("the database can't be read", checks)
	}
	if _, ok := s.opt.Predictor.Current(); !ok {
		return nil, unwell("no model serves yet", checks)
	}
	return s.healthy(checks), nil
}

// checksAge is how long the checks are good for. Anybody may ask, and so many who had the database asked for each
// would keep it busy until it seemed down.
const checksAge = time.Second

// sharedChecks are the last checks, and what they were made of.
type sharedChecks struct {
	mu      sync.Mutex // held while they are made: all who come meanwhile have use for them
	made    time.Time
	version string // that served; a swap is seen at once
	checks  map[string]api.Check
}

func (s *Server) checks(ctx context.Context) map[string]api.Check {
	last := &s.lastChecks
	last.mu.Lock()
	defer last.mu.Unlock()
	serving, _ := s.opt.Predictor.Current()
	if last.checks != nil && serving.Name == last.version && s.opt.Clock().Sub(last.made) < checksAge {
		return last.checks
	}
	// Others need them too when this client has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkPatience)
	defer cancel()
	last.checks, last.version = s.opt.Checks(ctx), serving.Name
	if last.checks == nil {
		last.checks = map[string]api.Check{}
	}
	last.made = s.opt.Clock() // at the end: who has waited for them has fresh ones
	return last.checks
}

func (s *Server) healthy(checks map[string]api.Check) *with[api.Health] {
	status := api.CheckOK
	if checks["database"].Status == api.CheckWarn {
		status = api.StatusDegraded
	}
	return &with[api.Health]{api.Health{Status: status, Timestamp: s.now(), Version: s.opt.Version, Checks: checks}}
}

func unwell(detail string, checks map[string]api.Check) *failure {
	f := newFailure(http.StatusServiceUnavailable, ml.CodeUnavailable, detail)
	f.header.Set("Retry-After", "1")
	f.Checks = checks
	return f
}
