package apiserver

import (
	"context"
	"net/http"
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

func (s *Server) checks(ctx context.Context) map[string]api.Check {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	checks := s.opt.Checks(ctx)
	if checks == nil {
		checks = map[string]api.Check{}
	}
	return checks
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
