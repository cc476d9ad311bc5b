package service

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iacontinu/internal/ml"
)

// backupDir is a folder as Backup makes it, and where to restore it.
func backupDir(t *testing.T) (dir string, f Folder) {
	t.Helper()
	dir, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"db", "models/v1/model.json", "datasets/1.parquet"} {
		write(t, filepath.Join(dir, name))
	}
	return dir, Folder{Database: DatabaseURL(filepath.Join(to, "data", "db")), ModelsDir: filepath.Join(to, "models")}
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

func TestRestoreRefusesWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"data/db", "data/db-wal", "data/datasets/7.parquet", "models/v7/model.json"} {
		dir, f := backupDir(t)
		there := filepath.Join(filepath.Dir(f.ModelsDir), name)
		write(t, there)
		if _, err := Restore(t.Context(), f, dir); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("with %s: %v", name, err)
		}
		if text, err := os.ReadFile(there); err != nil || string(text) != there {
			t.Errorf("%s is not what it was: %q, %v", name, text, err)
		}
	}
	dir, f := backupDir(t)
	write(t, f.secretFile()) // not in the way
	if _, err := Restore(t.Context(), f, dir); err != nil {
		t.Error(err)
	}
	f.Database += "2"
	if _, err := Restore(t.Context(), f, dir); err == nil || !strings.Contains(err.Error(), "is no backup for DATABASE_URL") {
		t.Errorf("a database by another name: %v", err)
	}
}

func TestRestoreLeavesNothingAfterAnError(t *testing.T) {
	t.Parallel()
	dir, f := backupDir(t)
	write(t, filepath.Join(f.DataDir(), ".restore.db", "x")) // what is copied last can't be
	if _, err := Restore(t.Context(), f, dir); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("restored over a folder: %v", err)
	}
	if err := f.vacant(); err != nil {
		t.Errorf("left behind: %v", err)
	}
	if _, err := Restore(t.Context(), f, dir); err != nil {
		t.Errorf("the next time: %v", err)
	}
}

func TestAVersionThatIsNotThereNamesTheSetting(t *testing.T) {
	t.Parallel()
	p := &Platform{Folder: Folder{ModelsDir: t.TempDir()}}
	if _, err := p.loadArtifact(ml.Version{Name: "v1"}); err == nil || !strings.Contains(err.Error(), "set it to the folder") || !strings.Contains(err.Error(), "v1") {
		t.Errorf("%v, want what to do", err)
	}
}
