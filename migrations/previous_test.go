package migrations_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"iacontinu/migrations"
)

// previousVersion is that of the schema of the previous release, which testdata/previous.sql holds.
const previousVersion = 9

// The previous release runs on the same database while the next takes over, and again after a rollback:
// docs/adr/0020. So the steps after its own only add what it need not know of.
func TestPreviousReleaseRunsOnTheNewSchema(t *testing.T) {
	t.Parallel()
	before := previousSchema(t)
	db := openDB(t)
	if _, err := provider(t, db).UpTo(t.Context(), previousVersion); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, db)); diff != "" {
		t.Fatalf("a step of the previous release was changed (-want +got):\n%s", diff)
	}
	if _, err := provider(t, db).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, broken := range contractions(before, dump(t, db)) {
		t.Errorf("the previous release still runs: %s", broken)
	}
	previous, err := goose.NewProvider(goose.DialectSQLite3, db, stepsUpTo(t, previousVersion), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := previous.Up(t.Context()); err != nil || len(done) > 0 {
		t.Errorf("the previous release starts on the new schema with %d steps, %v", len(done), err)
	}
	if _, err := provider(t, db).DownTo(t.Context(), previousVersion); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, db)); diff != "" {
		t.Errorf("taken back, the schema is not the previous release's (-want +got):\n%s", diff)
	}
}

// previousSchema is the schema of the previous release, as dump has it.
func previousSchema(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/previous.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, schema, _ := strings.Cut(string(text), "\n\n")
	return schema
}

// previousStatements are what the previous release asks of the database.
func previousStatements(t *testing.T) (statements []string) {
	t.Helper()
	f, err := os.Open("testdata/previous_statements.sql")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// What ends with a semicolon is a step's own.
		if !strings.HasPrefix(lines.Text(), "--") && !strings.HasSuffix(lines.Text(), ";") {
			statements = append(statements, lines.Text())
		}
	}
	if len(statements) < 100 {
		t.Fatalf("only %d statements of the previous release are known", len(statements))
	}
	return statements
}

