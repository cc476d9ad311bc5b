package service

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// pending counts the steps that the database has yet to take.
func pending(t *testing.T, p *Platform) (n int) {
	t.Helper()
	steps, err := store.Steps(t.Context(), string(p.Folder.Database))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if s.Taken.IsZero() {
			n++
		}
	}
	return n
}

// The schema is taken back while nobody works on the folder, and a start brings it up again with all that is there.
func TestMigrateDownAndStartAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := openPlatform(t, dir)
	if err := p.Audit(t.Context(), "kept", "an entry that stays", nil); err != nil {
		t.Fatal(err)
	}
	if n := pending(t, p); n != 0 {
		t.Fatalf("beside a running platform %d steps are pending", n)
	}
	if _, _, err := MigrateDown(t.Context(), p.Folder, 0); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), "stop it first") {
		t.Fatalf("beside a running platform: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	newest, now, err := MigrateDown(t.Context(), p.Folder, 0)
	if err != nil || now != newest-1 || pending(t, p) != 1 {
		t.Fatalf("one step: from %d to %d, %d pending, %v", newest, now, pending(t, p), err)
	}
	if from, now, err := MigrateDown(t.Context(), p.Folder, 1); err != nil || from != newest-1 || now != 1 || pending(t, p) != int(newest)-1 {
		t.Fatalf("to the first: from %d to %d, %d pending, %v", from, now, pending(t, p), err)
	}
	for to, says := range map[int64]string{0: "the tables that hold the data", -1: "the tables that hold the data", 1: "not above 1", 5: "not above 5"} {
		if _, _, err := MigrateDown(t.Context(), p.Folder, to); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), says) {
			t.Errorf("from the first to %d: %v, want %q", to, err, says)
		}
	}
	p = openPlatform(t, dir)
	if m := p.Store.Migration(); m.From != 1 || m.To != newest || pending(t, p) != 0 {
		t.Errorf("started again: %+v, %d pending", m, pending(t, p))
	}
	if entries, total, err := p.Store.AuditLog(t.Context(), ml.AuditFilter{}, 10); err != nil || total != 1 {
		t.Errorf("of one entry of the audit are left %+v, %v", entries, err)
	}
}

// A step that only a newer release knows is shown, and left to that release.
func TestMigrateLeavesANewerReleasesSteps(t *testing.T) {
	t.Parallel()
	p := openPlatform(t, t.TempDir())
	if _, err := p.Store.Writer().ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	steps, err := store.Steps(t.Context(), string(p.Folder.Database))
	if err != nil {
		t.Fatal(err)
	}
	if last := steps[len(steps)-1]; last.Version != 99999 || last.Name != "" || last.Taken.IsZero() {
		t.Errorf("the newest step is %+v", last)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := MigrateDown(t.Context(), p.Folder, 0); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), "of a newer release") {
		t.Errorf("taken back by this release: %v", err)
	}
}

func TestStepsOfNoDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "no.db")
	if _, err := store.Steps(t.Context(), path); err == nil {
		t.Error("a file that is not there has steps")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking for the steps made the file: %v", err)
	}
}
