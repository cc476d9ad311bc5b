package store

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

// coded gives err the code that tells a caller what to do. It leaves alone what has one already and
// what no caller can do anything about.
func coded(err error) error {
	if err == nil || ml.CodeOf(err) != "" {
		return err
	}
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, errClosed) || err.Error() == "sql: database is closed" {
		return &ml.Error{Code: ml.CodeUnavailable, Message: "the store is closed", Err: err}
	}
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case isFull(e):
		return &ml.Error{Code: ml.CodeStorageFull, Message: "the disk is full", Remarks: []ml.Remark{{Code: "error.disk_full"}}, Err: err}
	case e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked:
		return locked(err)
	case e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey:
		return conflict(err)
	}
	return err
}

// locked is one error for all who wait in vain, for the lock or for the connection that waits for it.
func locked(err error) *ml.Error {
	return &ml.Error{Code: ml.CodeUnavailable, Message: "the database is locked by another process", Remarks: []ml.Remark{{Code: "error.locked"}}, Err: err}
}

// isFull reports whether there was no space: SQLite says so of the database, and calls it an I/O
// error with the system's reason where the write-ahead log or its index can't grow.
func isFull(e sqlite3.Error) bool {
	return e.Code == sqlite3.ErrFull ||
		e.Code == sqlite3.ErrIoErr && ml.DiskFull(e.SystemErrno)
}

// isConstraint reports whether a row was refused for what it holds.
func isConstraint(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrConstraint
}

// conflict names the columns that are taken, which SQLite's message lists: "UNIQUE constraint
// failed: users.email".
func conflict(err error) error {
	out := &ml.Error{Code: ml.CodeConflict, Message: "exists already", Err: err}
	_, list, _ := strings.Cut(err.Error(), "constraint failed: ")
	for _, column := range strings.Split(list, ", ") {
		if _, name, ok := strings.Cut(column, "."); ok {
			out.Fields = append(out.Fields, ml.FieldError{Location: name, Message: "is taken"})
		}
	}
	return out
}

// found turns the absence of a row into CodeNotFound.
func found(err error, format string, args ...any) error {
	if errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, sql.ErrNoRows) {
		return ml.Errorf(ml.CodeNotFound, format, args...).Says("error.gone", nil)
	}
	return coded(err)
}
