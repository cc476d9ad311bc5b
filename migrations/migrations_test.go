package migrations_test

import (
	"context"
	"database/sql"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"

	"iacontinu/migrations"
)

var update = flag.Bool("update", false, "rewrite schema.sql")

// The steps must add up to schema.sql, which is what one reads to know the tables.
func TestStepsAddUpToSchema(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	if _, err := provider(t, db).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := "-- The schema that the numbered steps add up to. Written by: go test ./migrations -update\n\n" + dump(t, db)
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the steps do not add up to schema.sql (-want +got):\n%s", diff)
	}
}

// schema.sql must be SQL, and say of itself what it says of the steps.
func TestSchemaCanBeExecuted(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(t)
	if _, err := db.ExecContext(t.Context(), string(text)); err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(text), "\n\n")
	if diff := cmp.Diff(want, dump(t, db)); diff != "" {
		t.Errorf("executed, schema.sql is another (-want +got):\n%s", diff)
	}
}

// Each step can be taken back and made again.
func TestDownAndUpAgain(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	p := provider(t, db)
	steps, err := p.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := dump(t, db)
	for range steps {
		if _, err := p.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left := dump(t, db); left != "" {
		t.Errorf("taken back to nothing, there is still:\n%s", left)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, dump(t, db)); diff != "" {
		t.Errorf("made again, the schema is another (-want +got):\n%s", diff)
	}
}

func openDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(t.TempDir(), "test.db")+"?_foreign_keys=on")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func provider(t *testing.T, db *sql.DB) *goose.Provider {
	t.Helper()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations.Files(),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dump is the schema of a database in a form that does not depend on how it came about: sorted, and
// one column a line.
func dump(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), `SELECT sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND tbl_name <> 'goose_db_version'
		ORDER BY tbl_name, type DESC, name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, layOut(text)+";\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// layOut writes a CREATE TABLE with one column a line; of any statement it makes white space single.
func layOut(text string) string {
	var b strings.Builder
	depth, quoted, space := 0, false, false
	table := strings.HasPrefix(text, "CREATE TABLE")
	for _, r := range text {
		if !quoted && (r == ' ' || r == '\n' || r == '\t') {
			space = true
			continue
		}
		if r == '\'' {
			quoted = !quoted
		}
		if !quoted && r == ')' {
			depth--
		}
		inside := strings.HasSuffix(b.String(), "(") || strings.HasSuffix(b.String(), "\n    ")
		switch {
		case table && !quoted && r == ')' && depth == 0:
			b.WriteString("\n")
		case space && !inside && r != ',' && r != ')':
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
		if !quoted && r == '(' {
			depth++
		}
		if table && !quoted && depth == 1 && (r == ',' || r == '(') {
			b.WriteString("\n    ")
		}
	}
	return b.String()
}
