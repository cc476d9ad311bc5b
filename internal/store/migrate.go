package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"

	"iacontinu/migrations"
)

// migrationWait is how long a process waits for another that migrates. Folding a long prediction
// log of the earlier system into its sums takes seconds.
const migrationWait = 5 * time.Minute

// Migration is what opening a database changed.
type Migration struct {
	// From and To are the versions of the schema before and after; the same if there was nothing to do.
	// 0 is a new file, or one of the earlier system.
	From, To int64
	// Legacy is what the file of the earlier system holds, by table; nil if it was none.
	Legacy map[string]int64
}

// Migration returns what Open changed.
func (s *Store) Migration() Migration { return s.migration }

// migrate brings the database to the present schema. It runs in one process at a time.
func (s *Store) migrate(ctx context.Context) error {
	if !poll(ctx, s.turn.migrate, time.Now().Add(migrationWait)) {
		return errors.Join(errors.New("migrate: another process is migrating"), ctx.Err())
	}
	defer unlock(s.turn.migrate)
	if err := switchToWAL(ctx, s.writer, s.opt.BusyTimeout); err != nil {
		return err
	}
	p, err := provider(s.writer)
	if err != nil {
		return err
	}
	m := &s.migration
	if m.From, err = p.GetDBVersion(ctx); err != nil {
		return fmt.Errorf("migrate: read the version: %w", err)
	}
	m.To = m.From
	if m.From == 0 {
		if m.Legacy, err = s.legacyRows(ctx); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if len(done) > 0 {
		m.To = done[len(done)-1].Source.Version
		s.opt.Logger.InfoContext(ctx, "database migrated", "steps", len(done), "from", m.From, "version", m.To)
	}
	if m.Legacy != nil {
		s.logLegacy(ctx, m.Legacy)
	}
	return nil
}

// provider knows the steps of this release.
func provider(db *sql.DB) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations.Files(),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return p, nil
}

// legacyTables are those of the earlier system.
var legacyTables = [...]string{
	"users", "datasets", "dataset_samples", "models", "prediction_logs", "drift_detections", "model_training_logs", "system_logs",
}

// legacyRows counts the rows of the earlier system in a file that was never migrated; nil if it has none
// of its tables.
func (s *Store) legacyRows(ctx context.Context) (map[string]int64, error) {
	var rows map[string]int64
	for _, table := range legacyTables {
		var there bool
		if err := s.writer.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)", table).Scan(&there); err != nil {
			return nil, fmt.Errorf("look for the table %s: %w", table, err)
		}
		if !there {
			continue
		}
		var n int64
		if err := s.writer.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", table, err)
		}
		if rows == nil {
			rows = map[string]int64{}
		}
		rows[table] = n
	}
	return rows, nil
}

func (s *Store) logLegacy(ctx context.Context, rows map[string]int64) {
	var counts []any
	for _, table := range legacyTables {
		counts = append(counts, table, rows[table])
	}
	s.opt.Logger.InfoContext(ctx, "the data of the earlier system are taken over; its users keep their passwords", counts...)
	if n := rows["models"]; n > 0 {
		s.opt.Logger.WarnContext(ctx, "the models of the earlier system stay listed and can't serve: they are Python pickles; "+
			"the worker trains a first version on the rows taken over, on generated ones if those are too few, unless BOOTSTRAP is false", "models", n)
	}
}
