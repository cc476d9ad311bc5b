package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mattn/go-sqlite3"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/tracing"
)

// connector opens connections for a pool.
type connector struct{ dsn string }

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	sc, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return readerConn{sc}, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (c *connector) open(ctx context.Context) (*sqlite3.SQLiteConn, error) {
	var conn driver.Conn
	err := retryBusy(ctx, time.Second, func() (err error) {
		conn, err = c.Driver().Open(c.dsn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	sc, ok := conn.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("connect: the driver gave a %T", conn), conn.Close())
	}
	return sc, nil
}

// writerConnector opens the connection of the writer.
type writerConnector struct {
	connector
	turn      *turnstile
	writing   *writing
	timeout   time.Duration
	unordered bool // the turnstile is not used
}

// Connect implements driver.Connector.
func (c *writerConnector) Connect(ctx context.Context) (driver.Conn, error) {
	sc, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := exec(sc, walPragma); err != nil {
		return nil, errors.Join(fmt.Errorf("connect: %w", err), sc.Close())
	}
	return &writerConn{SQLiteConn: sc, turn: c.turn, writing: c.writing, timeout: c.timeout, unordered: c.unordered}, nil
}

// writerConn is the writing connection. From check-out to return it holds the turnstile, so that
// processes write in the order in which they came. database/sql tells it of both: ResetSession at
// check-out, IsValid at return.
type writerConn struct {
	*sqlite3.SQLiteConn
	turn      *turnstile
	writing   *writing
	timeout   time.Duration
	unordered bool
	insert    statements // of the prediction log
	unfit     bool       // must not be used again
}

// ResetSession implements driver.SessionResetter. The turnstile is a courtesy: if it can't be had
// within the busy timeout, SQLite's own lock decides.
func (c *writerConn) ResetSession(ctx context.Context) error {
	c.writing.begin()
	if !c.unordered {
		c.turn.enter(ctx, c.timeout)
	}
	return nil
}

// IsValid implements driver.Validator. A connection left inside a transaction is not fit for the
// next user.
func (c *writerConn) IsValid() bool {
	clean := c.AutoCommit() && !c.unfit
	c.turn.leave()
	c.writing.end()
	return clean
}

// Close implements driver.Conn.
func (c *writerConn) Close() error {
	err := errors.Join(c.insert.close(), c.SQLiteConn.Close())
	c.turn.leave()
	c.writing.end()
	return err
}

// QueryContext implements driver.QueryerContext.
func (c *writerConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	span := statementSpan(ctx, query)
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		tracing.End(span, err)
		return nil, c.writing.note(err)
	}
	sr, ok := rows.(*sqlite3.SQLiteRows)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver gave %T", rows), rows.Close())
	}
	return &writerRows{SQLiteRows: sr, conn: c.SQLiteConn, writing: c.writing, span: span}, nil
}

// writerRows are the rows of a statement that may write: INSERT ... RETURNING. Outside a transaction
// SQLite commits such a statement after its last row. Who closes it after the first row, as gorm
// does, would not learn that the commit failed, for the driver drops that error: so Close first
// goes on to the end.
type writerRows struct {
	*sqlite3.SQLiteRows
	conn    *sqlite3.SQLiteConn
	writing *writing
	ended   bool // by its last row or an error; a further step would run the statement once more
	span    trace.Span
}

// Next implements driver.Rows.
func (r *writerRows) Next(dest []driver.Value) error {
	err := r.SQLiteRows.Next(dest)
	r.ended = err != nil
	return r.writing.note(err)
}

// Close implements driver.Rows.
func (r *writerRows) Close() error {
	var err error
	if !r.ended && r.conn.AutoCommit() {
		dest := make([]driver.Value, len(r.Columns()))
		for err == nil {
			err = r.Next(dest)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	err = errors.Join(err, r.SQLiteRows.Close())
	tracing.End(r.span, err)
	return err
}
