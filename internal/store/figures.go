package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"iacontinu/internal/ml"
)

// The queries of the figures. Rows of the long tables are found by id, for ids rise with time: no query
// reads a table from end to end that grows by use.
const (
	maxPrediction = "SELECT COALESCE(MAX(id), 0) FROM prediction_logs"
	maxTraining   = "SELECT COALESCE(MAX(id), 0) FROM model_training_logs"
	maxCheck      = "SELECT COALESCE(MAX(id), 0) FROM drift_detections"

	nextPrediction = "SELECT id, created_at FROM prediction_logs WHERE id >= ? ORDER BY id LIMIT 1"
	nextTraining   = "SELECT id, created_at FROM model_training_logs WHERE id >= ? ORDER BY id LIMIT 1"
	nextCheck      = "SELECT id, created_at FROM drift_detections WHERE id >= ? ORDER BY id LIMIT 1"

	activeUsers = "SELECT COUNT(*) FROM users WHERE last_login >= @since OR EXISTS" +
		" (SELECT 1 FROM prediction_logs WHERE user_id = users.id AND prediction_logs.id >= @first)"
	usersByRole    = "SELECT CASE role WHEN 'admin' THEN role ELSE 'user' END, COUNT(*) FROM users WHERE is_active GROUP BY 1" // any other role means user
	retrainsSince  = "SELECT verdict, COUNT(*) FROM model_training_logs NOT INDEXED WHERE id >= ? GROUP BY verdict"
	datasetsReady  = "SELECT source, COUNT(*) FROM datasets WHERE state = 'ready' GROUP BY source"
	newestDataset  = "SELECT samples_count, class0_count, class1_count FROM datasets WHERE state = 'ready' AND source = ? ORDER BY generation_id DESC LIMIT 1"
	rejectedInARow = "SELECT COUNT(*) FROM model_training_logs WHERE verdict = 'rejected' AND id >" +
		" (SELECT COALESCE(MAX(id), 0) FROM model_training_logs WHERE verdict = 'activated')"
	lastTraining = "SELECT created_at FROM model_training_logs WHERE verdict = ? ORDER BY id DESC LIMIT 1"

	lastDriftTraining = "SELECT job_id, model_version, created_at FROM model_training_logs WHERE verdict = 'activated' AND trigger_reason = 'drift' ORDER BY id DESC LIMIT 1"
	activatedAt       = "SELECT created_at FROM activations WHERE version = ? AND actor = ? ORDER BY id LIMIT 1"
	checkOfJob        = "SELECT created_at, json_extract(details, '$.new_version'), json_extract(details, '$.duration_seconds') FROM drift_detections WHERE id BETWEEN ? AND ? AND drift AND json_valid(details)" +
		" AND json_extract(details, '$.job_id') = ? ORDER BY id LIMIT 1"
)

// Figures reads what happened since a moment, and what there is. Failed retrainings are the queue's.
func (s *Store) Figures(ctx context.Context, since time.Time) (f ml.Figures, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store: read the figures: %w", coded(err))
		}
	}()
	first, last, err := s.since(ctx, maxPrediction, nextPrediction, since)
	if err != nil {
		return f, err
	}
	f.Predictions = last - first + 1
	err = s.reader.QueryRowContext(ctx, activeUsers, sql.Named("since", stamp(since)), sql.Named("first", first)).Scan(&f.ActiveUsers)
	if err != nil {
		return f, err
	}
	if f.Users, err = counts[ml.Role](ctx, s.reader, usersByRole); err != nil {
		return f, err
	}
	if first, _, err = s.since(ctx, maxTraining, nextTraining, since); err != nil {
		return f, err
	}
	if f.Retrains, err = counts[string](ctx, s.reader, retrainsSince, first); err != nil {
		return f, err
	}
	if f.DriftToBetter, err = s.driftToBetter(ctx); err != nil {
		return f, err
	}
	f.Datasets, err = s.datasetFigures(ctx)
	return f, err
}

