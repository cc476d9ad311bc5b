package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

const (
	// keptChecks is how many checks are remembered: five weeks of one every 30 s.
	keptChecks = 100_000
	// pruneBatch bounds what one call removes of a long table, so that no writer waits for it.
	pruneBatch = 10_000
	// removedVersions is the name under which the predictions of versions that are gone are summed up.
	removedVersions = "(removed)"
)

// Prune removes what nobody can ask for any more: revocations of expired tokens, the progress of jobs
// before oldestJob, and the oldest checks. The sums of predictions by versions that are gone become
// one sum a user, so that totals stay true. See docs/adr/0007.
func (s *Store) Prune(ctx context.Context, oldestJob int64) error {
	write := s.write.WithContext(ctx)
	err := errors.Join(
		write.Where("expires_at < ?", precise{timestamp{s.opt.Clock()}}).Delete(&revocationRow{}).Error,
		write.Where("job_id < ?", oldestJob).Delete(&progressRow{}).Error,
		write.Exec("DELETE FROM drift_detections WHERE id IN (SELECT id FROM drift_detections"+
			" WHERE id <= (SELECT MAX(id) FROM drift_detections) - ? ORDER BY id LIMIT ?)", keptChecks, pruneBatch).Error,
		s.transaction(ctx, foldStats),
	)
	if err != nil {
		return fmt.Errorf("store: prune: %w", coded(err))
	}
	return nil
}

// foldStats adds the sums of versions that are gone to those under removedVersions. Predictions of the
// earlier system that name no version keep their own.
func foldStats(tx *gorm.DB, _ *sql.Tx) error {
	const gone = " FROM prediction_stats WHERE model_version NOT IN (SELECT version FROM models) AND model_version NOT IN ('', @removed)"
	removed := sql.Named("removed", removedVersions)
	err := tx.Exec("INSERT INTO prediction_stats (user_id, model_version, predictions, sum_confidence, sum_response_ms)"+
		" SELECT user_id, @removed, SUM(predictions), SUM(sum_confidence), SUM(sum_response_ms)"+gone+" GROUP BY user_id"+
		" ON CONFLICT DO UPDATE SET predictions = predictions + excluded.predictions,"+
		" sum_confidence = sum_confidence + excluded.sum_confidence, sum_response_ms = sum_response_ms + excluded.sum_response_ms", removed).Error
	if err != nil {
		return err
	}
	return tx.Exec("DELETE"+gone, removed).Error
}
