package queue

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"

	"iacontinu/internal/ml"
)

// patience bounds every wait for a signal; only a broken test waits that long.
const patience = 15 * time.Second

// openDB opens the file as the store does.
func openDB(tb testing.TB, file string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite3", "file:"+file+"?_journal_mode=WAL&_txlock=immediate&_busy_timeout=5000&_foreign_keys=on&_synchronous=NORMAL")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// testBundle is a migrated file, a queue over it and what its worker logs.
type testBundle struct {
	dir string
	db  *sql.DB
	q   *Queue
	log *syncBuffer
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	dir := t.TempDir()
	db := openDB(t, filepath.Join(dir, "q.db"))
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	q := newQueue(t, Options{
		DB: db, ClientID: "worker-1", Alive: lockHeld(dir),
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	return &testBundle{dir: dir, db: db, q: q, log: log}
}

func newQueue(tb testing.TB, o Options) *Queue {
	tb.Helper()
	if o.PollInterval == 0 {
		o.PollInterval = 20 * time.Millisecond
	}
	q, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// handlers are h with the required ones filled in.
func handlers(h Handlers) Handlers {
	if h.Retrain == nil {
		h.Retrain = func(context.Context, int64, time.Time, ml.RetrainArgs) error { return nil }
	}
	if h.Notify == nil {
		h.Notify = func(context.Context, ml.Event) (time.Duration, error) { return 0, nil }
	}
	return h
}

// work runs a worker until the returned function is called, which also flushes what River still has
// to write down, so that job states may be read afterwards.
func work(tb testing.TB, q *Queue, h Handlers) (stop func() error) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Work(ctx, handlers(h)) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return receive(tb, done, "the worker's end")
	})
	tb.Cleanup(func() { _ = stop() })
	return stop
}

func mustStop(tb testing.TB, stop func() error) {
	tb.Helper()
	if err := stop(); err != nil {
		tb.Fatalf("Work: %v", err)
	}
}

func receive[T any](tb testing.TB, c <-chan T, what string) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		tb.Fatalf("waited %s for %s", patience, what)
		panic("not reached")
	}
}

func (b *testBundle) enqueueRetrain(t *testing.T, args ml.RetrainArgs) int64 {
	t.Helper()
	id, _, err := b.q.EnqueueRetrain(t.Context(), args)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *testBundle) job(t *testing.T, id int64) ml.Job {
	t.Helper()
	job, err := b.q.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func (b *testBundle) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := b.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func (b *testBundle) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	if err := b.db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// lockHeld tells, as presence does, whether a living process holds <dir>/<id>.lock.
func lockHeld(dir string) func(string) (bool, error) {
	return func(id string) (bool, error) {
		f, err := os.Open(filepath.Join(dir, id+".lock"))
		if os.IsNotExist(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		defer f.Close()
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		return errors.Is(err, unix.EWOULDBLOCK), nil
	}
}

// hold locks <dir>/<id>.lock until the process ends.
func hold(dir, id string) error {
	f, err := os.Create(filepath.Join(dir, id+".lock"))
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	held = f
	return nil
}

// held keeps the lock's file from being closed by the garbage collector.
var held *os.File

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
