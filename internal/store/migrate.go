package store

import (
	"context"
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

// migrate brings the database to the present schema. It runs in one process at a time.
func (s *Store) migrate(ctx context.Context) error {
	if !poll(ctx, s.turn.migrate, time.Now().Add(migrationWait)) {
		return errors.Join(errors.New("migrate: another process is migrating"), ctx.Err())
	}
	defer unlock(s.turn.migrate)
	if err := switchToWAL(ctx, s.writer, s.opt.BusyTimeout); err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.writer, migrations.Files(),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if len(done) > 0 {
		s.opt.Logger.InfoContext(ctx, "database migrated",
			"steps", len(done), "version", done[len(done)-1].Source.Version)
	}
	return nil
}
