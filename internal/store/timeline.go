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

	checksBetween = "SELECT id, created_at, CASE drift WHEN 1 THEN 'drift' ELSE 'failed' END, COALESCE(model_version, ''), trigger_value, COALESCE(action_taken, ''), 0 FROM drift_detections" +
		" WHERE (drift = 1 OR action_taken = 'health_check_failed') AND id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
	trainingsBetween = "SELECT id, created_at, 'verdict', COALESCE(model_version, ''), accuracy_after, verdict, COALESCE(training_duration_seconds, 0)" +
		" FROM model_training_logs WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
	beginningsBetween = "SELECT id, created_at, 'retrain', COALESCE(model_version, ''), training_samples, COALESCE(trigger_reason, ''), COALESCE(training_duration_seconds, 0)" +
		" FROM model_training_logs WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?"
	activationsBetween = "SELECT a.id, a.created_at, CASE a.action WHEN 'rollback' THEN 'rollback' ELSE 'swap' END, a.version, m.accuracy, '', 0" +
		" FROM activations a LEFT JOIN models m ON m.version = a.version WHERE a.id BETWEEN ? AND ? ORDER BY a.id DESC LIMIT ?"
	datasetsBetween = "SELECT generation_id, created_at, CASE source WHEN 'imported' THEN 'import' ELSE 'generate' END, '', samples_count, name, 0 FROM datasets" +
		" WHERE state = 'ready' AND generation_id BETWEEN ? AND ? ORDER BY generation_id DESC LIMIT ?"
)

// chapters are the tables that the timeline is read from.
var chapters = []struct {
	kinds                []ml.HappeningKind
	maxID, next, between string
}{
	{[]ml.HappeningKind{ml.HappenedDrift, ml.HappenedFailed}, maxCheck, nextCheck, checksBetween},
	{[]ml.HappeningKind{ml.HappenedRetrain}, maxTraining, nextTraining, beginningsBetween},
	{[]ml.HappeningKind{ml.HappenedVerdict}, maxTraining, nextTraining, trainingsBetween},
	{[]ml.HappeningKind{ml.HappenedSwap, ml.HappenedRollback}, maxActivation, nextActivation, activationsBetween},
	{[]ml.HappeningKind{ml.HappenedImport, ml.HappenedGenerate}, maxDataset, nextDataset, datasetsBetween},
}

// Timeline reads what happened from a moment to another, both included, newest first: the newest limit
// happenings of these kinds, all if none is named. more says that there are older ones.
func (s *Store) Timeline(ctx context.Context, from, to time.Time, kinds []ml.HappeningKind, limit int) (out []ml.Happening, more bool, err error) {
	for _, c := range chapters {
		if len(kinds) > 0 && !slices.ContainsFunc(c.kinds, func(k ml.HappeningKind) bool { return slices.Contains(kinds, k) }) {
			continue
		}
		first, last, err := s.span(ctx, c.maxID, c.next, from, to)
		if err == nil {
			out, err = s.happenings(ctx, out, c.between, first, last, limit+1)
		}
		if err != nil {
			return nil, false, fmt.Errorf("store: read the timeline: %w", coded(err))
		}
	}
	out = slices.DeleteFunc(out, func(h ml.Happening) bool {
		return len(kinds) > 0 && !slices.Contains(kinds, h.Kind)
	})
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

func (s *Store) happenings(ctx context.Context, out []ml.Happening, query string, first, last int64, limit int) ([]ml.Happening, error) {
	rows, err := s.reader.QueryContext(ctx, query, first, last, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h ml.Happening
		var at timestamp
		var value sql.NullFloat64
		var seconds float64
		if err := rows.Scan(&h.ID, &at, &h.Kind, &h.Version, &value, &h.Detail, &seconds); err != nil {
			return nil, err
		}
		if h.At = at.Time; h.Kind == ml.HappenedRetrain { // its record is of its end
			h.At = h.At.Add(-time.Duration(seconds * float64(time.Second)))
		}
		if value.Valid {
			h.Value = &value.Float64
		}
		out = append(out, h)
	}
	return out, rows.Err()
}
