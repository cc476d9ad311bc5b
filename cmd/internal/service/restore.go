package service

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"iacontinu/internal/presence"
	"iacontinu/internal/store"
)

// Restore copies a backup to where the settings have database, model versions and datasets, and returns
// its size in bytes. Nothing of these may be there, and no process may work on the folder, nor start until
// the end. The database comes last: a restore that fails leaves nothing, and one that is killed nothing
// that a platform would take for its own.
func Restore(ctx context.Context, f Folder, dir string) (size int64, err error) {
	return f.alone(func() (int64, error) { return f.restore(ctx, dir) })
}

// RestoreArchive is Restore of a backup that WriteBackup wrote. While it is read it lies in the data folder.
func RestoreArchive(ctx context.Context, f Folder, archive io.Reader) (size int64, err error) {
	return f.alone(func() (size int64, err error) {
		if err := f.vacant(); err != nil { // before much is read
			return 0, err
		}
		if err := removeAged(f.DataDir(), unpackedPattern, 0); err != nil { // of a restore that was killed: we are alone
			return 0, err
		}
		dir, err := os.MkdirTemp(f.DataDir(), unpackedPattern)
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if err := unpack(ctx, archive, dir); err != nil {
			return 0, fmt.Errorf("the archive is no backup, or not whole: %w", err)
		}
		return f.restore(ctx, dir)
	})
}

// unpackedPattern names the folder that an archive is unpacked to.
const unpackedPattern = ".restore-*"

// unpack writes the files of a tar archive into a folder, and nothing beyond it.
func unpack(ctx context.Context, archive io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	end := &zeros{Reader: archive}
	for r := tar.NewReader(end); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return end.whole()
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		name := filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o750)
		case tar.TypeReg:
			if err = root.MkdirAll(filepath.Dir(name), 0o750); err == nil {
				err = writeTo(root, name, r)
			}
		default:
			err = fmt.Errorf("%q is neither a file nor a folder", h.Name)
		}
		if err != nil {
			return err
		}
	}
}

// zeros counts the zero bytes that what was read ends with. An archive ends with two blocks of them, by which one that
// was cut off between two files is told from a whole one.
type zeros struct {
	io.Reader
	n int
}

// Read implements io.Reader.
func (z *zeros) Read(b []byte) (int, error) {
	n, err := z.Reader.Read(b)
	last := len(bytes.TrimRight(b[:n], "\x00"))
	if last > 0 {
		z.n = 0
	}
	z.n += n - last
	return n, err
}

func (z *zeros) whole() error {
	if z.n < 2*512 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func writeTo(root *os.Root, name string, r io.Reader) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}

// removeAged removes what is in a folder under such names and has not changed for so long.
func removeAged(dir, pattern string, age time.Duration) error {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	for _, path := range found {
		if info, errStat := os.Stat(path); errStat == nil && time.Since(info.ModTime()) >= age {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// alone does something with the folder while no process works on it.
func (f Folder) alone(do func() (int64, error)) (size int64, err error) {
	alone, err := presence.Alone(f.DataDir())
	if err != nil {
		return 0, fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer func() { err = errors.Join(err, alone.Close()) }()
	return do()
}

// restore is Restore of a folder that nobody works on.
func (f Folder) restore(ctx context.Context, dir string) (size int64, err error) {
	from := filepath.Join(dir, filepath.Base(string(f.Database)))
	if _, err := os.Stat(from); err != nil {
		return 0, fmt.Errorf("%s is no backup for DATABASE_URL: %w", dir, err)
	}
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
