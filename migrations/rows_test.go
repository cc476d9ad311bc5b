package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The previous release writes and reads its rows on the new schema as it did on its own: those that were there
// when the schema was raised, and those that it writes beside the next release.
func TestPreviousReleaseWritesToTheNewSchema(t *testing.T) {
	t.Parallel()
	own, raised := writerOf(t), writerOf(t)
	columns := columnsOf(t, own.db)
	texts := previousStatements(t)
	slices.SortStableFunc(texts, func(a, b string) int { return own.turn(a) - own.turn(b) })

	for _, text := range texts {
		if own.turn(text) > lastInsert {
			break
		}
		got := own.do(t, text)
		if strings.HasPrefix(got, "error") {
			t.Fatalf("the test can't write as the previous release does: %s\n%s", text, got)
		}
		raised.do(t, text)
	}
	before := contents(t, raised.db, columns)
	for table, rows := range before {
		if len(rows) == 0 {
			t.Errorf("the test writes nothing to %s", table)
		}
	}
	if _, err := provider(t, raised.db).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, broken := range lost(before, contents(t, raised.db, columns)) {
		t.Errorf("by the new steps, %s", broken)
	}
	for _, text := range texts {
		want, got := own.do(t, text), raised.do(t, text)
		if strings.HasPrefix(want, "error") && !strings.Contains(want, "constraint failed") { // a row that is there already
			t.Errorf("the test can't ask as the previous release does: %s\n%s", text, want)
		}
		if want != got {
			t.Errorf("the previous release does %s\non its own schema: %s\non the new one: %s", text, want, got)
		}
	}
	if diff := cmp.Diff(contents(t, own.db, columns), contents(t, raised.db, columns)); diff != "" {
		t.Errorf("what it wrote is another on the new schema (-own +new):\n%s", diff)
	}
}

// previousWriter does what the previous release asks of a database, with values of its own making.
type previousWriter struct {
	db    *sql.DB
	types map[string]string // of columns: "TEXT"
	keys  map[string]bool   // table.column that has another table's key
	wrote map[string]int    // how often to a table
}

// writerOf begins with a database as the previous release makes it.
func writerOf(t *testing.T) *previousWriter {
	t.Helper()
	w := &previousWriter{db: openDB(t), types: map[string]string{}, keys: map[string]bool{}, wrote: map[string]int{}}
	w.db.SetMaxOpenConns(1) // some of its statements speak of the row before
	if _, err := provider(t, w.db).UpTo(t.Context(), previousVersion); err != nil {
		t.Fatal(err)
	}
	// In order: columns of one name may have several types, and both writers must take the same.
	for _, table := range slices.Sorted(maps.Keys(columnsOf(t, w.db))) {
		if table == "installation" {
			continue // its id is a name; those of all others are numbers
		}
		for _, c := range query(t, w.db, "SELECT name, type FROM pragma_table_info(?)", table) {
			w.types[c[0]] = c[1]
		}
		for _, c := range query(t, w.db, "SELECT \"from\" FROM pragma_foreign_key_list(?)", table) {
			w.keys[table+"."+c[0]] = true
		}
	}
	return w
}

var inserting = regexp.MustCompile("^INSERT INTO `?(\\w+)`? \\(([^)]*)\\) (?:VALUES|SELECT) ")

const lastInsert = 1

// turn orders statements: rows that others point to, other rows, changes, questions, and removals.
func (w *previousWriter) turn(text string) int {
	verb, _, _ := strings.Cut(text, " ")
	if verb != "INSERT" {
		return lastInsert + 1 + slices.Index([]string{"UPDATE", "SELECT", "WITH", "DELETE"}, verb)
	}
	for key := range w.keys {
		if m := inserting.FindStringSubmatch(text); m != nil && strings.HasPrefix(key, m[1]+".") {
			return lastInsert
		}
	}
	return 0
}

// do runs a statement and tells what came of it: how many rows, or the error.
func (w *previousWriter) do(t *testing.T, text string) string {
	t.Helper()
	text = named.ReplaceAllString(text, "?")
	args := w.arguments(text)
	if !strings.HasPrefix(text, "SELECT") && !strings.HasPrefix(text, "WITH") && !strings.Contains(text, "RETURNING") {
		res, err := w.db.ExecContext(t.Context(), text, args...)
		if err != nil {
			return "error: " + err.Error()
		}
		n, err := res.RowsAffected()
		return fmt.Sprint(n, " rows, ", err)
	}
	rows, err := w.db.QueryContext(t.Context(), text, args...)
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(n, " rows")
}

