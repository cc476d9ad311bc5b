package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"iacontinu/internal/ml"
)

func TestErrorsHaveTheirCodes(t *testing.T) {
	t.Parallel()
	for want, errs := range map[ml.Code][]error{
		ml.CodeStorageFull: {
			sqlite3.Error{Code: sqlite3.ErrFull},
			sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.ENOSPC},
			sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EDQUOT},
		},
		ml.CodeUnavailable: {sqlite3.Error{Code: sqlite3.ErrBusy}, sqlite3.Error{Code: sqlite3.ErrLocked}},
		ml.CodeForbidden:   {ml.Errorf(ml.CodeForbidden, "kept as it is")},
		"": {
			nil, errors.New("another"), context.Canceled,
			sqlite3.Error{Code: sqlite3.ErrCorrupt},
			sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EIO},
		},
	} {
		for _, err := range errs {
			if err != nil {
				err = fmt.Errorf("wrapped: %w", err)
			}
			got := coded(err)
			if ml.CodeOf(got) != want {
				t.Errorf("%v has code %q, want %q", err, ml.CodeOf(got), want)
			}
			if err != nil && !errors.Is(got, errors.Unwrap(err)) {
				t.Errorf("%v has lost its cause", err)
			}
		}
	}
}

// enqueues are the ways to ask for a job.
func (b *testBundle) enqueues(t *testing.T) map[string]func() error {
	return map[string]func() error{
		"retraining": func() error {
			_, _, err := b.q.EnqueueRetrain(t.Context(), ml.RetrainArgs{Seed: 9})
			return err
		},
		"message": func() error {
			return b.q.EnqueueNotify(t.Context(), ml.Event{Topic: ml.EventDrift, Text: strings.Repeat("x", 1<<16)})
		},
	}
}

// lock holds the write lock of the file as another process would, until the test ends.
func (b *testBundle) lock(t *testing.T) {
	t.Helper()
	tx, err := openDB(t, filepath.Join(b.dir, "q.db")).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
}

func TestLockedDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.lock(t)
	for name, enqueue := range b.enqueues(t) {
		b.exec(t, `PRAGMA busy_timeout = 50`) // each time: a refused transaction costs the connection
		if err := enqueue(); ml.CodeOf(err) != ml.CodeUnavailable {
			t.Errorf("%s: got %v, want unavailable", name, err)
		}
	}
}

func TestFullDatabaseIsStorageFull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `PRAGMA max_page_count = 1`) // no more than there are
	for name, enqueue := range b.enqueues(t) {
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			err = enqueue()
			b.exec(t, `UPDATE river_job SET unique_key = NULL`) // the next one is to be a row too
		}
		if ml.CodeOf(err) != ml.CodeStorageFull {
			t.Errorf("%s: got %v, want storage full", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	e := ml.Event{Topic: ml.EventDrift, Text: strings.Repeat("x", 1<<16)}
	if err := b.q.EnqueueNotifyTx(ctx, tx, e); ml.CodeOf(err) != ml.CodeStorageFull {
		t.Errorf("message in a transaction: got %v, want storage full", err)
	}
}

// openReader opens the file as the store opens its read pool.
func openReader(t *testing.T, b *testBundle) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.dir, "q.db")+"?_query_only=on&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Who asks how a job stands must not wait for a writer, here or in another process, nor keep one
// waiting.
func TestReadsDoNotUseTheWriter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{RequestedBy: "ann"})
	b.lock(t)
	busy, err := b.db.Conn(t.Context()) // the only one there is
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	q := newQueue(t, Options{DB: b.db, Reader: openReader(t, b)})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if job, err := q.Job(ctx, id); err != nil || job.State != ml.JobQueued || job.RequestedBy != "ann" {
		t.Errorf("job %+v, err %v, want it queued for ann", job, err)
	}
	if _, err := q.Job(ctx, id+1); ml.CodeOf(err) != ml.CodeNotFound {
		t.Errorf("another job: got %v, want not found", err)
	}
	if depths, err := q.Depth(ctx); err != nil || len(depths) != 1 || depths[0].Waiting != 1 {
		t.Errorf("depths %+v, err %v, want one waiting", depths, err)
	}
}

// What is enqueued can be read at once.
func TestReaderSeesWhatWasEnqueued(t *testing.T) {
	t.Parallel()
	b := setup(t)
	q := newQueue(t, Options{DB: b.db, Reader: openReader(t, b)})
	for seed := range uint64(50) {
		id, _, err := q.EnqueueRetrain(t.Context(), ml.RetrainArgs{Seed: seed + 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Job(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}

// Somebody may make room meanwhile; if nobody does, whoever asked is told why.
func TestFullDiskIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		earlier int // attempts
		want    ml.JobState
	}{{0, ml.JobRetrying}, {retrainAttempts - 1, ml.JobFailed}} {
		t.Run(string(c.want), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.enqueueRetrain(t, ml.RetrainArgs{})
			b.exec(t, `UPDATE river_job SET attempt = ?`, c.earlier)
			ran, told := make(chan struct{}, 1), make(chan error, 1)
			stop := work(t, b.q, Handlers{
				Retrain: func(context.Context, int64, time.Time, ml.RetrainArgs) error {
					ran <- struct{}{}
					return fmt.Errorf("retrain: save: %w", ml.Errorf(ml.CodeStorageFull, "the disk is full"))
				},
				RetrainFailed: func(_ context.Context, _ int64, _ time.Time, _ ml.RetrainArgs, err error) error {
					told <- err
					return nil
				},
			})
			receive(t, ran, "the attempt")
			mustStop(t, stop)
			job := b.job(t, id)
			if job.State != c.want || job.ErrorCode != ml.CodeStorageFull || job.Error != "the disk is full" || job.Attempt != c.earlier+1 {
				t.Errorf("job %+v, want %s, storage full, at attempt %d", job, c.want, c.earlier+1)
			}
			if failed := c.want == ml.JobFailed; failed != (len(told) == 1) {
				t.Errorf("%d told of a failure for good, which it was: %t", len(told), failed)
			}
		})
	}
}
