package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"iacontinu/internal/tracing"
)

// When writing is in trouble: while one write takes longer than slowWrite, and for failureCounts after
// one failed. A process at work writes every few seconds, so that a trouble that lasts is not forgotten,
// and one that is over does not stay because nobody writes.
const (
	slowWrite     = 3 * time.Second
	failureCounts = 15 * time.Second
)

// writing watches the writer's connection at its work, for whoever asks whether the database can be
// written. A write of its own for that would join the queue that it is to report.
type writing struct {
	mu     sync.Mutex
	since  time.Time // when the use of the connection began that is under way; zero: none
	err    error     // of the last write that the database was in no state for
	failed time.Time
}

// WriteTrouble says why the database can't be written at present, nil if nothing is known against it.
func (s *Store) WriteTrouble() error { return s.writing.trouble(time.Now()) }

func (w *writing) trouble(now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ago := now.Sub(w.failed); w.err != nil && ago < failureCounts {
		return fmt.Errorf("a write failed %v ago: %w", ago.Round(time.Second), coded(w.err))
	}
	if took := now.Sub(w.since); !w.since.IsZero() && took > slowWrite {
		return fmt.Errorf("a write waits since %v", took.Round(time.Second))
	}
	return nil
}

func (w *writing) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
}

func (w *writing) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Time{}
}

// note keeps an error that tells of the database's state, and returns it.
func (w *writing) note(err error) error {
	if prevents(err) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err, w.failed = err, time.Now()
	}
	return err
}

// forget is for what happened while the store was opened, when others may migrate.
func (w *writing) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = nil
}

// prevents reports whether an error is one that the next write will probably meet too.
func prevents(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrReadonly, sqlite3.ErrCantOpen,
		sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrPerm, sqlite3.ErrNomem:
		return true
	}
	return false
}

// ExecContext implements driver.ExecerContext.
func (c *writerConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	span := statementSpan(ctx, query)
	res, err := c.SQLiteConn.ExecContext(ctx, query, args)
	tracing.End(span, err)
	return res, c.writing.note(err)
}

// BeginTx implements driver.ConnBeginTx.
func (c *writerConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	span := statementSpan(ctx, "BEGIN IMMEDIATE")
	tx, err := c.SQLiteConn.BeginTx(ctx, o)
	tracing.End(span, err)
	if err != nil {
		return nil, c.writing.note(err)
	}
	return writerTx{tx, c.writing}, nil
}

type writerTx struct {
	driver.Tx
	writing *writing
}

// Commit implements driver.Tx.
func (t writerTx) Commit() error { return t.writing.note(t.Tx.Commit()) }