// stepsUpTo are the files that a release of that version has.
func stepsUpTo(t *testing.T, version int) fs.FS {
	t.Helper()
	steps := fstest.MapFS{}
	files, err := fs.Glob(migrations.Files(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(migrations.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		if path.Base(name) < fmt.Sprintf("%05d", version+1) {
			steps[name] = &fstest.MapFile{Data: text}
		}
	}
	return steps
}

// What makes a database refuse rows that it took before, as dump writes it; SQL does not care for the case.
var (
	bound   = regexp.MustCompile(`(?i)\b(UNIQUE|CHECK|REFERENCES|PRIMARY KEY|GENERATED|AS \()`)
	notNull = regexp.MustCompile(`(?i)\bNOT NULL\b`)
	filled  = regexp.MustCompile(`(?i)\bDEFAULT\b`)
	empty   = regexp.MustCompile(`(?i)\bDEFAULT \(*NULL\b`)
	onTable = regexp.MustCompile("(?i)\\bON [\"`\\[]?(\\w+)")
)

// refuses is whether a column that is new keeps out rows that do without it.
func refuses(column string) bool {
	return bound.MatchString(column) || notNull.MatchString(column) && (!filled.MatchString(column) || empty.MatchString(column))
}

// contractions lists what a program written for one schema could stumble over in another: what is gone or
// changed, and what is new in its tables and asks something of its rows. Both are as dump writes them.
func contractions(before, after string) (broken []string) {
	old, present := statements(before), statements(after)
	for _, name := range slices.Sorted(maps.Keys(old)) {
		lines, ok := present[name]
		if !ok {
			broken = append(broken, name+" is gone")
			continue
		}
		for _, line := range old[name] {
			if !slices.Contains(lines, line) {
				broken = append(broken, fmt.Sprintf("%s: %q is gone or changed", name, line))
			}
		}
		for _, line := range lines {
			if !slices.Contains(old[name], line) && refuses(line) {
				broken = append(broken, fmt.Sprintf("%s: %q is new, and rows without it are refused", name, line))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(present)) {
		if _, ok := old[name]; ok || strings.HasPrefix(name, "CREATE TABLE") || strings.HasPrefix(name, "CREATE INDEX") {
			continue
		}
		on := onTable.FindStringSubmatch(name)
		if on == nil || old["CREATE TABLE "+strings.ToLower(on[1])] != nil {
			broken = append(broken, name+" is new, on a table that was there")
		}
	}
	return broken
}

// statements are those of a dump: the columns of a table by its name, and of any other the whole.
func statements(dump string) map[string][]string {
	all := map[string][]string{}
	for text := range strings.SplitSeq(strings.TrimSpace(dump), ";\n") {
		text = strings.TrimSuffix(strings.TrimSpace(text), ";")
		head, columns, _ := strings.Cut(text, "\n")
		if !strings.HasPrefix(text, "CREATE TABLE") {
			all[text] = []string{}
			continue
		}
		name := strings.ToLower(strings.Trim(strings.TrimSuffix(strings.TrimPrefix(head, "CREATE TABLE "), "("), ` "`))
		all["CREATE TABLE "+name] = nil
		for line := range strings.SplitSeq(columns, "\n") {
			all["CREATE TABLE "+name] = append(all["CREATE TABLE "+name], strings.TrimSuffix(strings.TrimSpace(line), ","))
		}
	}
	return all
}

func TestContractions(t *testing.T) {
	t.Parallel()
	const (
		tables = "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT NOT NULL); CREATE TABLE b (y REAL); CREATE INDEX b_y ON b (y);"
		rows   = "INSERT INTO a (x) VALUES ('one'), ('two'); INSERT INTO b VALUES (0.5);"
	)
	for step, want := range map[string]string{
		"ALTER TABLE a ADD COLUMN z TEXT":                                          "",
		"ALTER TABLE a ADD COLUMN z TEXT NOT NULL DEFAULT ''":                      "",
		"CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a)":          "",
		"CREATE TABLE c (y); CREATE UNIQUE INDEX c_y ON c (y)":                     "",
		"CREATE INDEX b_yy ON b (y, y)":                                            "",
		"ALTER TABLE b ADD COLUMN a INTEGER REFERENCES a":                          "rows without it are refused",
		"ALTER TABLE b ADD COLUMN z TEXT DEFAULT '' CHECK (z <> 'x')":              "rows without it are refused",
		"ALTER TABLE a DROP COLUMN x":                                              `"x TEXT NOT NULL" is gone or changed`,
		"ALTER TABLE a RENAME COLUMN x TO z":                                       `"x TEXT NOT NULL" is gone or changed`,
		"DROP TABLE b":                                                             "CREATE TABLE b is gone",
		"ALTER TABLE b RENAME TO c":                                                "CREATE TABLE b is gone",
		"DROP TABLE b; CREATE TABLE b (y REAL, z TEXT NOT NULL)":                   `"z TEXT NOT NULL" is new`,
		"DROP TABLE b; CREATE TABLE b (y TEXT)":                                    `"y REAL" is gone or changed`,
		"alter table a add column z text not null default ''":                      "",
		"create table c (y); create unique index c_y on c (y)":                     "",
		"update b set y = y; delete from b where y > 1":                            "",
		"alter table b add column z text default 'a' check (z <> 'x')":             "rows without it are refused",
		"alter table b add column a integer references a":                          "rows without it are refused",
		"drop table b; create table b (y REAL, z text not null)":                   "rows without it are refused",
		"drop table b; create table b (y REAL, z text not null default null)":      "rows without it are refused",
		"drop table b; create table b (y REAL, z text not null default ( null ))":  "rows without it are refused",
		"drop table b; create table b (y REAL, z text unique)":                     "rows without it are refused",
		"alter table a drop column x":                                              `"x TEXT NOT NULL" is gone or changed`,
		"drop table b":                                                             "CREATE TABLE b is gone",
		"create unique index b_u on B (y)":                                         "b_u on B (y) is new, on a table that was there",
		"create trigger no before insert on b begin select raise(fail, 'no'); end": "is new, on a table that was there",
		"delete from a":                    "rows of a are gone or changed",
		"DELETE FROM a WHERE id = 1":       "rows of a are gone or changed",
		"update a set x = 'none'":          "rows of a are gone or changed",
		"CREATE UNIQUE INDEX b_u ON b (y)": "CREATE UNIQUE INDEX b_u ON b (y) is new",
		"CREATE TRIGGER no BEFORE INSERT ON b BEGIN SELECT RAISE(FAIL, 'no'); END": "is new, on a table that was there",
	} {
		db := openDB(t)
		if _, err := db.ExecContext(t.Context(), tables+rows); err != nil {
			t.Fatal(err)
		}
		old, columns := dump(t, db), columnsOf(t, db)
		held := contents(t, db, columns)
		if _, err := db.ExecContext(t.Context(), step); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		got := strings.Join(append(contractions(old, dump(t, db)), lost(held, contents(t, db, columns))...), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", step, got, want)
		}
	}
}
