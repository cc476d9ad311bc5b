package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

const (
	// keptBackups is how many backups that were made over the API are kept: each is as large as the data.
	keptBackups = 10
	// backupName is the layout of their names: the time, UTC.
	backupName = "20060102T150405Z"
)

// backups are those that are made over the API, beside the database.
type backups struct {
	*Platform
	making chan struct{} // full while one is made
}

func newBackups(p *Platform) backups { return backups{p, make(chan struct{}, 1)} }

func (b backups) dir() string { return filepath.Join(b.Folder.DataDir(), "backups") }

// Backups lists them, newest first. What has another name was not made here.
func (b backups) Backups(ctx context.Context) (out []api.Backup, kept int, err error) {
	entries, err := os.ReadDir(b.dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("list backups: %w", err)
	}
	for _, e := range slices.Backward(entries) { // sorted by name, which is the time
		at, err := time.Parse(backupName, e.Name())
		if err != nil || !e.IsDir() {
			continue
		}
		size, err := sizeOf(ctx, filepath.Join(b.dir(), e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is being removed, as the oldest
		}
		if err != nil {
			return nil, 0, fmt.Errorf("list backups: %w", err)
		}
		out = append(out, api.Backup{Name: e.Name(), CreatedAt: at, SizeBytes: size})
	}
	return out, keptBackups, nil
}

func sizeOf(ctx context.Context, dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// BackUp makes one, and then removes the oldest beyond those that are kept.
func (b backups) BackUp(ctx context.Context) (api.Backup, error) {
	select {
	case b.making <- struct{}{}:
		defer func() { <-b.making }()
	default:
		return api.Backup{}, ml.Errorf(ml.CodeConflict, "another backup is being made: wait until it is in the list").Says("error.backup_runs", nil)
	}
	at := time.Now().UTC().Truncate(time.Second)
	name := at.Format(backupName)
	if _, err := os.Stat(filepath.Join(b.dir(), name)); err == nil {
		return api.Backup{}, ml.Errorf(ml.CodeConflict, "there is a backup of this second already").Says("error.backup_twice", nil)
	}
	size, err := b.Backup(ctx, filepath.Join(b.dir(), name))
	if err != nil {
		return api.Backup{}, ml.Unwritten(fmt.Errorf("back up: %w", err), "the folder backups in the data folder")
	}
	all, _, err := b.Backups(ctx)
	if err != nil {
		return api.Backup{}, err
	}
	for _, old := range all[min(keptBackups, len(all)):] {
		if err := os.RemoveAll(filepath.Join(b.dir(), old.Name)); err != nil { // the new one is there all the same
			b.Log.WarnContext(ctx, "an old backup can't be removed", "name", old.Name, "error", err)
		}
	}
	return api.Backup{Name: name, CreatedAt: at, SizeBytes: size}, nil
}
