package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"iacontinu/internal/ml"
)

// failedSQL counts the retrainings that failed for good. A job that somebody called off is cancelled too,
// and has no failure. Beside MAX, SQLite takes id of the row that has the maximum.
const failedSQL = `SELECT COUNT(*), MAX(unixepoch(finalized_at, 'subsec')), COALESCE(id, 0) FROM river_job
	WHERE state IN ('cancelled', 'discarded') AND finalized_at >= ? AND kind = ?
		AND (state = 'discarded' OR json_array_length(errors) > 0)`

// FailedRetrains are retrainings that failed for good.
type FailedRetrains struct {
	Count   int64
	Last    time.Time // when the last one did; zero if none
	LastJob int64
}

// FailedRetrains tells of the retrainings that failed for good since a time. They are known for a week.
func (q *Queue) FailedRetrains(ctx context.Context, since time.Time) (f FailedRetrains, err error) {
	var at sql.NullFloat64
	row := q.options.Reader.QueryRowContext(ctx, failedSQL, since.UTC().Format("2006-01-02 15:04:05"), ml.RetrainArgs{}.Kind())
	if err := row.Scan(&f.Count, &at, &f.LastJob); err != nil {
		return f, fmt.Errorf("queue: count failed retrainings: %w", coded(err))
	}
	if at.Valid {
		f.Last = time.UnixMilli(int64(at.Float64 * 1000)).UTC()
	}
	return f, nil
}
