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
	if _, _, err := MigrateDown(t.Context(), p.Folder, 0, false); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), "stop it first") {
		t.Fatalf("beside a running platform: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	newest, now, err := MigrateDown(t.Context(), p.Folder, 0, false)
	if err != nil || now != newest-1 || pending(t, p) != 1 {
		t.Fatalf("one step: from %d to %d, %d pending, %v", newest, now, pending(t, p), err)
	}
	if from, now, err := MigrateDown(t.Context(), p.Folder, 1, true); err != nil || from != newest-1 || now != 1 || pending(t, p) != int(newest)-1 {
		t.Fatalf("to the first: from %d to %d, %d pending, %v", from, now, pending(t, p), err)
	}
	for to, says := range map[int64]string{0: "the tables that hold the data", -1: "the tables that hold the data", 1: "not above 1", 5: "not above 5"} {
		if _, _, err := MigrateDown(t.Context(), p.Folder, to, true); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), says) {
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

// What a step made goes with it: a start makes the tables again, and not what was in them. docs/operations.md has the list.
func TestMigrateDownLosesWhatTheStepsKeep(t *testing.T) {
	t.Parallel()
	const activeModel = "INSERT INTO models (version, accuracy, is_active, metrics) VALUES ('v1', 0.9, 1, '{}')"
	for name, tt := range map[string]struct {
		row, kept string // a row, and whether it is as it was
		to        int64  // loses it
		says      string
	}{
		"the active model":        {activeModel, "SELECT COUNT(*) FROM models WHERE is_active = 1", 2, "1 models"},
		"what a model is made of": {activeModel, "SELECT COUNT(*) FROM models WHERE metrics = '{}'", 2, "1 models"},
		"activations": {
			"INSERT INTO activations (version, action, actor, created_at) VALUES ('v1', 'activate', 'ann', '2026-01-02 03:04:05')",
			"SELECT COUNT(*) FROM activations", 2, "1 activations",
		},
		"features beyond two": {
			"INSERT INTO prediction_logs (feature1, features_more) VALUES (1, x'00')",
			"SELECT COUNT(features_more) FROM prediction_logs", 3, "1 prediction_logs",
		},
		"revoked tokens": {
			"INSERT INTO token_revocations (jti, user_id, expires_at) VALUES ('t', 1, '2036-01-02 03:04:05')",
			"SELECT COUNT(*) FROM token_revocations", 4, "1 token_revocations",
		},
		"what is owed": {
			"INSERT INTO outbox (service, kind, payload, created_at) VALUES ('mlflow', 'k', 'p', '2026-01-02 03:04:05')",
			"SELECT COUNT(*) FROM outbox", 5, "1 outbox",
		},
		"the installation's name": {
			"UPDATE installation SET id = 'ours'", "SELECT COUNT(*) FROM installation WHERE id = 'ours'", 7, "1 installation",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := openPlatform(t, dir)
			if _, err := p.Store.Writer().ExecContext(t.Context(), tt.row); err != nil {
				t.Fatal(err)
			}
			again := func(want int) {
				t.Helper()
				var n int
				if err := p.Store.Writer().QueryRowContext(t.Context(), tt.kept).Scan(&n); err != nil || n != want {
					t.Fatalf("%d rows are as they were, want %d; %v", n, want, err)
				}
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
			}
			again(1)
			if _, _, err := MigrateDown(t.Context(), p.Folder, tt.to, false); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("without force: %v, want %q", err, tt.says)
			}
			if n := pending(t, p); n != 0 {
				t.Errorf("refused, %d steps are taken back", n)
			}
			if _, _, err := MigrateDown(t.Context(), p.Folder, tt.to+1, true); err != nil {
				t.Fatal(err)
			}
			p = openPlatform(t, dir)
			again(1) // the step above does not touch it
			if _, _, err := MigrateDown(t.Context(), p.Folder, tt.to, true); err != nil {
				t.Fatal(err)
			}
			p = openPlatform(t, dir)
			again(0)
		})
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
	if _, _, err := MigrateDown(t.Context(), p.Folder, 0, false); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), "of a newer release") {
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
