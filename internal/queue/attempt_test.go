package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"iacontinu/internal/ml"
)

func TestPermanentErrorIsTold(t *testing.T) {
	t.Parallel()
	for _, code := range []ml.Code{ml.CodeUnprocessed, ml.CodeNotFound, ml.CodeNotWritable} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.enqueueRetrain(t, ml.RetrainArgs{RequestedBy: "ann"})
			told := make(chan error, 2)
			stop := work(t, b.q, Handlers{
				Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
					return ml.Errorf(code, "dataset 4 has one class: %w", errors.New("secret cause"))
				},
				RetrainFailed: func(_ context.Context, _ int64, _ time.Time, _ ml.RetrainArgs, err error) error {
					told <- err
					return nil
				},
			})
			if err := receive(t, told, "RetrainFailed"); err == nil {
				t.Error("RetrainFailed was called without an error")
			}
			mustStop(t, stop)
			job := b.job(t, id)
			if job.State != ml.JobFailed || job.ErrorCode != code || !strings.HasPrefix(job.Error, "dataset 4 has one class") {
				t.Errorf("job %+v, want failed, %s, with the message", job, code)
			}
			if job.Attempt != 1 || job.RequestedBy != "ann" || job.FinishedAt.IsZero() {
				t.Errorf("job %+v, want one attempt, asked for by ann, finished", job)
			}
			if n := testutil.ToFloat64(b.q.metrics.failures.WithLabelValues("retrain", "true")); n != 1 {
				t.Errorf("%v final failures counted, want 1", n)
			}
			if len(told) != 0 {
				t.Error("RetrainFailed was called twice")
			}
		})
	}
}

// Neither the timeout that failed the job nor a stop meanwhile keeps the news from people.
func TestFailureIsToldWhateverEndsItsJob(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T) (ctx context.Context, stop func()){
		"the timeout": func(t *testing.T) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(t.Context(), 0)
			t.Cleanup(cancel)
			return ctx, func() {}
		},
		"a stop meanwhile": func(t *testing.T) (context.Context, func()) { return context.WithCancel(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ctx, stop := end(t)
			last := &river.Job[ml.RetrainArgs]{JobRow: &rivertype.JobRow{ID: 7, Attempt: retrainAttempts, MaxAttempts: retrainAttempts}}
			cause := errors.New("no end")
			err := b.q.retrain(ctx, last, Handlers{
				Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error { return cause },
				RetrainFailed: func(ctx context.Context, _ int64, _ time.Time, _ ml.RetrainArgs, _ error) error {
					stop()
					if _, bounded := ctx.Deadline(); !bounded {
						t.Error("telling may take for ever")
					}
					return b.q.EnqueueNotify(ctx, ml.Event{Topic: ml.EventRetrain, State: "failed"})
				},
			})
			if !errors.Is(err, cause) {
				t.Errorf("got %v, want the cause", err)
			}
			if depths, err := b.q.Depth(t.Context()); err != nil || len(depths) != 1 || depths[0].Queue != queueNotify {
				t.Errorf("waiting: %+v, %v; want the message", depths, err)
			}
		})
	}
}

func TestInternalErrorIsRetriedAndHidden(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	attempts := make(chan int, 3)
	n := 0
	stop := work(t, b.q, Handlers{
		Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
			n++
			defer func() { attempts <- n }()
			if n < 3 {
				return errors.New("open /secret/path: too many files")
			}
			return nil
		},
		RetrainFailed: func(context.Context, int64, time.Time, ml.RetrainArgs, error) error {
			t.Error("told of a failure that was not final")
			return nil
		},
	})
	receive(t, attempts, "the first attempt")
	receive(t, attempts, "the second attempt")
	mustStop(t, stop)
	job := b.job(t, id)
	if job.State != ml.JobRetrying || job.Error != internalError || job.ErrorCode != "" {
		t.Errorf("job %+v, want retrying with the public text only", job)
	}
	if !strings.Contains(b.log.String(), "/secret/path") {
		t.Error("the log lacks the error's own words")
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	b.exec(t, `UPDATE river_job SET attempt = 2`)
	told := make(chan error, 1)
	stop := work(t, b.q, Handlers{
		Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error { panic("an unexpected one") },
		RetrainFailed: func(_ context.Context, _ int64, _ time.Time, _ ml.RetrainArgs, err error) error {
			told <- err
			return nil
		},
	})
	if err := receive(t, told, "RetrainFailed"); err == nil {
		t.Error("RetrainFailed was called without an error")
	}
	mustStop(t, stop)
	if job := b.job(t, id); job.State != ml.JobFailed || job.Error != internalError {
		t.Errorf("job %+v, want failed with the public text", job)
	}
	if log := b.log.String(); !strings.Contains(log, "an unexpected one") || !strings.Contains(log, "attempt_test.go") {
		t.Error("the log lacks the panic or where it was")
	}
}

