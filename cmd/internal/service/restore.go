package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"iacontinu/internal/presence"
	"iacontinu/internal/store"
)

// Restore copies a backup to where the settings have database, model versions and datasets, and returns
// its size in bytes. Nothing of these may be there, and no process may work on the folder, nor start until
// the end. The database comes last: a restore that fails leaves nothing, and one that is killed nothing
// that a platform would take for its own.
func Restore(ctx context.Context, f Folder, dir string) (size int64, err error) {
	from := filepath.Join(dir, filepath.Base(string(f.Database)))
	if _, err := os.Stat(from); err != nil {
		return 0, fmt.Errorf("%s is no backup for DATABASE_URL: %w", dir, err)
	}
	alone, err := presence.Alone(f.DataDir())
	if err != nil {
		return 0, fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer func() { err = errors.Join(err, alone.Close()) }()
	if err := f.vacant(); err != nil {
		return 0, err
	}
	var made []string
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(made))
		}
	}()
	for _, tree := range []struct{ from, to string }{
		{filepath.Join(dir, "models"), f.ModelsDir}, {filepath.Join(dir, "datasets"), f.DatasetsDir()},
	} {
		if err := os.MkdirAll(filepath.Dir(tree.to), 0o750); err != nil {
			return 0, err
		}
		there, err := copyTree(ctx, tree.from, tree.to)
		made = append(made, there...)
		if err != nil {
			return 0, err
		}
		n, err := syncTree(tree.to)
		if err != nil {
			return 0, err
		}
		size += n
	}
	n, err := f.restoreDatabase(ctx, from)
	if err != nil {
		return 0, err
	}
	return size + n, nil
}

// restoreDatabase puts a sound database in its place, all at once.
func (f Folder) restoreDatabase(ctx context.Context, from string) (size int64, err error) {
	part, database := filepath.Join(f.DataDir(), ".restore.db"), string(f.Database)
	if err := os.RemoveAll(part); err != nil { // of a restore that was killed
		return 0, err
	}
	defer func() { _ = os.RemoveAll(part) }()           // left, it is no obstacle
	if err := copyFile(from, part, 0o600); err != nil { // password hashes are in it, whatever became of the backup's mode
		return 0, err
	}
	if err := store.Check(ctx, part); err != nil {
		return 0, fmt.Errorf("%s is damaged: %w", from, err)
	}
	if size, err = syncPath(part); err != nil {
		return 0, err
	}
	if err := os.Link(part, database); err != nil { // a rename would replace what came meanwhile
		return 0, err
	}
	if _, err := syncPath(f.DataDir()); err != nil {
		return 0, errors.Join(err, os.Remove(database))
	}
	return size, nil
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

// remove takes back what was made, last first: not the folders that were there, on which a volume may be
// mounted, nor what others put there meanwhile.
func remove(made []string) (err error) {
	for _, path := range slices.Backward(made) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
