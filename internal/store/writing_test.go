package store_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

func wantTrouble(t *testing.T, s *store.Store, text string) {
	t.Helper()
	if err := s.WriteTrouble(); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("trouble: %v, want %q", err, text)
	}
}

// Whatever writes, and however it goes wrong, the store says why it can't be written.
func TestWriteTrouble(t *testing.T) {
	t.Parallel()
	writes := map[string]func(*testing.T, *store.Store) error{
		"prediction": func(t *testing.T, s *store.Store) error {
			return s.Log(t.Context(), &ml.Prediction{ID: strings.Repeat("x", 1<<16)})
		},
		"row": func(t *testing.T, s *store.Store) error {
			return s.Audit(t.Context(), ml.AuditEntry{Message: strings.Repeat("x", 1<<16)})
		},
		"transaction": func(t *testing.T, s *store.Store) error {
			_, err := s.BeginDataset(t.Context(), ml.Dataset{Name: strings.Repeat("x", 1<<16), Schema: ml.GeneratedSchema()})
			return err
		},
		"bulk": func(t *testing.T, s *store.Store) error {
			id, err := s.BeginDataset(t.Context(), ml.Dataset{Schema: ml.GeneratedSchema()})
			if err != nil {
				return err
			}
			return s.AppendSamples(t.Context(), id, columns(10_000))
		},
		"row that is asked back": func(t *testing.T, s *store.Store) error {
			var id int64
			return s.Writer().QueryRowContext(t.Context(), "INSERT INTO system_logs (message) VALUES (?) RETURNING id", strings.Repeat("x", 1<<16)).Scan(&id)
		},
		"statement of the queue": func(t *testing.T, s *store.Store) error {
			_, err := s.Writer().ExecContext(t.Context(), "INSERT INTO system_logs (message) VALUES (?)", strings.Repeat("x", 1<<16))
			return err
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range []struct {
				name, says string
				spoil      func(*testing.T, *store.Store) (mend func())
			}{
				{"full", "the disk is full", func(t *testing.T, s *store.Store) func() {
					pragma(t, s, "PRAGMA max_page_count = 1")
					return func() { pragma(t, s, "PRAGMA max_page_count = 1000000") }
				}},
				{"read-only", "readonly", func(t *testing.T, s *store.Store) func() {
					pragma(t, s, "PRAGMA query_only = ON")
					return func() { pragma(t, s, "PRAGMA query_only = OFF") }
				}},
			} {
				s := setup(t)
				ok(t, write(t, s))
				ok(t, s.WriteTrouble())
				mend := tt.spoil(t, s)
				var err error
				for i := 0; err == nil && i < 100; i++ { // until the free pages are used up
					err = write(t, s)
				}
				if err == nil {
					t.Fatalf("%s: written all the same", tt.name)
				}
				wantTrouble(t, s, tt.says)
				mend()
				ok(t, write(t, s))
			}
		})
	}
}

func TestLockIsWriteTrouble(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, path, func(o *store.Options) { o.BusyTimeout = 50 * time.Millisecond })
	unlock := lockDatabase(t, path)
	wantCode(t, s.Log(t.Context(), &ml.Prediction{ID: "p"}), ml.CodeUnavailable)
	wantTrouble(t, s, "locked by another process")
	unlock()
}

// A row that is refused for what it holds says nothing of the database.
func TestRefusedRowIsNoWriteTrouble(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if err := s.Log(t.Context(), &ml.Prediction{ID: "p", UserID: 99}); err == nil {
		t.Fatal("a prediction of nobody was logged")
	}
	ok(t, s.WriteTrouble())
}

// TestAStatementRunsOnce: who reads what a statement gives back to its end has run it once, whether or not
// the rows are closed after that.
func TestAStatementRunsOnce(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "x.db"))
	rows, err := s.Writer().QueryContext(t.Context(), "INSERT INTO system_logs (message) VALUES ('once') RETURNING id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := s.Writer().QueryRowContext(t.Context(), "SELECT count(*) FROM system_logs WHERE message = 'once'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != 1 {
		t.Errorf("the statement ran %d times", n)
	}
}