func TestLastAttemptIsFinal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	b.exec(t, `UPDATE river_job SET attempt = 2`)
	told := make(chan error, 1)
	stop := work(t, b.q, Handlers{
		Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
			return ml.Errorf(ml.CodeUnavailable, "the store is locked")
		},
		RetrainFailed: func(_ context.Context, _ int64, _ time.Time, _ ml.RetrainArgs, err error) error {
			told <- err
			return errors.New("nobody there") // must not matter
		},
	})
	if err := receive(t, told, "RetrainFailed"); err == nil {
		t.Error("RetrainFailed was called without an error")
	}
	mustStop(t, stop)
	if job := b.job(t, id); job.State != ml.JobFailed || job.ErrorCode != ml.CodeUnavailable || job.Attempt != 3 {
		t.Errorf("job %+v, want failed at attempt 3, unavailable", job)
	}
}

func TestSuccessForgetsEarlierErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	attempts := make(chan struct{}, 2)
	n := 0
	stop := work(t, b.q, Handlers{Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
		defer func() { attempts <- struct{}{} }()
		if n++; n == 1 {
			return ml.Errorf(ml.CodeUnavailable, "locked") // the one code that waiting may mend
		}
		return nil
	}})
	receive(t, attempts, "the first attempt")
	receive(t, attempts, "the second attempt")
	mustStop(t, stop)
	if job := b.job(t, id); job.State != ml.JobSucceeded || job.Error != "" || job.Attempt != 2 {
		t.Errorf("job %+v, want succeeded at attempt 2 without an error", job)
	}
}

func TestSnoozedMessageComesAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.q.EnqueueNotify(t.Context(), ml.Event{Topic: ml.EventDrift}); err != nil {
		t.Fatal(err)
	}
	calls := make(chan time.Time, 3)
	n := 0
	stop := work(t, b.q, Handlers{Notify: func(context.Context, ml.Event) (time.Duration, error) {
		defer func() { calls <- time.Now() }()
		if n++; n < 3 {
			return 200 * time.Millisecond, nil
		}
		return 0, nil
	}})
	first := receive(t, calls, "the first try")
	receive(t, calls, "the second try")
	if third := receive(t, calls, "the third try"); third.Sub(first) < 400*time.Millisecond {
		t.Errorf("third try %s after the first, want at least 400ms", third.Sub(first))
	}
	mustStop(t, stop)
	if job := b.job(t, 1); job.State != ml.JobSucceeded || job.Attempt != 1 {
		t.Errorf("job %+v, want succeeded with no attempt used up", job)
	}
}

