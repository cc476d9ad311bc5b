package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/mattn/go-sqlite3"
)

// checked runs fn in a write transaction on the driver's connection with SQLite's foreign key
// checks off, because fn itself makes sure that they hold. They would cost a quarter of the time
// of a bulk insert, and a walk over all samples for each dataset deleted.
func (s *Store) checked(ctx context.Context, fn func(c *sqlite3.SQLiteConn) error) error {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	err = conn.Raw(func(dc any) error {
		w, ok := dc.(*writerConn)
		if !ok {
			return fmt.Errorf("the writer's connection is a %T", dc)
		}
		return w.writing.note(w.checked(fn))
	})
	return errors.Join(err, conn.Close())
}

func (c *writerConn) checked(fn func(c *sqlite3.SQLiteConn) error) (err error) {
	conn := c.SQLiteConn
	if err := exec(conn, "PRAGMA foreign_keys = OFF"); err != nil {
		return err
	}
	defer func() {
		if onErr := exec(conn, "PRAGMA foreign_keys = ON"); onErr != nil {
			c.unfit = true
			err = errors.Join(err, onErr)
		}
	}()
	if err := exec(conn, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err = fn(conn); err == nil {
		err = exec(conn, "COMMIT")
	}
	// Some failures, a full disk among them, have ended the transaction already.
	if err != nil && !conn.AutoCommit() {
		err = errors.Join(err, exec(conn, "ROLLBACK"))
	}
	return err
}

func exec(c *sqlite3.SQLiteConn, query string, args ...driver.Value) error {
	_, err := c.Exec(query, args)
	return err
}

// queryRow reads the first row of a query into dest and reports whether there was one.
func queryRow(c *sqlite3.SQLiteConn, dest []driver.Value, query string, args ...driver.Value) (bool, error) {
	rows, err := c.Query(query, args)
	if err != nil {
		return false, err
	}
	err = rows.Next(dest)
	if errors.Is(err, io.EOF) {
		return false, rows.Close()
	}
	return err == nil, errors.Join(err, rows.Close())
}
