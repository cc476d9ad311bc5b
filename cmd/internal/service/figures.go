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
	failed, err := p.Queue.FailedRetrains(ctx, since)
	f.Retrains[ml.RetrainFailed] = failed.Count
	return f, err
}

// recap sums up the retrainings of all workers.
func (p *Platform) recap(ctx context.Context) (ml.RetrainRecap, error) {
	r, err := p.Store.Recap(ctx)
	if err != nil {
		return r, err
	}
	failed, err := p.Queue.FailedRetrains(ctx, time.Time{})
	if err == nil && !failed.Last.IsZero() {
		r.Last[ml.RetrainFailed] = failed.Last
	}
	return r, err
}

// lastFailed is the job of the retraining that ended last if it failed, 0 if it came to a verdict.
func (p *Platform) lastFailed(ctx context.Context) (job int64, at time.Time, err error) {
	failed, err := p.Queue.FailedRetrains(ctx, time.Time{})
	if err != nil || failed.LastJob == 0 {
		return 0, at, err
	}
	trained, _, err := p.Store.TrainingHistory(ctx, 1)
	if err != nil || len(trained) > 0 && trained[0].JobID > failed.LastJob {
		return 0, at, err
	}
	return failed.LastJob, failed.Last, nil
}
