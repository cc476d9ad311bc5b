package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"iacontinu/internal/ml"
	"iacontinu/migrations"
)

// Step is one numbered step of the schema.
type Step struct {
	Version int64
	// Name is that of its file, empty for a step that only a newer release knows.
	Name string
	// Taken is when the database took it, zero if it has not yet.
	Taken time.Time
}

// Steps lists the steps of this release and, beyond them, those that the database took from a newer one. It
// changes nothing, and may be called beside processes that work on the database.
func Steps(ctx context.Context, path string) ([]Step, error) {
	steps := map[int64]Step{}
	err := onClosed(ctx, path, readerDSN, func(db *sql.DB, p *goose.Provider) error {
		for _, s := range p.ListSources() {
			steps[s.Version] = Step{Version: s.Version, Name: filepath.Base(s.Path)}
		}
		taken, err := takenSteps(ctx, db)
		for version, at := range taken {
			s := steps[version]
			s.Version, s.Taken = version, at
			steps[version] = s
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: steps of %s: %w", path, err)
	}
	list := make([]Step, 0, len(steps))
	for _, s := range steps {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Step) int { return cmp.Compare(a.Version, b.Version) })
	return list, nil
}

// takenSteps tells when the database took each step that it has.
func takenSteps(ctx context.Context, db *sql.DB) (map[int64]time.Time, error) {
	var there bool
	if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ?)", goose.DefaultTablename).Scan(&there); err != nil || !there {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT version_id, tstamp FROM "+goose.DefaultTablename+" WHERE is_applied AND version_id > 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	taken := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, err
		}
		taken[version] = at
	}
	return taken, rows.Err()
}

// Down takes back the steps above the version to, or the last one if to is 0, and returns the versions before
// and after. What lies in their columns and tables is lost, so it is refused without force if there are rows. Nobody
// else may work on the database meanwhile. The first step is refused: it made the tables that hold the data.
func Down(ctx context.Context, path string, to int64, force bool) (from, now int64, err error) {
	err = onClosed(ctx, path, writerDSN, func(db *sql.DB, p *goose.Provider) error {
		taken, err := takenSteps(ctx, db)
		if err != nil {
			return err
		}
		for version := range taken {
			from = max(from, version)
		}
		if now = to; to == 0 {
			now = from - 1
		}
		sources := p.ListSources()
		switch newest := sources[len(sources)-1].Version; {
		case from > newest:
			return ml.Errorf(ml.CodeConflict, "version %d of the schema is of a newer release, this one knows %d: take it back with that release", from, newest)
		case now < 1:
			return ml.Errorf(ml.CodeConflict, "the schema is at version %d, and the first step made the tables that hold the data: to begin anew, move the file away", from)
		case now >= from:
			return ml.Errorf(ml.CodeConflict, "the schema is at version %d, which is not above %d", from, now)
		}
		rows, err := losing(ctx, db, sources, taken, now)
		if err != nil {
			return err
		}
		if len(rows) > 0 && !force {
			return ml.Errorf(ml.CodeConflict, "what the steps above version %d keep of %s would be lost: make a backup, then say --force", now, strings.Join(rows, ", "))
		}
		_, err = p.DownTo(ctx, now)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("store: take %s back: %w", path, err)
	}
	return from, now, nil
}

// dropped is a table that goes, or one of its columns, on the way down.
var dropped = regexp.MustCompile(`(?im)^(?:DROP TABLE (\w+)|ALTER TABLE (\w+) DROP COLUMN)`)

// losing tells of which tables' rows something is lost when the steps above a version are taken back.
func losing(
	ctx context.Context, db *sql.DB, sources []*goose.Source, taken map[int64]time.Time, above int64,
) (rows []string, err error) {
	var tables []string
	for _, s := range sources {
		if s.Version <= above || taken[s.Version].IsZero() {
			continue
		}
		text, err := fs.ReadFile(migrations.Files(), s.Path)
		if err != nil {
			return nil, err
		}
		_, down, _ := strings.Cut(string(text), "-- +goose Down")
		for _, m := range dropped.FindAllStringSubmatch(down, -1) {
			tables = append(tables, m[1]+m[2])
		}
	}
	slices.Sort(tables)
	for _, table := range slices.Compact(tables) {
		var n int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
			return nil, err
		}
		if n > 0 {
			rows = append(rows, fmt.Sprintf("%d %s", n, table))
		}
	}
	return rows, nil
}

// onClosed works on a database that is there, without bringing it to the present schema.
func onClosed(ctx context.Context, path string, dsn func(Options) string, work func(*sql.DB, *goose.Provider) error) (err error) {
	db := sql.OpenDB(&connector{dsn: dsn(Options{Path: path}.withDefaults()) + "&mode=rw"})
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	p, err := provider(db)
	if err != nil {
		return err
	}
	return work(db, p)
}
