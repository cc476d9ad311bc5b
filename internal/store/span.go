package store

import (
	"context"
	"database/sql/driver"
	"regexp"
	"strings"

	"github.com/mattn/go-sqlite3"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/tracing"
)

// statementSpan begins the span of a statement, if ctx has one. It shows the statement with the places
// of its values, and never the values.
func statementSpan(ctx context.Context, query string) trace.Span {
	_, span := tracing.Start(ctx, "sql", trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		describe(span, query)
	}
	return span
}

// tableName is the first table that a statement names.
var tableName = regexp.MustCompile("(?i)\\b(?:from|into|update)\\s+[\"`]?([a-z_]+)")

// comment is what River begins its statements with.
var comment = regexp.MustCompile(`(?m)^\s*--.*$`)

// maxStatement bounds the text of a statement on its span, in bytes.
const maxStatement = 400

func describe(span trace.Span, query string) {
	words := strings.Fields(comment.ReplaceAllString(query, ""))
	if len(words) == 0 {
		return
	}
	name := strings.ToUpper(words[0])
	text := strings.Join(words, " ")
	span.SetAttributes(
		attribute.String("db.system.name", "sqlite"), attribute.String("db.operation.name", name),
		attribute.String("db.query.text", tracing.Text(text, maxStatement)),
	)
	if table := tableName.FindStringSubmatch(text); table != nil {
		name += " " + table[1]
		span.SetAttributes(attribute.String("db.collection.name", table[1]))
	}
	span.SetName("sql " + name)
}

// readerConn is a connection of the read pool.
type readerConn struct{ *sqlite3.SQLiteConn }

// QueryContext implements driver.QueryerContext.
func (c readerConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	span := statementSpan(ctx, query)
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if sr, ok := rows.(*sqlite3.SQLiteRows); ok && err == nil && span.IsRecording() {
		return readerRows{sr, span}, nil
	}
	tracing.End(span, err)
	return rows, err
}

// readerRows are rows whose span ends with them: SQLite looks for each when it is asked for.
type readerRows struct {
	*sqlite3.SQLiteRows
	span trace.Span
}

// Close implements driver.Rows.
func (r readerRows) Close() error {
	err := r.SQLiteRows.Close()
	tracing.End(r.span, err)
	return err
}
