package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"iacontinu/internal/ml"
)

// The queries for who served when a candidate was judged. A version that was let in lies upon that one in
// the stack of activations; if it was not, that one is the last before its record.
const (
	belowActivation = "SELECT COALESCE(b.version, '') FROM activations a LEFT JOIN activations b ON b.id = a.previous" +
		" WHERE a.id BETWEEN ? AND ? AND a.version = ? AND a.actor = ? ORDER BY a.id LIMIT 1"
	activationBefore = "SELECT version FROM activations WHERE id < ? ORDER BY id DESC LIMIT 1"
)

// activationsAfter is how many activations after the record of a retraining may be its own: they are
// written in one transaction, which others may delay.
const activationsAfter = 20

// Champion is the version that served when the retraining of a record was judged, empty if none did.
func (s *Store) Champion(ctx context.Context, r ml.TrainingRecord) (version string, err error) {
	first, _, err := s.since(ctx, maxActivation, nextActivation, r.CreatedAt)
	switch {
	case err != nil:
	case r.Verdict == ml.VerdictActivated:
		err = s.reader.QueryRowContext(ctx, belowActivation, first, first+activationsAfter, r.Version, jobActor(r.JobID)).Scan(&version)
	default:
		err = s.reader.QueryRowContext(ctx, activationBefore, first).Scan(&version)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("store: read who served before %s: %w", r.Version, coded(err))
	}
	return version, nil
}
