package queue

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

func TestEqualRetrainingsJoin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := ml.RetrainArgs{NewestDataset: 7, C: 0.5, Reason: ml.ReasonManual, RequestedBy: "ann"}
	id := b.enqueueRetrain(t, first)

	again := first
	again.Reason, again.RequestedBy = ml.ReasonDrift, "flow" // for the records only
	got, joined, err := b.q.EnqueueRetrain(t.Context(), again)
	if err != nil || !joined || got != id {
		t.Fatalf("equal call: id %d joined %t err %v, want %d true nil", got, joined, err, id)
	}
	for name, change := range map[string]func(*ml.RetrainArgs){
		"dataset":        func(a *ml.RetrainArgs) { a.DatasetID = 3 },
		"newest dataset": func(a *ml.RetrainArgs) { a.NewestDataset = 8 },
		"generate":       func(a *ml.RetrainArgs) { a.Generate = true },
		"c":              func(a *ml.RetrainArgs) { a.C = 0.25 },
		"balanced":       func(a *ml.RetrainArgs) { a.Balanced = true },
		"seed":           func(a *ml.RetrainArgs) { a.Seed = 9 },
	} {
		other := first
		change(&other)
		if got, joined, err := b.q.EnqueueRetrain(t.Context(), other); err != nil || joined || got == id {
			t.Errorf("another %s: id %d joined %t err %v, want a job of its own", name, got, joined, err)
		}
	}
}

// Who may look a job up is kept with it, and outlives each attempt and each process that takes calls.
func TestAJobRemembersWhoJoined(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{RequestedBy: "ann"})
	join := func(name string) {
		t.Helper()
		if got, joined, err := b.q.EnqueueRetrain(t.Context(), ml.RetrainArgs{RequestedBy: name}); err != nil || !joined || got != id {
			t.Fatalf("%s: id %d joined %t err %v", name, got, joined, err)
		}
	}
	join("service:flow")
	running := make(chan struct{})
	release := make(chan struct{})
	stop := work(t, b.q, Handlers{Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
		close(running)
		<-release
		return ml.Errorf(ml.CodeUnprocessed, "one class") // so that the attempt writes its own part down
	}})
	receive(t, running, "the retraining")
	for _, name := range []string{"ann", "bob", "bob", "service:flow", `"o'hara"`} {
		join(name)
	}
	close(release)
	mustStop(t, stop)
	job := b.job(t, id)
	if want := []string{"service:flow", "bob", `"o'hara"`}; job.RequestedBy != "ann" || !slices.Equal(job.JoinedBy, want) || job.Error == "" {
		t.Errorf("job %+v, want asked for by ann, joined by %q and failed", job, want)
	}
	for name, want := range map[string]bool{"ann": true, "bob": true, "eve": false} {
		if job.AskedBy(name) != want {
			t.Errorf("asked by %s: %t", name, !want)
		}
	}
}

func TestFinishedRetrainingIsNotJoined(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{
		"succeeded": nil,
		"failed":    ml.Errorf(ml.CodeUnprocessed, "one class"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.enqueueRetrain(t, ml.RetrainArgs{})
			ran := make(chan struct{}, 1)
			stop := work(t, b.q, Handlers{Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
				ran <- struct{}{}
				return result
			}})
			receive(t, ran, "the retraining")
			mustStop(t, stop)
			if got, joined, err := b.q.EnqueueRetrain(t.Context(), ml.RetrainArgs{}); err != nil || joined || got == id {
				t.Fatalf("id %d joined %t err %v, want a new job", got, joined, err)
			}
		})
	}
}

func TestRunningRetrainingIsJoined(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	running, release := make(chan struct{}), make(chan struct{})
	stop := work(t, b.q, Handlers{Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
		close(running)
		<-release
		return nil
	}})
	receive(t, running, "the retraining")
	got, joined, err := b.q.EnqueueRetrain(t.Context(), ml.RetrainArgs{})
	if err != nil || !joined || got != id {
		t.Errorf("id %d joined %t err %v, want %d true nil", got, joined, err, id)
	}
	if s := b.job(t, id).State; s != ml.JobRunning {
		t.Errorf("state %s, want running", s)
	}
	close(release)
	mustStop(t, stop)
}

