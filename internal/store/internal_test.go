package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"iacontinu/internal/ml"
)

func openInternal(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestErrorsHaveTheirCodes(t *testing.T) {
	t.Parallel()
	for want, errs := range map[ml.Code][]error{
		ml.CodeStorageFull: {
			sqlite3.Error{Code: sqlite3.ErrFull},
			sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrSHMSize, SystemErrno: syscall.ENOSPC},
			sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EDQUOT},
		},
		ml.CodeUnavailable: {sqlite3.Error{Code: sqlite3.ErrBusy}, sqlite3.Error{Code: sqlite3.ErrLocked}, errClosed, sql.ErrConnDone},
		ml.CodeConflict:    {sqlite3.Error{Code: sqlite3.ErrConstraint, ExtendedCode: sqlite3.ErrConstraintUnique}},
		ml.CodeForbidden:   {ml.Errorf(ml.CodeForbidden, "kept as it is")},
		"": {
			nil, errors.New("another"), context.Canceled,
			sqlite3.Error{Code: sqlite3.ErrCorrupt},
			sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EIO},
			sqlite3.Error{Code: sqlite3.ErrConstraint, ExtendedCode: sqlite3.ErrConstraintForeignKey},
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

// Only one process migrates; a second waits for it, no longer than it is told to.
func TestMigrationWaitsForAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	other := openTurn(t, path+".locks")
	if !poll(t.Context(), other.migrate, time.Now()) {
		t.Fatal("the lock is not free")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, Options{Path: path, Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "another process is migrating") {
		t.Fatalf("opened while another migrates: %v", err)
	}
	opened := make(chan error)
	go func() {
		s, err := Open(t.Context(), Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	unlock(other.migrate)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// What was queued when Close came is committed and not refused.
func TestCloseCommitsTheQueue(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	conn, err := s.writer.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var entries []*logEntry
	for range 10 {
		e := &logEntry{p: &ml.Prediction{ID: "p"}, done: make(chan error, 1)}
		if err := s.log.enqueue(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for err = nil; !errors.Is(err, errClosed); err = s.log.enqueue(t.Context(), &logEntry{p: &ml.Prediction{}, done: make(chan error, 1)}) {
		runtime.Gosched()
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if err := <-e.done; err != nil {
			t.Errorf("prediction %d: %v", i, err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// A transaction that someone left open is not the next one's.
func TestLeftTransactionIsDiscarded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"BEGIN", "INSERT INTO sequences VALUES ('left', 1)"} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		t.Log(err)
	}
	if err := s.Log(ctx, &ml.Prediction{ID: "p"}); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := s.reader.QueryRowContext(ctx, "SELECT COUNT(*) FROM sequences WHERE name = 'left'").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows of the open transaction are there, %v", n, err)
	}
}

// A write that waits is trouble before it has failed, and one that failed is not held against the
// database for ever.
func TestWriteTroubleComesAndGoes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	s := openInternal(t, path)
	other, err := sql.Open("sqlite3", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	logged := make(chan error, 1)
	go func() { logged <- s.Log(t.Context(), &ml.Prediction{ID: "p"}) }()
	for s.writing.trouble(time.Now().Add(time.Minute)) == nil { // until it has begun
	}
	if err := s.WriteTrouble(); err != nil {
		t.Errorf("a write that has just begun is trouble: %v", err)
	}
	if err := s.writing.trouble(time.Now().Add(slowWrite + time.Second)); err == nil || !strings.Contains(err.Error(), "a write waits") {
		t.Errorf("a write that waits for long: %v", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-logged; err != nil {
		t.Fatal(err)
	}
	if err := s.writing.trouble(time.Now().Add(time.Minute)); err != nil {
		t.Errorf("after the write: %v", err)
	}
	_ = s.writing.note(sqlite3.Error{Code: sqlite3.ErrFull})
	if s.writing.trouble(time.Now().Add(failureCounts-time.Second)) == nil || s.writing.trouble(time.Now().Add(failureCounts)) != nil {
		t.Errorf("a failure does not count for %v", failureCounts)
	}
}

// A disk may be found full only at the commit.
func TestFailedCommitIsWriteTrouble(t *testing.T) {
	t.Parallel()
	w := &writing{}
	if err := (writerTx{fullTx{}, w}).Commit(); err == nil || w.trouble(time.Now()) == nil {
		t.Errorf("commit: %v, trouble: %v", err, w.trouble(time.Now()))
	}
}

type fullTx struct{ driver.Tx }

func (fullTx) Commit() error { return sqlite3.Error{Code: sqlite3.ErrFull} }