var (
	placeholder = regexp.MustCompile(`\?(\d*)`)
	named       = regexp.MustCompile(`@\w+`)
	compared    = regexp.MustCompile("(\\w+)`? ?(?:=|<|>|<=|>=|<>) ?$")
)

// arguments are values for a statement's placeholders: of what is inserted ones that are new to the table, and
// else those of the first row.
func (w *previousWriter) arguments(text string) []any {
	table, columns, end := "", []string(nil), 0
	if m := inserting.FindStringSubmatchIndex(text); m != nil {
		table, end = text[m[2]:m[3]], m[1]
		columns = strings.Split(strings.NewReplacer("`", "", " ", "").Replace(text[m[4]:m[5]]), ",")
	}
	row := w.wrote[table]
	if table != "" {
		w.wrote[table]++
	}
	var args []any
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		var value any
		if column := at(text[end:m[0]], columns); column != "" {
			value = w.value(column, row)
			if w.keys[table+"."+column] {
				value = 1
			}
		} else if c := compared.FindStringSubmatch(text[:m[0]]); c != nil {
			value = w.value(c[1], 0)
		} else {
			value = 1 // a bound, such as that of LIMIT
		}
		n, err := strconv.Atoi(text[m[2]:m[3]])
		if err != nil {
			n = len(args) + 1
		}
		args = append(args, make([]any, max(n-len(args), 0))...)
		if args[n-1] == nil {
			args[n-1] = value
		}
	}
	return args
}

// at is the column whose value comes after what was said since VALUES or SELECT; empty beyond the values.
func at(said string, columns []string) string {
	if strings.Contains(said, " FROM ") || strings.Contains(said, " ON CONFLICT ") {
		return ""
	}
	i, depth, quoted := 0, 0, false
	base := 0
	if strings.HasPrefix(said, "(") {
		base = 1
	}
	for _, r := range said {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
		case r == '(':
			if depth++; depth == base {
				i = 0
			}
		case r == ')':
			depth--
		case r == ',' && depth == base:
			i++
		}
	}
	if i >= len(columns) {
		return ""
	}
	return columns[i]
}

// value is one for a column in a row of the test's.
func (w *previousWriter) value(column string, row int) any {
	if column == "action" {
		return "activate"
	}
	switch w.types[column] {
	case "TEXT":
		return "v" + strconv.Itoa(row)
	case "REAL":
		return 0.5
	case "BOOLEAN":
		return 0
	case "TIMESTAMP":
		return time.Date(2026, 1, 2, 3, 4, row, 0, time.UTC)
	case "BLOB":
		return make([]byte, 8)
	}
	return row + 1
}

// columnsOf are the columns of each table of ours.
func columnsOf(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	columns := map[string][]string{}
	for _, row := range query(t, db, `SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`) {
		columns[row[0]] = append(columns[row[0]], row[1])
	}
	return columns
}

// contents are the rows of tables, of each as much as the columns say. A table that has not all of them any more
// has no rows. What is random differs between databases, and is left out.
func contents(t *testing.T, db *sql.DB, columns map[string][]string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for table, names := range columns {
		all[table] = []string{}
		if have := columnsOf(t, db)[table]; slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(have, name) }) {
			continue
		}
		what := `"` + strings.Join(names, `", "`) + `"`
		if table == "installation" {
			what = "1"
		}
		for _, row := range query(t, db, "SELECT "+what+" FROM "+table+" ORDER BY 1") {
			all[table] = append(all[table], strings.Join(row, " | "))
		}
	}
	return all
}

// lost lists the tables whose rows are not all there any more, or not as they were.
func lost(before, after map[string][]string) (broken []string) {
	for _, table := range slices.Sorted(maps.Keys(before)) {
		if slices.ContainsFunc(before[table], func(row string) bool { return !slices.Contains(after[table], row) }) {
			broken = append(broken, "rows of "+table+" are gone or changed")
		}
	}
	return broken
}

// query is the answer to a question, as text.
func query(t *testing.T, db *sql.DB, text string, args ...any) (all [][]string) {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(names))
		for i, v := range values {
			row[i] = v.String
			if !v.Valid {
				row[i] = "NULL"
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