// Recap sums up the retrainings that came to a verdict.
func (s *Store) Recap(ctx context.Context) (ml.RetrainRecap, error) {
	out := ml.RetrainRecap{Last: map[string]time.Time{}}
	if err := s.reader.QueryRowContext(ctx, rejectedInARow).Scan(&out.RejectedInARow); err != nil {
		return out, fmt.Errorf("store: sum up the retrainings: %w", coded(err))
	}
	for _, verdict := range []string{string(ml.VerdictActivated), string(ml.VerdictRejected)} {
		var at timestamp
		switch err := s.reader.QueryRowContext(ctx, lastTraining, verdict).Scan(&at); {
		case errors.Is(err, sql.ErrNoRows) || err == nil && at.IsZero():
		case err != nil:
			return out, fmt.Errorf("store: sum up the retrainings: %w", coded(err))
		default:
			out.Last[verdict] = at.Time
		}
	}
	return out, nil
}

// since returns the id of the first row of a log that was written at the time or after it, and that of
// the last row; with none there, first is last + 1. It halves the ids, so that it reads some 30 rows of
// a million. A clock that was set back makes it as wrong as the clock was.
func (s *Store) since(ctx context.Context, maxID, next string, at time.Time) (first, last int64, err error) {
	if err := s.reader.QueryRowContext(ctx, maxID).Scan(&last); err != nil {
		return 0, 0, err
	}
	at, first = at.Truncate(time.Second), last+1
	low, high := int64(1), last+1 // the first row's id, or a gap before it, is between them
	for low < high {
		middle := low + (high-low)/2
		var id int64
		var created timestamp
		if err := s.reader.QueryRowContext(ctx, next, middle).Scan(&id, &created); err != nil {
			return 0, 0, err
		}
		if created.Before(at) {
			low = id + 1
		} else {
			high, first = middle, id
		}
	}
	return first, last, nil
}

// checksAround is how many checks before and after the end of a retraining are looked at for the one
// that asked for it.
const checksAround = 100

// driftToBetter is the time from the check that asked for the latest retraining for drift that made a
// better version until that version was active. A check that waited for the retraining has measured it;
// for one that did not, the times of the records have to do, which are whole seconds.
func (s *Store) driftToBetter(ctx context.Context) (*time.Duration, error) {
	var job int64
	var version string
	var ended, active, checked timestamp
	var made sql.NullString
	var seconds sql.NullFloat64
	err := s.reader.QueryRowContext(ctx, lastDriftTraining).Scan(&job, &version, &ended)
	if err == nil {
		err = s.reader.QueryRowContext(ctx, activatedAt, version, jobActor(job)).Scan(&active)
	}
	if err == nil {
		var around int64
		if around, _, err = s.since(ctx, maxCheck, nextCheck, ended.Time); err == nil {
			err = s.reader.QueryRowContext(ctx, checkOfJob, around-checksAround, around+checksAround, job).Scan(&checked, &made, &seconds)
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	took := max(0, active.Sub(checked.Time))
	if made.String == version && seconds.Valid {
		took = time.Duration(seconds.Float64 * float64(time.Second))
	}
	return &took, nil
}

func (s *Store) datasetFigures(ctx context.Context) (map[ml.DatasetSource]ml.DatasetFigures, error) {
	ready, err := counts[ml.DatasetSource](ctx, s.reader, datasetsReady)
	if err != nil {
		return nil, err
	}
	out := map[ml.DatasetSource]ml.DatasetFigures{}
	for source, count := range ready {
		f := ml.DatasetFigures{Count: count, Latest: ml.Dataset{Source: source}}
		err := s.reader.QueryRowContext(ctx, newestDataset, source).Scan(&f.Latest.Samples, &f.Latest.ClassCounts[0], &f.Latest.ClassCounts[1])
		if err != nil && !errors.Is(err, sql.ErrNoRows) { // deleted meanwhile
			return nil, err
		}
		out[source] = f
	}
	return out, nil
}

// counts reads rows of a name and a number.
func counts[K ~string](ctx context.Context, db *sql.DB, query string, args ...any) (map[K]int64, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[K]int64{}
	for rows.Next() {
		var name K
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		out[name] += n
	}
	return out, rows.Err()
}
