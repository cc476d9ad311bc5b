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

// Bounds on one attempt. A retraining that takes half an hour hangs: ten million rows take a minute.
const (
	retrainTimeout = 30 * time.Minute
	notifyTimeout  = time.Minute
	sweepTimeout   = 10 * time.Minute
	deliverTimeout = 10 * time.Minute
	// riverRescue is when River itself takes a job from its worker, whether that lives or not. It is
	// left as a last resort behind every timeout; orphans.go comes long before.
	riverRescue     = 2 * retrainTimeout
	failedRetention = 7 * 24 * time.Hour
)

// Handlers do the jobs. Each must be repeatable, because a job may run again after a crash.
type Handlers struct {
	// Retrain makes a model version. created is when the job was enqueued.
	Retrain func(ctx context.Context, jobID int64, created time.Time, args ml.RetrainArgs) error
	// RetrainFailed, if set, is told of a retraining that failed for good, by itself or because its worker
	// died too often; of the latter again if it returns an error.
	RetrainFailed func(ctx context.Context, jobID int64, created time.Time, args ml.RetrainArgs, err error) error
	// Notify tells people of an event. A positive retryAfter with a nil error asks to come again then.
	Notify func(ctx context.Context, e ml.Event) (retryAfter time.Duration, err error)
	// Deliver, if set, tells a service all that it is owed. A positive retryAfter with a nil error asks to
	// come again then.
	Deliver func(ctx context.Context, service ml.Service) (retryAfter time.Duration, err error)
	// Owed tells, within a transaction, whether the service is owed anything. Required with Deliver.
	Owed func(ctx context.Context, tx *sql.Tx, service ml.Service) (bool, error)
	// Sweep, if set, is run at start and then every Options.SweepInterval by one of the workers.
	Sweep func(ctx context.Context) error
}

// Work runs jobs until ctx ends. Running jobs then have 6 s to end by themselves, after which their
// context ends and they are put back as if they had never begun. Work returns within 8 s of ctx's
// end; its error then says that a job did not obey.
func (q *Queue) Work(ctx context.Context, h Handlers) error {
	if err := q.validateWork(h); err != nil {
		return err
	}
	// Before anything is fetched, so that after a crash the interrupted work comes first and the
	// lease of the dead leader does not delay the election.
	q.lookOver(ctx, h)
	client, err := river.NewClient(riversqlite.New(q.options.DB), q.workConfig(h))
	if err != nil {
		return fmt.Errorf("queue: make the client that works: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("queue: start working: %w", err)
	}
	// From the stop on, and not from the end of watch, which may wait for the database's lock.
	enough, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(q.hardStop, cancel) })()
	q.watch(ctx, h)
	select {
	case <-client.Stopped():
		return nil
	case <-enough.Done():
		return fmt.Errorf("queue: a job has not ended %s after the stop; it will run again at the next start", q.hardStop)
	}
}

func (q *Queue) validateWork(h Handlers) error {
	switch {
	case q.options.ClientID == "":
		return errors.New("queue: Options.ClientID is required to work")
	case q.options.Alive == nil:
		return errors.New("queue: Options.Alive is required to work")
	case h.Retrain == nil:
		return errors.New("queue: Handlers.Retrain is required")
	case h.Notify == nil:
		return errors.New("queue: Handlers.Notify is required")
	case (h.Deliver == nil) != (h.Owed == nil):
		return errors.New("queue: Handlers.Deliver and Handlers.Owed belong together")
	}
	return nil
}

// watch looks the queue over every few seconds until ctx ends.
func (q *Queue) watch(ctx context.Context, h Handlers) {
	tick := time.NewTicker(q.rescueEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			q.lookOver(ctx, h)
		}
	}
}

// lookOver rescues and measures. What fails now, on a locked database say, is tried again next time.
func (q *Queue) lookOver(ctx context.Context, h Handlers) {
	if err := errors.Join(q.rescue(ctx, h), q.measure(ctx)); err != nil && ctx.Err() == nil {
		q.options.Logger.WarnContext(ctx, "the queue could not be looked over", "error", err)
	}
}

func (q *Queue) workConfig(h Handlers) *river.Config {
	config := &river.Config{
		ID:     q.options.ClientID,
		Logger: riverLogger(q.options.Logger),
		Queues: map[string]river.QueueConfig{
			queueRetrain:     {MaxWorkers: retrainWorkers},
			queueNotify:      {MaxWorkers: notifyWorkers},
			queueMaintenance: {MaxWorkers: maintenanceWorkers},
			queueDelivery:    {MaxWorkers: deliveryWorkers},
		},
		Workers:              q.workers(h),
		FetchCooldown:        min(q.options.PollInterval, river.FetchCooldownDefault),
		FetchPollInterval:    q.options.PollInterval,
		JobTimeout:           notifyTimeout,
		RescueStuckJobsAfter: riverRescue,
		SoftStopTimeout:      q.softStop,
		// A permanent failure ends as cancelled and is worth looking at for longer than a success.
		CancelledJobRetentionPeriod: failedRetention,
	}
	if h.Sweep != nil {
		config.PeriodicJobs = []*river.PeriodicJob{river.NewPeriodicJob(
			river.PeriodicInterval(q.options.SweepInterval), sweepJob, &river.PeriodicJobOpts{RunOnStart: true})}
	}
	return config
}
