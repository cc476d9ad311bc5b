package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"iacontinu/internal/store"
)

const (
	txEvery  = 10 * time.Millisecond
	jobEvery = 50 * time.Millisecond
	workers  = 4
)

// tally gathers delays from many goroutines.
type tally struct {
	mu      sync.Mutex
	delays  []time.Duration
	started int
	failed  int
}

func (t *tally) start() { t.mu.Lock(); t.started++; t.mu.Unlock() }

func (t *tally) finish(d time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed++
		return
	}
	t.delays = append(t.delays, d)
}

func (t *tally) sum() delays {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := delays{Done: len(t.delays), Failed: t.failed, Undone: t.started - t.failed - len(t.delays)}
	if d.Done == 0 {
		return d
	}
	slices.Sort(t.delays)
	at := func(q float64) float64 {
		return float64(t.delays[int(q*float64(d.Done-1))]) / float64(time.Millisecond)
	}
	d.P50, d.P99, d.Max = at(0.5), at(0.99), at(1)
	return d
}

// jobArgs carry when the job was asked for.
type jobArgs struct {
	Asked time.Time `json:"asked"`
}

// Kind implements river.JobArgs.
func (jobArgs) Kind() string { return "lockwait" }

// prepare makes the files and their tables.
func prepare(ctx context.Context, c config) error {
	for _, path := range []string{c.jobsFile(), c.predictionsFile()} {
		s, err := open(ctx, c, path)
		if err != nil {
			return err
		}
		m, err := rivermigrate.New(riversqlite.New(s.Writer()), &rivermigrate.Config{Logger: quiet()})
		if err == nil {
			_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// work runs River jobs and small write transactions, and tells how long each had to wait.
func work(ctx context.Context, c config) error {
	s, err := open(ctx, c, c.jobsFile())
	if err != nil {
		return err
	}
	defer s.Close()
	var r report
	var txs, jobs tally
	ws := river.NewWorkers()
	river.AddWorker(ws, river.WorkFunc(func(_ context.Context, j *river.Job[jobArgs]) error {
		jobs.finish(time.Since(j.Args.Asked), nil)
		return nil
	}))
	client, err := river.NewClient(riversqlite.New(s.Writer()), &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers:           ws,
		FetchPollInterval: 100 * time.Millisecond,
		FetchCooldown:     50 * time.Millisecond,
		Logger:            quiet(),
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	end := time.Now().Add(time.Duration(c.seconds) * time.Second)
	var wg sync.WaitGroup
	wg.Go(func() { every(txEvery, end, func() { transact(ctx, s, &txs) }) })
	wg.Go(func() { every(jobEvery, end, func() { enqueue(ctx, client.Insert, &jobs) }) })
	wg.Wait()
	r.Tx, r.Jobs = txs.sum(), jobs.sum()
	stop, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = client.StopAndCancel(stop) // what it still has to do is of no interest
	return json.NewEncoder(os.Stdout).Encode(r)
}

// every calls f at most once an interval until the end.
func every(interval time.Duration, end time.Time, f func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for now := range tick.C {
		if now.After(end) {
			return
		}
		f()
	}
}

// transact is a small write transaction, such as a job's progress.
func transact(ctx context.Context, s *store.Store, t *tally) {
	t.start()
	asked := time.Now()
	err := s.SetProgress(ctx, 1, "train", 0.5)
	t.finish(time.Since(asked), err)
}

type insert func(context.Context, river.JobArgs, *river.InsertOpts) (*rivertype.JobInsertResult, error)

func enqueue(ctx context.Context, insert insert, t *tally) {
	t.start()
	if _, err := insert(ctx, jobArgs{Asked: time.Now()}, nil); err != nil {
		t.finish(0, err)
	}
}
