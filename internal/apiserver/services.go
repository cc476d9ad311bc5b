package apiserver

import (
	"context"
	"time"

	"iacontinu/internal/api"
)

// servicesAge is how long the answers of services are good for: whoever looks, they are asked no more often.
const servicesAge = 5 * time.Second

func (s *Server) services(ctx context.Context, _ *none) (*with[api.ServiceList], error) {
	all, err := s.lastServices.get(ctx, s.opt.Clock, servicesAge, s.opt.Services)
	if err != nil {
		return nil, err
	}
	return &with[api.ServiceList]{api.ServiceList{Services: list(all)}}, nil
}

func (s *Server) kpis(ctx context.Context, _ *none) (*with[api.KPIs], error) {
	out, err := s.lastKPIs.get(ctx, s.opt.Clock, overviewAge, s.opt.KPIs)
	if err != nil {
		return nil, err
	}
	return &with[api.KPIs]{out}, nil
}
