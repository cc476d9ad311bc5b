package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"iacontinu/internal/ml"
)

// maxOrphaned is how often a job may lose its worker before it is held to be the cause. Attempts are
// not counted for it, so without this bound a job that exhausts the memory would stop every worker
// there is, for ever.
const maxOrphaned = 20

// SQL of the rescue. attempted_by is a JSON list of client ids, the latest last. The guard on it makes
// the update harmless when another worker rescued and fetched the job in between. The state changes
// from running to available, both of which hold the unique key, so nothing can slip in between.
const (
	orphanOwnersSQL = `SELECT DISTINCT coalesce(attempted_by ->> '$[#-1]', '') FROM river_job WHERE state = 'running'`

	putBackSQL = `
		UPDATE river_job SET
			state = 'available', attempt = max(attempt - 1, 0), scheduled_at = datetime('now', 'subsec'),
			metadata = jsonb_set(metadata, '$.orphaned', coalesce(metadata ->> '$.orphaned', 0) + 1)
		WHERE state = 'running' AND coalesce(attempted_by ->> '$[#-1]', '') = ?1
			AND coalesce(metadata ->> '$.orphaned', 0) < ?2`

	// lostSQL finds what putBackSQL has left running.
	lostSQL = `SELECT id FROM river_job WHERE state = 'running' AND coalesce(attempted_by ->> '$[#-1]', '') = ?1`

	giveUpSQL = `
		UPDATE river_job SET
			state = 'discarded', finalized_at = datetime('now', 'subsec'),
			metadata = jsonb_set(metadata, '$.failure', jsonb_object('code', '', 'message', ?3))
		WHERE id = ?1 AND state = 'running' AND coalesce(attempted_by ->> '$[#-1]', '') = ?2`

	leaderSQL = `SELECT leader_id FROM river_leader`
	deposeSQL = `DELETE FROM river_leader WHERE leader_id = ?1`
)

// rescue puts back what dead workers left running, and takes the leader's lease from a dead leader:
// only the leader promotes snoozed and failed jobs that became due, and the lease would hold that up
// for 15 s, to which come up to 6 s until the next election.
func (q *Queue) rescue(ctx context.Context, h Handlers) error {
	owners, err := column[string](ctx, q.options.DB, orphanOwnersSQL)
	if err != nil {
		return fmt.Errorf("queue: look for orphaned jobs: %w", err)
	}
	for _, owner := range owners {
		if err := q.rescueFrom(ctx, owner, h); err != nil {
			return err
		}
	}
	return q.deposeDeadLeader(ctx)
}

func (q *Queue) rescueFrom(ctx context.Context, owner string, h Handlers) error {
	dead, err := q.dead(owner)
	if err != nil || !dead {
		return err
	}
	back, err := q.exec(ctx, putBackSQL, owner, maxOrphaned)
	if err != nil {
		return fmt.Errorf("queue: put back the jobs of %s: %w", owner, err)
	}
	q.metrics.rescued.Add(float64(back))
	if back > 0 {
		q.options.Logger.WarnContext(ctx, "jobs of a dead worker put back", "worker", owner, "jobs", back)
	}
	lost, err := column[int64](ctx, q.options.DB, lostSQL, owner)
	if err != nil {
		return fmt.Errorf("queue: look for jobs to give up: %w", err)
	}
	for _, id := range lost {
		if err := q.giveUp(ctx, id, owner, h); err != nil {
			return fmt.Errorf("queue: give up job %d of %s: %w", id, owner, err)
		}
	}
	return nil
}

// giveUp ends a job that lost its worker too often as one that failed for good. People are told
// first: if that can't be done now, or this process dies in between, the next look begins again, and
// the same news twice is told once.
func (q *Queue) giveUp(ctx context.Context, id int64, owner string, h Handlers) error {
	row, err := q.insert.JobGet(ctx, id)
	if err != nil {
		return err
	}
	// It has no code because nobody can say who is at fault, but words for everybody.
	reason := &ml.Error{
		Message: fmt.Sprintf("given up: the worker died %d times while running this job", maxOrphaned+1),
		Remarks: []ml.Remark{{Code: "error.given_up", Values: map[string]any{"times": maxOrphaned + 1}}},
	}
	if row.Kind == (ml.RetrainArgs{}).Kind() && h.RetrainFailed != nil {
		var args ml.RetrainArgs
		if err := json.Unmarshal(row.EncodedArgs, &args); err != nil {
			return err
		}
		if err := h.RetrainFailed(ctx, id, row.CreatedAt, args, reason); err != nil {
			return err
		}
	}
	n, err := q.exec(ctx, giveUpSQL, id, owner, reason.Message)
	if err != nil || n == 0 { // 0: another worker gave it up meanwhile
		return err
	}
	q.failed(ctx, row, reason, true)
	return nil
}

func (q *Queue) deposeDeadLeader(ctx context.Context) error {
	var leader string
	err := q.options.DB.QueryRowContext(ctx, leaderSQL).Scan(&leader)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("queue: read the leader: %w", err)
	}
	dead, err := q.dead(leader)
	if err != nil || !dead {
		return err
	}
	if _, err := q.exec(ctx, deposeSQL, leader); err != nil {
		return fmt.Errorf("queue: depose the dead leader %s: %w", leader, err)
	}
	return nil
}

// dead reports whether the worker with that id is gone for certain.
func (q *Queue) dead(id string) (bool, error) {
	if id == q.options.ClientID {
		return false, nil
	}
	alive, err := q.options.Alive(id)
	if err != nil {
		return false, fmt.Errorf("queue: ask whether %s lives: %w", id, err)
	}
	return !alive, nil
}

// column reads the only column of a query.
func column[T any](ctx context.Context, db *sql.DB, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

func (q *Queue) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := q.options.DB.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
