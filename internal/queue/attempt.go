package queue

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

const (
	// internalError stands for every error that has no code.
	internalError = "internal error, see the worker's log"
	// notifyGiveUp is how old a message may become. A message about last week helps nobody.
	notifyGiveUp  = 72 * time.Hour
	notifyBackoff = 30 * time.Second
	// tellTimeout bounds the telling of a failed retraining: less than the time that jobs have to end.
	tellTimeout = 5 * time.Second
)

// worker runs one kind of job.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	timeout time.Duration
	work    func(ctx context.Context, job *river.Job[T]) error
}

func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return w.timeout }

func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error {
	return w.work(inTrace(ctx, job.JobRow), job)
}

// NextRetry is 1 s after the first failed attempt and 4 s after the second: what can be mended by
// waiting, a locked database, is mended by then, and somebody may be waiting for the answer.
func (w *worker[T]) NextRetry(job *river.Job[T]) time.Time {
	return time.Now().Add(time.Second << (2 * min(max(job.Attempt-1, 0), 5)))
}

func (q *Queue) workers(h Handlers) *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker[ml.RetrainArgs]{timeout: retrainTimeout, work: func(ctx context.Context, job *river.Job[ml.RetrainArgs]) error {
		return q.retrain(ctx, job, h)
	}})
	river.AddWorker(workers, &worker[ml.NotifyArgs]{timeout: notifyTimeout, work: func(ctx context.Context, job *river.Job[ml.NotifyArgs]) error {
		return q.notify(ctx, job, h)
	}})
	river.AddWorker(workers, &worker[deliverArgs]{timeout: deliverTimeout, work: func(ctx context.Context, job *river.Job[deliverArgs]) error {
		return q.deliver(ctx, job, h)
	}})
	river.AddWorker(workers, &worker[sweepArgs]{timeout: sweepTimeout, work: func(ctx context.Context, job *river.Job[sweepArgs]) error {
		return q.sweep(ctx, job, h)
	}})
	return workers
}

func (q *Queue) retrain(ctx context.Context, job *river.Job[ml.RetrainArgs], h Handlers) error {
	err := q.attempt(ctx, job.JobRow, func(ctx context.Context) error { return h.Retrain(ctx, job.ID, job.CreatedAt, job.Args) })
	if err == nil || stopped(ctx) {
		return outcome(ctx, err)
	}
	final := permanent(err) || job.Attempt >= job.MaxAttempts
	q.failed(ctx, job.JobRow, err, final)
	if final && h.RetrainFailed != nil {
		q.tellFailed(ctx, job, h, err)
	}
	if permanent(err) {
		return river.JobCancel(err)
	}
	return err
}

// tellFailed outlives the job's context: that may have ended by the timeout that the news is about, or end
// meanwhile with the worker, which doesn't run the job again.
func (q *Queue) tellFailed(ctx context.Context, job *river.Job[ml.RetrainArgs], h Handlers, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	if err := h.RetrainFailed(ctx, job.ID, job.CreatedAt, job.Args, cause); err != nil {
		q.options.Logger.WarnContext(ctx, "not everybody will be told of the failed retraining", "job", job.ID, "error", err)
	}
}

// notify snoozes instead of failing: River keeps every error of a job in its row, and Discord may be
// away for days.
func (q *Queue) notify(ctx context.Context, job *river.Job[ml.NotifyArgs], h Handlers) error {
	var retryAfter time.Duration
	err := q.attempt(ctx, job.JobRow, func(ctx context.Context) (err error) {
		retryAfter, err = h.Notify(ctx, job.Args.Event)
		return err
	})
	switch {
	case err == nil && retryAfter > 0:
		return river.JobSnooze(retryAfter)
	case err == nil || stopped(ctx):
		return outcome(ctx, err)
	}
	failures := readMetadata(job.JobRow).Failures + 1
	set(ctx, "failures", failures)
	final := permanent(err) || time.Since(job.CreatedAt) > notifyGiveUp
	q.failed(ctx, job.JobRow, err, final)
	if final {
		return river.JobCancel(err)
	}
	return river.JobSnooze(max(retryAfter, min(notifyBackoff, time.Second<<min(failures-1, 5))))
}

func (q *Queue) sweep(ctx context.Context, job *river.Job[sweepArgs], h Handlers) error {
	err := q.attempt(ctx, job.JobRow, func(ctx context.Context) error { return h.Sweep(ctx) })
	if err == nil || stopped(ctx) {
		return outcome(ctx, err)
	}
	q.failed(ctx, job.JobRow, err, true)
	return err
}

// attempt runs f in a span, measures it, and makes an error of a panic.
func (q *Queue) attempt(ctx context.Context, row *rivertype.JobRow, f func(context.Context) error) (err error) {
	ctx, span := q.begin(ctx, row)
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			q.options.Logger.ErrorContext(ctx, "a job panicked", "job", row.ID, "kind", row.Kind, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
		q.metrics.duration.WithLabelValues(row.Kind).Observe(time.Since(start).Seconds())
		tracing.End(span, err)
	}()
	return f(ctx)
}

// failed counts, logs and keeps the public text of a failed attempt. A message that cannot be
// delivered fails every half minute, so only its 1st, 2nd, 4th, 8th... failure is logged.
func (q *Queue) failed(ctx context.Context, row *rivertype.JobRow, err error, final bool) {
	q.metrics.failures.WithLabelValues(row.Kind, strconv.FormatBool(final)).Inc()
	public := failure{Message: internalError, Remarks: []ml.Remark{{Code: "error.internal"}}}
	if coded := (*ml.Error)(nil); errors.As(err, &coded) {
		public = failure{Code: coded.Code, Message: coded.Error(), Remarks: coded.Remarks}
	}
	set(ctx, "failure", public)
	tries := max(row.Attempt, readMetadata(row).Failures+1)
	attrs := []any{"job", row.ID, "kind", row.Kind, "attempt", tries, "error", err}
	switch {
	case final:
		q.options.Logger.ErrorContext(ctx, "a job failed for good", attrs...)
	case bits.OnesCount(uint(tries)) == 1:
		q.options.Logger.WarnContext(ctx, "a job failed and will be tried again", attrs...)
	}
}

// set keeps a value with the job when the attempt ends. It fails only outside of a worker, where a
// job is given up and its row holds the value already.
func set(ctx context.Context, key string, value any) { _ = river.MetadataSet(ctx, key, value) }

// permanent reports whether trying again cannot help: the data or the arguments are at fault.
func permanent(err error) bool {
	switch ml.CodeOf(err) {
	case "", ml.CodeUnavailable, ml.CodeStorageFull:
		return false
	default:
		return true
	}
}

// stopped reports whether the worker is stopping and the job was told so, as opposed to timed out.
func stopped(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// outcome is what River is told of an attempt that ended by itself or with the worker. In the latter
// case that is the context's error whatever the handler made of it, for that is what River puts back
// without counting the attempt.
func outcome(ctx context.Context, err error) error {
	if err != nil && stopped(ctx) {
		return ctx.Err()
	}
	return err
}
