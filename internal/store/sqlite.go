package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// statementCache is how many prepared statements a connection keeps.
const statementCache = 64

// walPragma cuts the write-ahead log's file after a burst. When it is moved into the database is left
// at SQLite's 1000 pages: more make the commit that does it too slow, and doing it beside the writer
// slower still, for the two wait for each other's fsync.
const walPragma = "PRAGMA journal_size_limit = 67108864"

// dsn names the file for the driver. A path is escaped, for it may hold a question mark.
func dsn(path string, params url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params.Encode()
}

func baseParams(o Options) url.Values {
	return url.Values{
		"_busy_timeout":    {strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10)},
		"_foreign_keys":    {"on"},
		"_synchronous":     {o.Synchronous},
		"_stmt_cache_size": {strconv.Itoa(statementCache)},
	}
}

func writerDSN(o Options) string {
	p := baseParams(o)
	// A transaction that reads first and takes the write lock later fails at once if another wrote
	// in between, whatever the busy timeout: take the lock at the start.
	p.Set("_txlock", "immediate")
	p.Set("_cache_size", "-8000") // KiB
	return dsn(o.Path, p)
}

func readerDSN(o Options) string {
	p := baseParams(o)
	p.Set("_query_only", "on")
	return dsn(o.Path, p)
}

// openGorm wraps a pool. gorm logs nothing: errors are returned, and its texts hold values.
func openGorm(db *sql.DB) (*gorm.DB, error) {
	g, err := gorm.Open(gormsqlite.New(gormsqlite.Config{Conn: db}), &gorm.Config{
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
	})
	if err != nil {
		return nil, fmt.Errorf("gorm: %w", err)
	}
	return g, nil
}

// switchToWAL makes readers and the writer independent. The mode is kept in the file, so this is a
// read after the first time.
func switchToWAL(ctx context.Context, db *sql.DB, timeout time.Duration) error {
	return retryBusy(ctx, timeout, func() error {
		var mode string
		if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
			return fmt.Errorf("switch to WAL: %w", err)
		}
		if mode != "wal" {
			return fmt.Errorf("switch to WAL: the file stays in mode %q", mode)
		}
		return nil
	})
}

// retryBusy repeats what SQLite refuses at once, without its busy wait, while another process
// switches the journal mode or recovers the log.
func retryBusy(ctx context.Context, timeout time.Duration, try func() error) error {
	deadline := time.Now().Add(timeout)
	for {
		err := try()
		if !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func isBusy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked)
}

// Backup writes a consistent copy of the database to path, which must not be there yet, while
// readers and the writer go on.
func (s *Store) Backup(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	defer f.Close()
	if err := s.vacuumInto(ctx, path); err != nil {
		return errors.Join(fmt.Errorf("store: backup: %w", coded(err)), os.Remove(path))
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	return nil
}

// vacuumInto copies over a connection of its own: the writer's would keep all writers waiting, and
// the readers' may not write.
func (s *Store) vacuumInto(ctx context.Context, path string) error {
	db := sql.OpenDB(&connector{dsn: dsn(s.opt.Path, baseParams(s.opt))})
	defer db.Close()
	_, err := db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// Check reads a database that nobody writes, without a trace beside it, and says what is wrong with it.
func Check(ctx context.Context, path string) error {
	db := sql.OpenDB(&connector{dsn: dsn(path, url.Values{"mode": {"ro"}, "immutable": {"1"}})})
	defer db.Close()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	if found != "ok" {
		return fmt.Errorf("store: check: %s", found)
	}
	if _, err := db.ExecContext(ctx, pingQuery); err != nil { // an empty file is sound, too
		return fmt.Errorf("store: check: %w", err)
	}
	return nil
}
