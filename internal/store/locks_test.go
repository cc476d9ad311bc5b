package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// lockDatabase takes SQLite's write lock as a stranger would, who knows no turnstile.
func lockDatabase(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", path+"?_txlock=immediate")
	ok(t, err)
	tx, err := db.BeginTx(t.Context(), nil)
	ok(t, err)
	return func() {
		ok(t, tx.Rollback())
		ok(t, db.Close())
	}
}

// A stranger's lock only delays, if it ends within the busy timeout.
func TestLockedDatabaseDelays(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, path)
	unlock := lockDatabase(t, path)
	results := make(chan error, 3)
	go func() { results <- s.Log(ctx, &ml.Prediction{ID: "p"}) }()
	go func() { results <- s.Audit(ctx, ml.AuditEntry{EventType: "x"}) }()
	go func() { _, err := s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()}); results <- err }()
	if _, _, err := s.History(ctx, store.HistoryFilter{}); err != nil { // who reads does not wait
		t.Error(err)
	}
	select {
	case err := <-results:
		t.Errorf("written under a stranger's lock: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	unlock()
	for range 3 {
		ok(t, <-results)
	}
}

// A stranger's lock that does not end is reported, and harms nothing.
func TestLockedTooLongIsUnavailable(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, path, func(o *store.Options) { o.BusyTimeout = 200 * time.Millisecond })
	id, err := s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()})
	ok(t, err)
	unlock := lockDatabase(t, path)
	wantCode(t, s.Log(ctx, &ml.Prediction{ID: "p"}), ml.CodeUnavailable)
	wantCode(t, s.LogBatch(ctx, make([]ml.Prediction, 2)), ml.CodeUnavailable)
	wantCode(t, s.Audit(ctx, ml.AuditEntry{}), ml.CodeUnavailable)
	wantCode(t, s.AppendSamples(ctx, id, columns(5)), ml.CodeUnavailable)
	_, err = s.Activate(ctx, "v1", "x", nil)
	wantCode(t, err, ml.CodeUnavailable)
	unlock()
	ok(t, s.Log(ctx, &ml.Prediction{ID: "p"}))
	ok(t, s.AppendSamples(ctx, id, columns(5)))
	if stats, err := s.Stats(ctx, 0); err != nil || stats.Total != 1 {
		t.Errorf("%d predictions, %v", stats.Total, err)
	}
}

// TestWaitersInVainAreToldTheSame: it is by chance whether one waits for the lock or for the connection of
// another who does.
func TestWaitersInVainAreToldTheSame(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, path, func(o *store.Options) { o.BusyTimeout = 50 * time.Millisecond })
	unlock := lockDatabase(t, path)
	forLock := s.Log(ctx, &ml.Prediction{ID: "p"})
	unlock()
	conn, err := s.Writer().Conn(ctx)
	ok(t, err)
	forConn, batch := s.Log(ctx, &ml.Prediction{ID: "p"}), s.LogBatch(ctx, make([]ml.Prediction, 2))
	ok(t, conn.Close())
	for _, err := range []error{forLock, forConn, batch} {
		var told *ml.Error
		if !errors.As(err, &told) || told.Code != ml.CodeUnavailable || told.Message != "the database is locked by another process" {
			t.Errorf("%v", err)
		}
	}
}