// The result of a retraining is stored a moment before its job is over: who has read it and asks again
// wants another retraining.
func TestAnsweredRetrainingIsNotJoined(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var done atomic.Int64
	q := newQueue(t, Options{DB: b.db, Answered: func(_ context.Context, job int64) (bool, error) { return job <= done.Load(), nil }})
	enqueue := func() int64 {
		t.Helper()
		id, _, err := q.EnqueueRetrain(t.Context(), ml.RetrainArgs{Seed: 5})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := enqueue()
	if again := enqueue(); again != first {
		t.Errorf("job %d, want %d, which has no result yet", again, first)
	}
	done.Store(first)
	second := enqueue()
	if second == first {
		t.Fatal("joined a job whose result is known")
	}
	if again := enqueue(); again != second {
		t.Errorf("job %d, want %d, which has no result yet", again, second)
	}
}

func TestSimultaneousEqualRetrainingsAreOneJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	for range 4 {
		q := newQueue(t, Options{DB: openDB(t, filepath.Join(b.dir, "q.db"))})
		wg.Go(func() {
			for range 5 {
				if _, _, err := q.EnqueueRetrain(t.Context(), ml.RetrainArgs{Seed: 5}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := b.count(t, `SELECT count(*) FROM river_job`); n != 1 {
		t.Fatalf("%d jobs, want 1", n)
	}
}

func TestNotifyFollowsItsTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// An insert beside the transaction would wait for the one connection, which the transaction has.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	enqueue := func(end func(*sql.Tx) error) {
		t.Helper()
		tx, err := b.db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.q.EnqueueNotifyTx(ctx, tx, ml.Event{Topic: ml.EventModel}); err != nil {
			t.Fatal(err)
		}
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
	}
	enqueue((*sql.Tx).Rollback)
	if n := b.count(t, `SELECT count(*) FROM river_job`); n != 0 {
		t.Fatalf("%d jobs after a rollback, want none", n)
	}
	enqueue((*sql.Tx).Commit)
	if n := b.count(t, `SELECT count(*) FROM river_job WHERE kind = 'notify'`); n != 1 {
		t.Fatalf("%d jobs after a commit, want 1", n)
	}
}

func TestEventArrivesWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := ml.Event{
		Topic: ml.EventDrift, State: "drift", Severity: ml.SeverityDrift, Title: "Drift ✓", Text: "f1 moved",
		Fields: []ml.EventField{{Name: "p", Value: "0.001"}}, At: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
	}
	if err := b.q.EnqueueNotify(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	events := make(chan ml.Event, 1)
	work(t, b.q, Handlers{Notify: func(_ context.Context, e ml.Event) (time.Duration, error) {
		events <- e
		return 0, nil
	}})
	got := receive(t, events, "the event")
	if !got.At.Equal(want.At) || got.Title != want.Title || got.Fields[0] != want.Fields[0] || got.State != want.State {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestMigrateFromManyProcessesAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "q.db")
	var wg sync.WaitGroup
	for range 4 {
		db := openDB(t, file)
		wg.Go(func() {
			if err := Migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	q := newQueue(t, Options{DB: openDB(t, file)})
	if _, _, err := q.EnqueueRetrain(t.Context(), ml.RetrainArgs{}); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateTellsARealError(t *testing.T) {
	t.Parallel()
	db := openDB(t, filepath.Join(t.TempDir(), "q.db"))
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE river_job (id integer)`); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), db); err == nil {
		t.Fatal("a foreign river_job table went unnoticed")
	}
}

func TestUnknownJobIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.q.Job(t.Context(), 99); ml.CodeOf(err) != ml.CodeNotFound {
		t.Fatalf("got %v, want not_found", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, o := range map[string]Options{
		"no DB":           {},
		"poll too long":   {DB: b.db, PollInterval: time.Minute},
		"poll negative":   {DB: b.db, PollInterval: -1},
		"sweep too often": {DB: b.db, SweepInterval: time.Millisecond},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	q := newQueue(t, Options{DB: b.db})
	if err := q.Work(t.Context(), handlers(Handlers{})); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Work without a ClientID: %v", err)
	}
}

// What a job came to is kept by its id, so an id must not come again when the jobs are forgotten.
func TestIDsOnlyRise(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.enqueueRetrain(t, ml.RetrainArgs{Seed: 1})
	last := b.enqueueRetrain(t, ml.RetrainArgs{Seed: 2})
	b.exec(t, `UPDATE river_job SET state = 'completed', finalized_at = datetime('now', '-1 year')`)
	b.exec(t, `DELETE FROM river_job`)
	if id, err := b.q.OldestJob(t.Context()); err != nil || id != last {
		t.Errorf("the oldest job is %d, %v; want the newest, %d, kept alone", id, err, last)
	}
	if id := b.enqueueRetrain(t, ml.RetrainArgs{Seed: 3}); id <= last {
		t.Errorf("job %d follows job %d", id, last)
	}
	b.exec(t, `DELETE FROM river_job`)
	if n := b.count(t, `SELECT count(*) FROM river_job WHERE id <= ?`, last); n != 0 {
		t.Error("the job that is no more the newest is kept for ever")
	}
}
