package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"iacontinu/internal/api"
)

const (
	statusPatience = 10 * time.Second
	shownChecks    = 40
	shownTrainings = 5
)

// errUnwell ends `status` with exit code 1 when something needs a look; what it is was shown.
var errUnwell = errors.New("something needs a look, see above")

// state is all that `status` shows, as the platform tells it.
type state struct {
	at        time.Time
	health    api.Health
	overview  api.Overview
	services  []api.Service
	kpis      api.KPIs
	model     api.ModelInfo
	checks    api.DriftHistory
	trainings api.TrainingHistory
	metrics   map[string]*dto.MetricFamily
}

// status shows on one page how the platform is.
func status(c *call, args []string) error {
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, statusPatience)
	defer cancel()
	s, err := ask(ctx, client)
	if err != nil {
		return reachable(err)
	}
	worries := s.worries()
	if err := s.print(c.out, worries); err != nil {
		return err
	}
	if len(worries) > 0 {
		return errUnwell
	}
	return nil
}

// ask gathers the state from the API.
func ask(ctx context.Context, client *api.Client) (state, error) {
	s := state{at: time.Now()}
	var text string
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { s.health, err = client.Health(ctx); return err })
	g.Go(func() (err error) { s.overview, err = client.Overview(ctx); return err })
	g.Go(func() (err error) { s.kpis, err = client.KPIs(ctx); return err })
	g.Go(func() error {
		list, err := client.Services(ctx)
		s.services = list.Services
		return err
	})
	g.Go(func() (err error) { s.model, err = client.ModelInfo(ctx); return err })
	g.Go(func() (err error) { s.checks, err = client.Drift(ctx, shownChecks); return err })
	g.Go(func() (err error) { s.trainings, err = client.Trainings(ctx, shownTrainings); return err })
	g.Go(func() (err error) { text, err = client.Metrics(ctx); return err })
	if err := g.Wait(); err != nil {
		return s, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	var err error
	if s.metrics, err = parser.TextToMetricFamilies(strings.NewReader(text)); err != nil {
		return s, fmt.Errorf("the metrics of the API can't be read: %w", err)
	}
	return s, nil
}
