package queue

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

func TestStopLetsARunningJobEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	running, release := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.q.Work(ctx, handlers(Handlers{Retrain: func(ctx context.Context, _ int64, _ time.Time, _ ml.RetrainArgs) error {
			close(running)
			<-release
			return ctx.Err()
		}}))
	}()
	receive(t, running, "the job")
	cancel()
	close(release)
	if err := receive(t, done, "the worker's end"); err != nil {
		t.Fatal(err)
	}
	if s := b.job(t, id).State; s != ml.JobSucceeded {
		t.Fatalf("state %s, want succeeded", s)
	}
}

func TestStopPutsALongJobBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.softStop = 50 * time.Millisecond
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	running := make(chan struct{})
	stop := work(t, b.q, Handlers{
		Retrain: func(ctx context.Context, _ int64, _ time.Time, _ ml.RetrainArgs) error {
			close(running)
			<-ctx.Done()
			return fmt.Errorf("fit: interrupted") // not the context's error: must not matter
		},
		RetrainFailed: func(context.Context, int64, time.Time, ml.RetrainArgs, error) error {
			t.Error("an ordered stop was told as a failure")
			return nil
		},
	})
	receive(t, running, "the job")
	mustStop(t, stop)
	if job := b.job(t, id); job.State != ml.JobQueued || job.Attempt != 0 {
		t.Fatalf("job %+v, want queued with no attempt used up", job)
	}
	ran := make(chan int64, 1)
	again := newQueue(t, Options{DB: b.db, ClientID: "worker-2", Alive: lockHeld(b.dir)})
	work(t, again, Handlers{Retrain: func(_ context.Context, id int64, _ time.Time, _ ml.RetrainArgs) error {
		ran <- id
		return nil
	}})
	if got := receive(t, ran, "the job after the restart"); got != id {
		t.Fatalf("job %d ran, want %d", got, id)
	}
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.softStop, b.q.hardStop = 20*time.Millisecond, 100*time.Millisecond
	b.enqueueRetrain(t, ml.RetrainArgs{})
	running, release := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.q.Work(ctx, handlers(Handlers{Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
			close(running)
			<-release // deaf to its context
			return nil
		}}))
	}()
	t.Cleanup(func() { close(release) })
	receive(t, running, "the job")
	cancel()
	if err := receive(t, done, "the worker's end"); err == nil || !strings.Contains(err.Error(), "run again") {
		t.Fatalf("got %v, want an error that says what becomes of the job", err)
	}
}

// Two worker processes on one file run each job once.
func TestTwoWorkersShareAFile(t *testing.T) {
	t.Parallel()
	const jobs = 30
	b := setup(t)
	alive := func(string) (bool, error) { return true, nil }
	var mu sync.Mutex
	seen := make(map[string]int)
	all := make(chan struct{})
	notify := func(_ context.Context, e ml.Event) (time.Duration, error) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Title]++
		if len(seen) == jobs {
			select {
			case <-all:
			default:
				close(all)
			}
		}
		return 0, nil
	}
	var stops []func() error
	for i, db := range []*sql.DB{b.db, openDB(t, filepath.Join(b.dir, "q.db"))} {
		q := newQueue(t, Options{DB: db, ClientID: fmt.Sprintf("worker-%d", i), Alive: alive})
		stops = append(stops, work(t, q, Handlers{Notify: notify}))
	}
	for i := range jobs {
		if err := b.q.EnqueueNotify(t.Context(), ml.Event{Topic: ml.EventModel, Title: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, all, "all jobs")
	for _, stop := range stops {
		mustStop(t, stop)
	}
	for title, n := range seen {
		if n != 1 {
			t.Errorf("job %s ran %d times", title, n)
		}
	}
	if n := b.count(t, `SELECT count(*) FROM river_job WHERE state <> 'completed'`); n != 0 {
		t.Errorf("%d jobs are not completed", n)
	}
}

// TestRetrainingsRunOneAfterTheOther: two at once would compare themselves with the same champion, and
// take each other's processors.
func TestRetrainingsRunOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const jobs = 3
	for seed := range uint64(jobs) {
		b.enqueueRetrain(t, ml.RetrainArgs{Seed: seed + 1})
	}
	started, release := make(chan struct{}), make(chan struct{})
	stop := work(t, b.q, Handlers{Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
		started <- struct{}{}
		<-release
		return nil
	}})
	for i := range jobs {
		receive(t, started, "a retraining")
		depths, err := b.q.Depth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range depths {
			if want := jobs - 1 - i; d.Queue == queueRetrain && d.Waiting != want {
				t.Errorf("while retraining %d runs, %d wait, want %d", i+1, d.Waiting, want)
			}
		}
		release <- struct{}{}
	}
	mustStop(t, stop)
}
