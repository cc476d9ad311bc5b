package service

import (
	"context"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/queue"
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
	if err != nil || len(trained) > 0 && endedAfter(trained[0], failed) {
		return 0, at, err
	}
	return failed.LastJob, failed.Last, nil
}

// endedAfter compares by time, since a job that began before another may end after it. Records of trainings have whole
// seconds: within one, the later job counts.
func endedAfter(t ml.TrainingRecord, f queue.FailedRetrains) bool {
	order := t.CreatedAt.Compare(f.Last.Truncate(time.Second))
	return order > 0 || order == 0 && t.JobID > f.LastJob
}
