package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"iacontinu/internal/ml"
)

// The queries of the timeline. A span of time is found as one of ids, as for the figures.
const (
	maxActivation  = "SELECT COALESCE(MAX(id), 0) FROM activations"
	nextActivation = "SELECT id, created_at FROM activations WHERE id >= ? ORDER BY id LIMIT 1"
	maxDataset     = "SELECT COALESCE(MAX(generation_id), 0) FROM datasets"
	nextDataset    = "SELECT generation_id, created_at FROM datasets WHERE generation_id >= ? ORDER BY generation_id LIMIT 1"

	checksBetween = "SELECT id, created_at, COALESCE(model_version, ''), trigger_value, COALESCE(action_taken, ''), 0 FROM drift_detections" +
		" WHERE %s AND id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
	trainingsBetween = "SELECT id, created_at, COALESCE(model_version, ''), accuracy_after, verdict, COALESCE(training_duration_seconds, 0)" +
		" FROM model_training_logs WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
	beginningsBetween = "SELECT id, created_at, COALESCE(model_version, ''), training_samples, COALESCE(trigger_reason, ''), COALESCE(training_duration_seconds, 0)" +
		" FROM model_training_logs WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
	activationsBetween = "SELECT a.id, a.created_at, a.version, m.accuracy, '', 0" +
		" FROM activations a LEFT JOIN models m ON m.version = a.version WHERE %s AND a.id BETWEEN ? AND ? ORDER BY a.id DESC LIMIT ?"
	datasetsBetween = "SELECT generation_id, created_at, '', samples_count, name, 0 FROM datasets" +
		" WHERE %s AND state = 'ready' AND generation_id BETWEEN ? AND ? ORDER BY generation_id DESC LIMIT ?"
)

// chapters are the kinds of happenings with the tables that they are read from: each by itself, since of a kind that is
// rare the newest may be older than all that a limit leaves of a kind that is frequent.
var chapters = []struct {
	kind                 ml.HappeningKind
	maxID, next, between string
}{
	{ml.HappenedDrift, maxCheck, nextCheck, fmt.Sprintf(checksBetween, "drift = 1")},
	{ml.HappenedFailed, maxCheck, nextCheck, fmt.Sprintf(checksBetween, "drift <> 1 AND action_taken = 'health_check_failed'")},
	{ml.HappenedRetrain, maxTraining, nextTraining, beginningsBetween},
	{ml.HappenedVerdict, maxTraining, nextTraining, trainingsBetween},
	{ml.HappenedSwap, maxActivation, nextActivation, fmt.Sprintf(activationsBetween, "a.action <> 'rollback'")},
	{ml.HappenedRollback, maxActivation, nextActivation, fmt.Sprintf(activationsBetween, "a.action = 'rollback'")},
	{ml.HappenedImport, maxDataset, nextDataset, fmt.Sprintf(datasetsBetween, "source = 'imported'")},
	{ml.HappenedGenerate, maxDataset, nextDataset, fmt.Sprintf(datasetsBetween, "source <> 'imported'")},
}

// Timeline reads what happened from a moment to another, both included, newest first: the newest limit
// happenings of these kinds, all if none is named. more says that there are older ones.
func (s *Store) Timeline(ctx context.Context, from, to time.Time, kinds []ml.HappeningKind, limit int) (out []ml.Happening, more bool, err error) {
	for _, c := range chapters {
		if len(kinds) > 0 && !slices.Contains(kinds, c.kind) {
			continue
		}
		first, last, err := s.span(ctx, c.maxID, c.next, from, to)
		if err == nil {
			out, err = s.happenings(ctx, out, c.kind, c.between, first, last, limit+1)
		}
		if err != nil {
			return nil, false, fmt.Errorf("store: read the timeline: %w", coded(err))
		}
	}
	slices.SortFunc(out, func(a, b ml.Happening) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(turn(b.Kind), turn(a.Kind)), cmp.Compare(b.ID, a.ID))
	})
	return out[:min(limit, len(out))], len(out) > limit, nil
}

// turn orders what happened within one second: each leads to the next.
func turn(k ml.HappeningKind) int { return slices.Index(ml.HappeningKinds(), k) }

// span returns the ids of the first and the last row of a log that were written from a moment to another.
func (s *Store) span(ctx context.Context, maxID, next string, from, to time.Time) (first, last int64, err error) {
	if first, _, err = s.since(ctx, maxID, next, from); err != nil {
		return 0, 0, err
	}
	after, _, err := s.since(ctx, maxID, next, to.Truncate(time.Second).Add(time.Second))
	return first, after - 1, err
}

func (s *Store) happenings(ctx context.Context, out []ml.Happening, kind ml.HappeningKind, query string, first, last int64, limit int) ([]ml.Happening, error) {
	rows, err := s.reader.QueryContext(ctx, query, first, last, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		h := ml.Happening{Kind: kind}
		var at timestamp
		var value sql.NullFloat64
		var seconds float64
		if err := rows.Scan(&h.ID, &at, &h.Version, &value, &h.Detail, &seconds); err != nil {
			return nil, err
		}
		if h.At = at.Time; kind == ml.HappenedRetrain { // its record is of its end
			h.At = h.At.Add(-time.Duration(seconds * float64(time.Second)))
		}
		if value.Valid {
			h.Value = &value.Float64
		}
		out = append(out, h)
	}
	return out, rows.Err()
}
