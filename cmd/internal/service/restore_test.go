package service

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/presence"
)

// backupDir is a folder that Backup made, and where to restore it.
func backupDir(t *testing.T) (dir string, f Folder) {
	t.Helper()
	p, err := Open(t.Context(), killFolder(t.TempDir()), "cli", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.Folder.ModelsDir, "v1", "model.json"))
	write(t, filepath.Join(p.Folder.DatasetsDir(), "1.parquet"))
	dir = filepath.Join(t.TempDir(), "backup")
	if _, err = p.Backup(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	f = killFolder(filepath.Join(to, "data"))
	f.ModelsDir = filepath.Join(to, "models")
	return dir, f
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(path), 0o600); err != nil {
		t.Fatal(err)
	}
}

// untouched checks that a file is as write made it.
func untouched(t *testing.T, path string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || string(text) != path {
		t.Errorf("%s is not what it was: %q, %v", path, text, err)
	}
}

// paused starts to restore a backup and stops when the first dataset is to be copied, until goOn is called.
func paused(ctx context.Context, t *testing.T, f Folder, dir string) (goOn func() error) {
	t.Helper()
	pipe := filepath.Join(dir, "datasets", "0.parquet")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, reading := make(chan error, 1), make(chan *os.File, 1)
	go func() {
		_, err := Restore(ctx, f, dir)
		ended <- err
	}()
	go func() {
		w, _ := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the reader
		reading <- w
	}()
	select {
	case w := <-reading:
		return func() error {
			_ = w.Close()
			return <-ended
		}
	case err := <-ended:
		t.Fatalf("it did not come to the datasets: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("it does not come to the datasets")
	}
	return nil
}

func TestRestoreRefusesWhatIsThere(t *testing.T) {
	t.Parallel()
	dir, f := backupDir(t)
	for _, path := range []string{
		string(f.Database), string(f.Database) + "-wal", string(f.Database) + "-shm", string(f.Database) + "-journal",
		filepath.Join(f.DatasetsDir(), "7.parquet"), filepath.Join(f.ModelsDir, "v7", "model.json"),
	} {
		write(t, path)
		if _, err := Restore(t.Context(), f, dir); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("with %s: %v", path, err)
		}
		untouched(t, path)
		if err := errors.Join(os.RemoveAll(f.ModelsDir), os.RemoveAll(f.DataDir())); err != nil {
			t.Fatal(err)
		}
	}
	write(t, f.secretFile()) // not in the way
	if _, err := Restore(t.Context(), f, dir); err != nil {
		t.Error(err)
	}
	f.Database += "2"
	if _, err := Restore(t.Context(), f, dir); err == nil || !strings.Contains(err.Error(), "is no backup for DATABASE_URL") {
		t.Errorf("a database by another name: %v", err)
	}
}

func TestRestoreHasTheFolderForItself(t *testing.T) {
	t.Parallel()
	dir, f := backupDir(t)
	worker, err := presence.Join(f.DataDir(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), f, dir); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), worker.ID()) {
		t.Errorf("restored beside a worker: %v", err)
	}
	if err := errors.Join(f.vacant(), worker.Close()); err != nil {
		t.Error(err)
	}

	goOn := paused(t.Context(), t, f, dir)
	if _, err := Open(t.Context(), f, "api", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("a process started meanwhile: %v", err)
	}
	if _, err := os.Stat(filepath.Join(f.ModelsDir, "v1", "model.json")); err != nil {
		t.Errorf("the models come before the datasets: %v", err)
	}
	if there, err := filepath.Glob(filepath.Join(f.DataDir(), "*.db")); err != nil || len(there) > 0 {
		t.Errorf("%v is there before the datasets are (%v)", there, err)
	}
	if err := goOn(); err != nil {
		t.Fatal(err)
	}
	p, err := Open(t.Context(), f, "api", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// Others read neither the password hashes nor what was private before, and the size is that of the whole.
func TestRestoreKeepsPrivateWhatIsPrivate(t *testing.T) {
	t.Parallel()
	dir, f := backupDir(t)
	if err := os.Chmod(filepath.Join(dir, "platform.db"), 0o644); err != nil { // as copied from another machine
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "models", "v1", "model.json"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "datasets", "1.parquet"), 0o400); err != nil { // write-protected
		t.Fatal(err)
	}
	size, err := Restore(t.Context(), f, dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		string(f.Database): 0o600, filepath.Join(f.DatasetsDir(), "1.parquet"): 0o600, filepath.Join(f.ModelsDir, "v1", "model.json"): 0o640,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Fatalf("%s: %v, %v; want %v", path, info, err, want)
		}
		size -= info.Size()
	}
	if size != 0 {
		t.Errorf("the size is wrong by %d bytes", size)
	}
}

func TestRestoreTakesBackOnlyWhatItMade(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(f Folder, cancel func()){
		"given up":             func(_ Folder, cancel func()) { cancel() },
		"a database meanwhile": func(f Folder, _ func()) { write(t, string(f.Database)) },
	} {
		dir, f := backupDir(t)
		ctx, cancel := context.WithCancel(t.Context())
		goOn := paused(ctx, t, f, dir)
		theirs := filepath.Join(f.ModelsDir, "v7", "model.json")
		write(t, theirs)
		disturb(f, cancel)
		if err := goOn(); !errors.Is(err, context.Canceled) && !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		untouched(t, theirs)
		if _, err := os.Stat(string(f.Database)); err == nil {
			untouched(t, string(f.Database))
		}
		for _, path := range []string{filepath.Join(f.ModelsDir, "v1"), f.DatasetsDir(), filepath.Join(f.DataDir(), ".restore.db")} {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %s is left behind (%v)", name, path, err)
			}
		}
	}
}

func TestRestoreTakesSoundDatabasesOnly(t *testing.T) {
	t.Parallel()
	dir, f := backupDir(t)
	path := filepath.Join(dir, "platform.db")
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "no database": strings.Repeat("x", 4096), "cut": string(sound[:len(sound)/2]),
		"overwritten": string(sound[:4096]) + strings.Repeat("x", 4096) + string(sound[8192:]),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), f, dir); err == nil || !strings.Contains(err.Error(), path+" is damaged") {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.vacant(); err != nil {
			t.Errorf("%s: left behind: %v", name, err)
		}
	}
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(f.DataDir(), ".restore.db")) // of a restore that was killed
	if _, err := Restore(t.Context(), f, dir); err != nil {
		t.Errorf("the next time: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(f.DataDir(), ".restore.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second name of the database is left: %v", err)
	}
}

// What the system can't force to the disk shows that it was asked to.
func TestSyncTreeSyncsFilesAndFolders(t *testing.T) {
	t.Parallel()
	if _, err := syncTree("/proc/self/fdinfo"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a folder was not synced: %v", err)
	}
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := os.OpenFile(pipe, os.O_RDWR, 0) // so that who opens it need not wait
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if _, err := syncTree(dir); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a file was not synced: %v", err)
	}
}

func TestAVersionThatIsNotThereNamesTheSetting(t *testing.T) {
	t.Parallel()
	p := &Platform{Folder: Folder{ModelsDir: t.TempDir()}}
	if _, err := p.loadArtifact(ml.Version{Name: "v1"}); err == nil || !strings.Contains(err.Error(), "set it to the folder") || !strings.Contains(err.Error(), "v1") {
		t.Errorf("%v, want what to do", err)
	}
}