// Two stores on one file, as two processes have, write all kinds of things at once.
func TestTwoStoresWriteAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "test.db")
	stores := []*store.Store{open(t, path), open(t, path)}
	var wg sync.WaitGroup
	for i := range 16 {
		s := stores[i%2]
		wg.Go(func() {
			for j := range 20 {
				var err error
				switch i / 4 {
				case 0:
					err = s.Log(ctx, &ml.Prediction{ID: fmt.Sprint(i, j), ModelVersion: "v1"})
				case 1:
					err = s.Audit(ctx, ml.AuditEntry{EventType: "x"})
				case 2:
					err = s.SetProgress(ctx, int64(i), "train", float64(j)/20)
				case 3:
					var id int64
					if id, err = s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()}); err == nil {
						err = s.AppendSamples(ctx, id, columns(100))
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var samples int
	ok(t, stores[0].Writer().QueryRowContext(ctx, "SELECT COUNT(*) FROM dataset_samples").Scan(&samples))
	if samples != 4*20*100 {
		t.Errorf("%d samples, want %d", samples, 4*20*100)
	}
}

// logForEver logs predictions from many callers and prints the id of each that is acknowledged.
func logForEver(ctx context.Context, s *store.Store, out io.Writer) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make(chan error, 32)
	for c := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", c, i)
				if err := s.Log(ctx, &ml.Prediction{ID: id, ModelVersion: "v1", Features: []float64{1, 2}}); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				_, err := fmt.Fprintln(out, id)
				mu.Unlock()
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	return <-errs
}

// What is acknowledged survives kill -9.
func TestAcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	cmd, _, out := startChild(t, "log", path)
	var acknowledged []string
	for len(acknowledged) < 2000 {
		acknowledged = append(acknowledged, readID(t, out))
	}
	ok(t, cmd.Process.Kill())
	for { // what it wrote before it died is in the pipe
		line, err := out.ReadString('\n')
		if err != nil {
			break
		}
		acknowledged = append(acknowledged, strings.TrimSpace(line))
	}
	s := open(t, path)
	rows, total, err := s.History(t.Context(), store.HistoryFilter{Limit: 1 << 20})
	ok(t, err)
	stored := make(map[string]bool, len(rows))
	for _, r := range rows {
		stored[r.ID] = true
	}
	for _, id := range acknowledged {
		if !stored[id] {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	if total != int64(len(rows)) {
		t.Errorf("the sums say %d of %d rows", total, len(rows))
	}
}

func readID(t *testing.T, out *bufio.Reader) string {
	t.Helper()
	line, err := out.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		t.Fatalf("child: %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

// A database that may not grow refuses, keeps what it has, and goes on when there is room again.
func TestFullDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	id, err := s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()})
	ok(t, err)
	ok(t, s.LogBatch(ctx, make([]ml.Prediction, 10)))
	pragma(t, s, "PRAGMA max_page_count = 1") // no more than there are
	checkFull(t, s, id)
	pragma(t, s, "PRAGMA max_page_count = 1000000")
	checkRoom(t, s, id)
}

func pragma(t *testing.T, s *store.Store, text string) {
	t.Helper()
	_, err := s.Writer().ExecContext(t.Context(), text)
	ok(t, err)
}

// A disk without space is the same to who writes. It takes the right to mount one.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	ctx := t.Context()
	s := open(t, filepath.Join(dir, "test.db"))
	t.Cleanup(func() { ok(t, s.Close()) })
	id, err := s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()})
	ok(t, err)
	ok(t, s.LogBatch(ctx, make([]ml.Prediction, 10)))
	filler := filepath.Join(dir, "filler")
	for chunk := 1 << 16; chunk > 0; chunk /= 16 {
		fill(t, filler, chunk)
	}
	checkFull(t, s, id)
	ok(t, os.Remove(filler))
	checkRoom(t, s, id)
}

// fill appends chunks to a file until there is no space for another.
func fill(t *testing.T, path string, chunk int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ok(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, chunk))
	}
	_ = f.Close()
}

// checkFull writes in each way until there is no space, and expects to be told so.
func checkFull(t *testing.T, s *store.Store, id int64) {
	t.Helper()
	ctx := t.Context()
	long := strings.Repeat("x", 1<<16)
	for name, write := range map[string]func() error{
		"samples":    func() error { return s.AppendSamples(ctx, id, columns(10_000)) },
		"batch":      func() error { return s.LogBatch(ctx, []ml.Prediction{{ID: long}, {ID: long}}) },
		"prediction": func() error { return s.Log(ctx, &ml.Prediction{ID: long}) },
		"audit":      func() error { return s.Audit(ctx, ml.AuditEntry{Message: long}) },
	} {
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			err = write()
		}
		if ml.CodeOf(err) != ml.CodeStorageFull {
			t.Errorf("%s on a full disk: %v", name, err)
		}
	}
	if _, err := s.BuildingDatasets(ctx); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
}

// checkRoom expects that all is well, with every acknowledged row there and none of the others.
func checkRoom(t *testing.T, s *store.Store, id int64) {
	t.Helper()
	ctx := t.Context()
	ok(t, s.Log(ctx, &ml.Prediction{ID: "after"}))
	ok(t, s.AppendSamples(ctx, id, columns(100)))
	ok(t, s.FinishDataset(ctx, ml.Dataset{ID: id, Samples: 100}))
	if got, err := s.Samples(ctx, id); err != nil || got.Len()%10_000 != 100 {
		t.Errorf("%d samples, want whole batches and 100, %v", got.Len(), err)
	}
	rows, total, err := s.History(ctx, store.HistoryFilter{Limit: 1 << 20})
	ok(t, err)
	if total != int64(len(rows)) || total < 11 {
		t.Errorf("the sums say %d of %d predictions", total, len(rows))
	}
	var verdict string
	ok(t, s.Writer().QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("integrity: %s", verdict)
	}
}
