package service

import (
	"context"
	"errors"
	"fmt"

	"iacontinu/internal/presence"
	"iacontinu/internal/store"
)

// MigrateDown takes back the steps of the schema above a version, or the last one for 0, and returns the versions
// before and after; force has it do so where rows lose something. No process may work on the folder, nor start until the end.
func MigrateDown(ctx context.Context, f Folder, to int64, force bool) (from, now int64, err error) {
	alone, err := presence.Alone(f.DataDir())
	if err != nil {
		return 0, 0, fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer func() { err = errors.Join(err, alone.Close()) }()
	return store.Down(ctx, string(f.Database), to, force)
}
