package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Restore copies a backup to where the settings have database, model versions and datasets, and returns
// its size in bytes. Nothing of these may be there. The database comes last: a restore that fails leaves
// nothing, and one that is killed nothing that a platform would take for its own.
func Restore(ctx context.Context, f Folder, dir string) (size int64, err error) {
	database := string(f.Database)
	from := filepath.Join(dir, filepath.Base(database))
	if _, err := os.Stat(from); err != nil {
		return 0, fmt.Errorf("%s is no backup for DATABASE_URL: %w", dir, err)
	}
	if err := f.vacant(); err != nil {
		return 0, err
	}
	part := filepath.Join(f.DataDir(), ".restore.db")
	defer func() {
		if err != nil {
			err = errors.Join(err, emptyDir(f.ModelsDir), emptyDir(f.DatasetsDir()), os.RemoveAll(part))
		}
	}()
	if err := os.MkdirAll(f.DataDir(), 0o750); err != nil {
		return 0, err
	}
	for _, tree := range []struct{ from, to string }{
		{filepath.Join(dir, "models"), f.ModelsDir}, {filepath.Join(dir, "datasets"), f.DatasetsDir()}, {from, part},
	} {
		if err := copyTree(ctx, tree.from, tree.to); err != nil {
			return 0, err
		}
		n, err := syncTree(tree.to)
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, os.Rename(part, database)
}

// vacant refuses a folder with anything in the way. A log that SQLite left would be taken for the restored
// database's.
func (f Folder) vacant() error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		path := string(f.Database) + suffix
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return inTheWay(path, err)
		}
	}
	for _, dir := range []string{f.ModelsDir, f.DatasetsDir()} {
		if there, err := os.ReadDir(dir); len(there) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return inTheWay(dir, err)
		}
	}
	return nil
}

func inTheWay(path string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s is there already: move it away, or set DATABASE_URL and MODELS_DIR to an empty folder", path)
}

// emptyDir removes what is in a folder and leaves the folder, on which a volume may be mounted.
func emptyDir(dir string) error {
	there, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range there {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}
