package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"iacontinu/internal/ml"
)

// failedSQL counts the retrainings that failed for good. A job that somebody called off is cancelled too,
// and has no failure.
const failedSQL = `SELECT COUNT(*), MAX(unixepoch(finalized_at, 'subsec')) FROM river_job
	WHERE state IN ('cancelled', 'discarded') AND finalized_at >= ? AND kind = ?
		AND (state = 'discarded' OR json_array_length(errors) > 0)`

// FailedRetrains tells how many retrainings failed for good since a time, and when the last one did. They are
// known for a week.
func (q *Queue) FailedRetrains(ctx context.Context, since time.Time) (n int64, last time.Time, err error) {
	var at sql.NullFloat64
	row := q.options.Reader.QueryRowContext(ctx, failedSQL, since.UTC().Format("2006-01-02 15:04:05"), ml.RetrainArgs{}.Kind())
	if err := row.Scan(&n, &at); err != nil {
		return 0, time.Time{}, fmt.Errorf("queue: count failed retrainings: %w", coded(err))
	}
	if at.Valid {
		last = time.UnixMilli(int64(at.Float64 * 1000)).UTC()
	}
	return n, last, nil
}
