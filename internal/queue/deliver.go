package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"iacontinu/internal/ml"
)

// deliverArgs are the arguments of the job that tells a service what it is owed. There is one for each
// service, so that deliveries are made in their order.
type deliverArgs struct {
	Service ml.Service `json:"service" river:"unique"`
}

// Kind is the name of the job in the queue.
func (deliverArgs) Kind() string { return "deliver" }

func deliverOptions() *river.InsertOpts {
	return &river.InsertOpts{Queue: queueDelivery, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: unfinished()}}
}

// EnqueueDelivery asks that a service be told what it is owed. Calls join a job that is there.
func (q *Queue) EnqueueDelivery(ctx context.Context, service ml.Service) error {
	if _, err := q.insert.Insert(ctx, deliverArgs{service}, deliverOptions()); err != nil {
		return fmt.Errorf("queue: enqueue a delivery to %s: %w", service, coded(err))
	}
	return nil
}

// EnqueueDeliveryTx is EnqueueDelivery within a transaction of Options.DB.
func (q *Queue) EnqueueDeliveryTx(ctx context.Context, tx *sql.Tx, service ml.Service) error {
	if _, err := q.insert.InsertTx(ctx, tx, deliverArgs{service}, deliverOptions()); err != nil {
		return fmt.Errorf("queue: enqueue a delivery to %s: %w", service, coded(err))
	}
	return nil
}

// deliver works until nothing is owed. Like a message, it snoozes instead of failing.
func (q *Queue) deliver(ctx context.Context, job *river.Job[deliverArgs], h Handlers) error {
	if h.Deliver == nil {
		return river.JobSnooze(notifyBackoff) // for a worker that knows the service
	}
	for {
		var retryAfter time.Duration
		err := q.attempt(ctx, job.JobRow, func(ctx context.Context) (err error) {
			retryAfter, err = h.Deliver(ctx, job.Args.Service)
			return err
		})
		done := false
		if err == nil && retryAfter <= 0 {
			done, err = q.completeUnlessOwed(ctx, job, h)
		}
		switch {
		case done:
			return nil
		case err != nil && stopped(ctx):
			return outcome(ctx, err)
		case err != nil:
			failures := readMetadata(job.JobRow).Failures + 1
			set(ctx, "failures", failures)
			q.failed(ctx, job.JobRow, err, false)
			return river.JobSnooze(min(notifyBackoff, time.Second<<min(failures-1, 5)))
		case retryAfter > 0:
			return river.JobSnooze(retryAfter)
		}
	}
}

// completeUnlessOwed completes the job in the transaction that finds nothing owed. Whoever owes something
// in a transaction before that one is seen by it; whoever does so afterwards finds the job completed and
// makes a new one.
func (q *Queue) completeUnlessOwed(ctx context.Context, job *river.Job[deliverArgs], h Handlers) (done bool, err error) {
	tx, err := q.options.DB.BeginTx(ctx, nil)
	if err != nil {
		return false, coded(err)
	}
	defer func() {
		if !done {
			err = errors.Join(err, ignoreDone(tx.Rollback()))
		}
	}()
	owed, err := h.Owed(ctx, tx, job.Args.Service)
	if err != nil || owed {
		return false, err
	}
	if _, err := river.JobCompleteTx[*riversqlite.Driver](ctx, tx, job); err != nil {
		return false, fmt.Errorf("queue: complete the delivery to %s: %w", job.Args.Service, coded(err))
	}
	if err := tx.Commit(); err != nil {
		return false, coded(err)
	}
	return true, nil
}

// ignoreDone forgets that a transaction was over, which its context's end makes it.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
