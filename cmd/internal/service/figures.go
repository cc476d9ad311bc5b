package service

import (
	"context"
	"time"

	"iacontinu/internal/ml"
)

// figures reads what dashboards tell of the platform's use. Retrainings that failed left no record but
// their job.
func (p *Platform) figures(ctx context.Context, since time.Time) (ml.Figures, error) {
	f, err := p.Store.Figures(ctx, since)
	if err != nil {
		return f, err
	}
	f.Retrains[ml.RetrainFailed], _, err = p.Queue.FailedRetrains(ctx, since)
	return f, err
}

// recap sums up the retrainings of all workers.
func (p *Platform) recap(ctx context.Context) (ml.RetrainRecap, error) {
	r, err := p.Store.Recap(ctx)
	if err != nil {
		return r, err
	}
	_, last, err := p.Queue.FailedRetrains(ctx, time.Time{})
	if err == nil && !last.IsZero() {
		r.Last[ml.RetrainFailed] = last
	}
	return r, err
}
