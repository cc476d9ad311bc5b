package queue

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"iacontinu/internal/ml"
)

// retrainAttempts is how often a retraining is tried that fails for reasons of the platform, not of
// the data.
const retrainAttempts = 3

// unfinished are the states of a job that still leads to a result. River's default set holds
// completed too, and a second retraining on the same data would then silently be the first one's
// result for a day.
func unfinished() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
		rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}
}

// joinSQL adds a name to those who joined a job, unless it is there or the one who asked first.
const joinSQL = `
	UPDATE river_job SET
		metadata = jsonb_set(metadata, '$.joined', json_insert(coalesce(metadata -> '$.joined', '[]'), '$[#]', ?2))
	WHERE id = ?1 AND coalesce(args ->> '$.requested_by', '') <> ?2
		AND NOT EXISTS (SELECT 1 FROM json_each(metadata, '$.joined') WHERE value = ?2)`

// EnqueueRetrain asks for a retraining. If one for the same work is queued or running, its id is
// returned, joined is true, and the job remembers who joined. The error is CodeUnavailable while the
// database is locked and CodeStorageFull without space.
func (q *Queue) EnqueueRetrain(ctx context.Context, args ml.RetrainArgs) (id int64, joined bool, err error) {
	id, joined, err = q.insertRetrain(ctx, args)
	if err != nil || !joined {
		return id, false, err
	}
	answered, err := q.options.Answered(ctx, id)
	switch {
	case err != nil:
		return 0, false, err
	case answered:
		if _, err := q.exec(ctx, `UPDATE river_job SET unique_key = NULL WHERE id = ?`, id); err != nil {
			return 0, false, fmt.Errorf("queue: make way for a retraining after job %d: %w", id, coded(err))
		}
		if id, joined, err = q.insertRetrain(ctx, args); err != nil || !joined {
			return id, false, err
		}
	}
	if _, err := q.exec(ctx, joinSQL, id, args.RequestedBy); err != nil {
		return 0, false, fmt.Errorf("queue: join job %d: %w", id, coded(err))
	}
	return id, true, nil
}

// insertRetrain adds the job, or finds the unfinished one for the same work.
func (q *Queue) insertRetrain(ctx context.Context, args ml.RetrainArgs) (id int64, found bool, err error) {
	res, err := q.insert.Insert(ctx, args, &river.InsertOpts{
		Queue:       queueRetrain,
		MaxAttempts: retrainAttempts,
		Metadata:    traced(ctx),
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: unfinished()},
	})
	if err != nil {
		return 0, false, fmt.Errorf("queue: enqueue a retraining: %w", coded(err))
	}
	return res.Job.ID, res.UniqueSkippedAsDuplicate, nil
}

// EnqueueNotify asks that people be told of an event.
func (q *Queue) EnqueueNotify(ctx context.Context, e ml.Event) error {
	if _, err := q.insert.Insert(ctx, ml.NotifyArgs{Event: e}, notifyOptions(ctx)); err != nil {
		return fmt.Errorf("queue: enqueue a message about %s: %w", e.Topic, coded(err))
	}
	return nil
}

// EnqueueTest asks for a test message, for whoever waits to learn what came of it.
func (q *Queue) EnqueueTest(ctx context.Context, e ml.Event, requestedBy string) (id int64, err error) {
	res, err := q.insert.Insert(ctx, ml.NotifyArgs{Event: e, RequestedBy: requestedBy}, notifyOptions(ctx))
	if err != nil {
		return 0, fmt.Errorf("queue: enqueue a test message: %w", coded(err))
	}
	return res.Job.ID, nil
}

// EnqueueNotifyTx is EnqueueNotify within a transaction of Options.DB: the message is owed if and
// only if the transaction commits.
func (q *Queue) EnqueueNotifyTx(ctx context.Context, tx *sql.Tx, e ml.Event) error {
	if _, err := q.insert.InsertTx(ctx, tx, ml.NotifyArgs{Event: e}, notifyOptions(ctx)); err != nil {
		return fmt.Errorf("queue: enqueue a message about %s: %w", e.Topic, coded(err))
	}
	return nil
}

func notifyOptions(ctx context.Context) *river.InsertOpts {
	return &river.InsertOpts{Queue: queueNotify, Metadata: traced(ctx)}
}

// sweepArgs are the arguments of the periodic retention.
type sweepArgs struct{}

// Kind is the name of the job in the queue.
func (sweepArgs) Kind() string { return "sweep" }

func sweepJob() (river.JobArgs, *river.InsertOpts) {
	return sweepArgs{}, &river.InsertOpts{
		Queue:       queueMaintenance,
		MaxAttempts: 1, // the next one comes soon enough
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: unfinished()},
	}
}
