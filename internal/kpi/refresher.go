package kpi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
)

// Day is the time that the figures of a day look back.
const Day = 24 * time.Hour

// readTimeout bounds one reading of the store.
const readTimeout = 10 * time.Second

// Options configure a Refresher. Read is required.
type Options struct {
	// Read reads the figures for the time since a moment.
	Read       func(ctx context.Context, since time.Time) (ml.Figures, error)
	Interval   time.Duration         // between two readings; 15 s
	Registerer prometheus.Registerer // nil: no metrics
	Clock      func() time.Time      // time.Now
	Logger     *slog.Logger          // nil discards
}

// Refresher keeps the figures current.
type Refresher struct {
	opt     Options
	metrics *metrics
	failing bool // told already
}

// New returns a refresher that has read nothing yet.
func New(o Options) (*Refresher, error) {
	if o.Read == nil {
		return nil, errors.New("kpi: Options.Read is required")
	}
	o.Interval = cmp.Or(o.Interval, 15*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Clock == nil {
		o.Clock = time.Now
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("kpi: register metrics: %w", err)
	}
	return &Refresher{opt: o, metrics: m}, nil
}

// Run reads at once and then again and again, until ctx ends. Figures that can't be read stay what
// they were, and their time says how old they are.
func (r *Refresher) Run(ctx context.Context) error {
	tick := time.NewTicker(r.opt.Interval)
	defer tick.Stop()
	for {
		r.refresh(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *Refresher) refresh(ctx context.Context) {
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	now := r.opt.Clock()
	figures, err := r.opt.Read(reading, now.Add(-Day))
	switch {
	case err == nil:
		r.metrics.set(figures, now)
	case ctx.Err() == nil && !r.failing:
		r.opt.Logger.WarnContext(ctx, "the figures for the dashboards can't be read; the old ones stay", "error", err)
	}
	r.failing = err != nil
}
