package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river/rivertype"

	"iacontinu/internal/ml"
)

// failure is kept with a job for whoever asked for it. River's own list of errors holds the full
// text of each and is never shown.
type failure struct {
	Code    ml.Code     `json:"code"`
	Message string      `json:"message"`
	Remarks []ml.Remark `json:"remarks,omitempty"` // what the message says
}

// metadata are the keys of a job's metadata that this package reads or writes.
type metadata struct {
	Failure  *failure `json:"failure"`
	Failures int      `json:"failures"` // failed deliveries of a message
	Orphaned int      `json:"orphaned"` // times that its worker died
	Joined   []string `json:"joined"`   // who asked for the same while it was unfinished
	Trace    string   `json:"trace"`    // the place in a trace of who asked first
}

func readMetadata(row *rivertype.JobRow) metadata {
	var m metadata
	_ = json.Unmarshal(row.Metadata, &m) // River checked that it is JSON; foreign shapes count as empty
	return m
}

// Job tells how a job stands. The error is CodeNotFound if there is none of that id; a finished job
// is forgotten after a day, a failed one after a week.
func (q *Queue) Job(ctx context.Context, id int64) (ml.Job, error) {
	row, err := q.read.JobGet(ctx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return ml.Job{}, ml.Errorf(ml.CodeNotFound, "there is no job %d", id).Says("error.gone", nil)
	}
	if err != nil {
		return ml.Job{}, fmt.Errorf("queue: read job %d: %w", id, coded(err))
	}
	return jobOf(row), nil
}

// OldestJob is the lowest id of the jobs that are not forgotten; 0 if there is none. Ids only rise, so
// nobody can ask for a job before it.
func (q *Queue) OldestJob(ctx context.Context) (id int64, err error) {
	err = q.options.Reader.QueryRowContext(ctx, `SELECT coalesce(min(id), 0) FROM river_job`).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("queue: find the oldest job: %w", coded(err))
	}
	return id, nil
}

func jobOf(row *rivertype.JobRow) ml.Job {
	kept := readMetadata(row)
	failed := kept.Failure
	job := ml.Job{
		ID: row.ID, Kind: row.Kind, State: stateOf(row.State, failed != nil),
		Attempt: row.Attempt, MaxAttempts: row.MaxAttempts,
		CreatedAt: row.CreatedAt, StartedAt: deref(row.AttemptedAt), FinishedAt: deref(row.FinalizedAt),
		JoinedBy: kept.Joined,
	}
	if failed != nil && job.State != ml.JobSucceeded {
		job.Error, job.ErrorCode, job.ErrorRemarks = failed.Message, failed.Code, failed.Remarks
	}
	var args struct { // as in those of retrainings and of messages
		RequestedBy string `json:"requested_by"`
	}
	if json.Unmarshal(row.EncodedArgs, &args) == nil {
		job.RequestedBy = args.RequestedBy
	}
	return job
}

// stateOf maps River's states. A permanent error ends as River's cancelled, which to its caller is a
// failure; without an error somebody called the job off.
func stateOf(s rivertype.JobState, failed bool) ml.JobState {
	switch s {
	case rivertype.JobStateRunning:
		return ml.JobRunning
	case rivertype.JobStateCompleted:
		return ml.JobSucceeded
	case rivertype.JobStateDiscarded:
		return ml.JobFailed
	case rivertype.JobStateCancelled:
		if failed {
			return ml.JobFailed
		}
		return ml.JobCancelled
	case rivertype.JobStateRetryable:
		return ml.JobRetrying
	case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateScheduled:
		if failed {
			return ml.JobRetrying
		}
	}
	return ml.JobQueued
}

func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// Depth is how much work a queue holds.
type Depth struct {
	Queue string
	// Waiting jobs are not finished and not running, due or not.
	Waiting, Running int
	// OldestWait is how long the job that is due the longest has waited; 0 if none is due.
	OldestWait time.Duration
}

// Depth tells how much work each queue with unfinished jobs holds.
func (q *Queue) Depth(ctx context.Context) ([]Depth, error) {
	rows, err := q.options.Reader.QueryContext(ctx, `
		SELECT queue, sum(state <> 'running'), sum(state = 'running'),
			max(0.0, coalesce(max(CASE WHEN state <> 'running' THEN unixepoch('subsec') - unixepoch(scheduled_at, 'subsec') END), 0.0))
		FROM river_job
		WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
		GROUP BY queue ORDER BY queue`)
	if err != nil {
		return nil, fmt.Errorf("queue: count jobs: %w", coded(err))
	}
	defer rows.Close()
	var depths []Depth
	for rows.Next() {
		var d Depth
		var oldest float64
		if err := rows.Scan(&d.Queue, &d.Waiting, &d.Running, &oldest); err != nil {
			return nil, fmt.Errorf("queue: count jobs: %w", coded(err))
		}
		d.OldestWait = time.Duration(oldest * float64(time.Second))
		depths = append(depths, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("queue: count jobs: %w", coded(err))
	}
	return depths, nil
}
