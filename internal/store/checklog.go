package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

// Checks reads the checks of a span of time, oldest first: all of them or, if there are more than most, so
// many evenly spread, the newest among them. It says how many ids the span has.
func (s *Store) Checks(ctx context.Context, from, to time.Time, most int) ([]ml.DriftReport, int64, error) {
	first, last, err := s.span(ctx, maxCheck, nextCheck, from, to)
	var rows []driftRow
	if err == nil && first <= last {
		err = spread(s.read.WithContext(ctx), first, last, most).Order("id").Find(&rows).Error
	}
	if err != nil {
		return nil, 0, fmt.Errorf("store: read checks: %w", coded(err))
	}
	out := make([]ml.DriftReport, len(rows))
	for i, r := range rows {
		out[i] = r.report()
	}
	return out, last - first + 1, nil
}

// spread chooses ids from first to last, by which the table is kept.
func spread(q *gorm.DB, first, last int64, most int) *gorm.DB {
	n := last - first + 1
	if n <= int64(most) {
		return q.Where("id BETWEEN ? AND ?", first, last)
	}
	ids := make([]int64, most)
	for i := range ids {
		ids[i] = last - int64(float64(most-1-i)/float64(most)*float64(n))
	}
	return q.Where("id IN ?", ids)
}

// Check reads a check by its id.
func (s *Store) Check(ctx context.Context, id int64) (ml.DriftReport, error) {
	var r driftRow
	if err := s.read.WithContext(ctx).Where("id = ?", id).Take(&r).Error; err != nil {
		return ml.DriftReport{}, fmt.Errorf("store: read check: %w", found(err, "there is no check %d", id))
	}
	return r.report(), nil
}

// looksBack is how many rows of the log are looked at for those of one version.
const looksBack = 100_000

// PredictionsUntil reads, as Recent does, the newest predictions of a version that were logged up to a
// moment, as far as they are among the last 100,000 of that moment.
func (s *Store) PredictionsUntil(ctx context.Context, version string, until time.Time, limit, k int) (columns [][]float64, n int, err error) {
	_, last, err := s.span(ctx, maxPrediction, nextPrediction, until, until)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read predictions: %w", coded(err))
	}
	return s.window(ctx, version, last-looksBack, last, limit, k)
}
