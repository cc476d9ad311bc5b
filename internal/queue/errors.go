package queue

import (
	"errors"

	"github.com/mattn/go-sqlite3"

	"iacontinu/internal/ml"
)

// coded gives err the code that tells a caller what to do, as the store does for its own. It leaves
// alone what has one already and what no caller can do anything about.
func coded(err error) error {
	var e sqlite3.Error
	if ml.CodeOf(err) != "" || !errors.As(err, &e) {
		return err
	}
	switch {
	case isFull(e):
		return &ml.Error{Code: ml.CodeStorageFull, Message: "the disk is full", Remarks: []ml.Remark{{Code: "error.disk_full"}}, Err: err}
	case e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked:
		return &ml.Error{Code: ml.CodeUnavailable, Message: "the database is locked by another process", Remarks: []ml.Remark{{Code: "error.locked"}}, Err: err}
	}
	return err
}

// isFull reports whether there was no space: SQLite says so of the database, and calls it an I/O
// error with the system's reason where the write-ahead log or its index can't grow.
func isFull(e sqlite3.Error) bool {
	return e.Code == sqlite3.ErrFull ||
		e.Code == sqlite3.ErrIoErr && ml.DiskFull(e.SystemErrno)
}