// An outage of hours must neither lose the message nor pile up errors in its row.
func TestUndeliveredMessageWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.q.EnqueueNotify(t.Context(), ml.Event{Topic: ml.EventDrift}); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE river_job SET metadata = jsonb('{"failures": 500}'), created_at = datetime('now', '-5 hours')`)
	calls := make(chan struct{}, 1)
	before := time.Now()
	stop := work(t, b.q, Handlers{Notify: func(context.Context, ml.Event) (time.Duration, error) {
		calls <- struct{}{}
		return 0, errors.New("503")
	}})
	receive(t, calls, "the try")
	mustStop(t, stop)
	row, err := b.q.insert.JobGet(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if row.State != rivertype.JobStateScheduled || row.Attempt != 0 || len(row.Errors) != 0 {
		t.Errorf("state %s attempt %d errors %d, want scheduled 0 0", row.State, row.Attempt, len(row.Errors))
	}
	if wait := row.ScheduledAt.Sub(before); wait < 25*time.Second || wait > 35*time.Second {
		t.Errorf("next try in %s, want about 30s", wait)
	}
	if job := jobOf(row); job.State != ml.JobRetrying || job.Error != internalError {
		t.Errorf("job %+v, want retrying", job)
	}
	if m := readMetadata(row); m.Failures != 501 {
		t.Errorf("%d failures remembered, want 501", m.Failures)
	}
}

func TestMessageIsGivenUpAfterThreeDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.q.EnqueueNotify(t.Context(), ml.Event{Topic: ml.EventDrift}); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE river_job SET created_at = datetime('now', '-73 hours')`)
	calls := make(chan struct{}, 1)
	stop := work(t, b.q, Handlers{Notify: func(context.Context, ml.Event) (time.Duration, error) {
		calls <- struct{}{}
		return 0, errors.New("503")
	}})
	receive(t, calls, "the try")
	mustStop(t, stop)
	if job := b.job(t, 1); job.State != ml.JobFailed {
		t.Errorf("state %s, want failed", job.State)
	}
	if !strings.Contains(b.log.String(), "a job failed for good") {
		t.Error("nothing in the log about the lost message")
	}
}

func TestSweepRunsAtStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	swept := make(chan struct{}, 10)
	stop := work(t, b.q, Handlers{Sweep: func(context.Context) error {
		swept <- struct{}{}
		return nil
	}})
	receive(t, swept, "the sweep")
	mustStop(t, stop)
}

func TestDepth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.enqueueRetrain(t, ml.RetrainArgs{Seed: 1})
	b.enqueueRetrain(t, ml.RetrainArgs{Seed: 2})
	b.enqueueRetrain(t, ml.RetrainArgs{Seed: 3})
	b.exec(t, `UPDATE river_job SET scheduled_at = datetime('now', '-90 seconds') WHERE id = 1`)
	b.exec(t, `UPDATE river_job SET state = 'running', attempted_by = jsonb('["worker-1"]') WHERE id = 2`)
	depths, err := b.q.Depth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(depths) != 1 || depths[0].Queue != "retrain" || depths[0].Waiting != 2 || depths[0].Running != 1 {
		t.Fatalf("got %+v, want retrain with 2 waiting and 1 running", depths)
	}
	if w := depths[0].OldestWait; w < 85*time.Second || w > 120*time.Second {
		t.Errorf("oldest wait %s, want about 90s", w)
	}
	if err := b.q.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(b.q.metrics.waiting.WithLabelValues("retrain")); n != 2 {
		t.Errorf("gauge says %v waiting, want 2", n)
	}
}

func TestStateOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		river  rivertype.JobState
		failed bool
		want   ml.JobState
	}{
		{rivertype.JobStateAvailable, false, ml.JobQueued},
		{rivertype.JobStateAvailable, true, ml.JobRetrying},
		{rivertype.JobStatePending, false, ml.JobQueued},
		{rivertype.JobStateScheduled, false, ml.JobQueued},
		{rivertype.JobStateScheduled, true, ml.JobRetrying},
		{rivertype.JobStateRetryable, true, ml.JobRetrying},
		{rivertype.JobStateRunning, true, ml.JobRunning},
		{rivertype.JobStateCompleted, true, ml.JobSucceeded},
		{rivertype.JobStateCancelled, false, ml.JobCancelled},
		{rivertype.JobStateCancelled, true, ml.JobFailed},
		{rivertype.JobStateDiscarded, false, ml.JobFailed},
	} {
		if got := stateOf(c.river, c.failed); got != c.want {
			t.Errorf("%s (failed %t): %s, want %s", c.river, c.failed, got, c.want)
		}
	}
}
