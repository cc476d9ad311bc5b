package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// TestMain lets the test binary be its own child process.
func TestMain(m *testing.M) {
	if role := os.Getenv("STORE_CHILD"); role != "" {
		os.Exit(child(role, os.Getenv("STORE_PATH")))
	}
	os.Exit(m.Run())
}

// child does in a process of its own what its role says, and prints what the parent waits for.
func child(role, path string) int {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Path: path, Logger: quiet()})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	switch role {
	case "open":
		fmt.Println("open")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		err = s.Close()
	case "log":
		err = logForEver(ctx, s, os.Stdout)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// startChild starts a child and gives its input, closed at the end of the test, and its output.
func startChild(t *testing.T, role, path string) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_CHILD="+role, "STORE_PATH="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, in, bufio.NewReader(out)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// setup opens a store on a new folder; change may set options first.
func setup(t *testing.T, change ...func(*store.Options)) *store.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "data", "test.db"), change...)
}

func open(t *testing.T, path string, change ...func(*store.Options)) *store.Store {
	t.Helper()
	o := store.Options{Path: path, Logger: quiet()}
	for _, f := range change {
		f(&o)
	}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, want ml.Code) {
	t.Helper()
	if ml.CodeOf(err) != want {
		t.Fatalf("error %v has code %q, want %q", err, ml.CodeOf(err), want)
	}
}

func TestOpenRefusesWrongOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]store.Options{
		"Path":        {},
		"Synchronous": {Path: "x", Synchronous: "off"},
		"BusyTimeout": {Path: "x", BusyTimeout: -time.Second},
		"Readers":     {Path: "x", Readers: 1000},
		"QueueSize":   {Path: "x", QueueSize: -1},
	} {
		if _, err := store.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("wrong %s: error is %v", name, err)
		}
	}
}

// Several processes and goroutines may open the same file in an empty folder at the same moment.
func TestManyOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "folder", "test.db")
	var outs []*bufio.Reader
	for range 3 {
		_, _, out := startChild(t, "open", path)
		outs = append(outs, out)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), store.Options{Path: path, Logger: quiet()})
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	for _, out := range outs {
		if line, err := out.ReadString('\n'); err != nil || line != "open\n" {
			t.Errorf("child: %q, %v", line, err)
		}
	}
	wg.Wait()
}

// Processes come and go: the last to close removes the write-ahead log under the next to open.
func TestOpenAndCloseAgainAndAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				s, err := store.Open(t.Context(), store.Options{Path: path, Logger: quiet()})
				if err != nil {
					t.Error(err)
					return
				}
				err = s.Audit(t.Context(), ml.AuditEntry{EventType: "test"})
				if err := errors.Join(err, s.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	_, total, err := open(t, path).AuditLog(t.Context(), ml.AuditFilter{}, 0)
	ok(t, err)
	if total != 40 {
		t.Errorf("%d entries, want 40", total)
	}
}

func TestPathMayHoldAnyCharacter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a b?c#d%20é&mode=memory.db")
	s := open(t, path)
	ok(t, s.Ping(t.Context()))
	for _, file := range []string{path, path + "-wal"} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
}

func TestSettingsOfTheFile(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"": "1", "full": "2"} {
		s := setup(t, func(o *store.Options) { o.Synchronous = setting })
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "foreign_keys": "1", "synchronous": want, "busy_timeout": "5000",
		} {
			var got string
			ok(t, s.Writer().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
			if got != want {
				t.Errorf("%s is %s, want %s", pragma, got, want)
			}
		}
	}
}

func TestBackupIsACompleteCopy(t *testing.T) {
	t.Parallel()
	s := setup(t)
	u, err := s.CreateUser(t.Context(), ml.Credentials{User: ml.User{Username: "ann", Email: "a@b.c"}})
	ok(t, err)
	path := filepath.Join(t.TempDir(), "backup.db")
	ok(t, s.Backup(t.Context(), path))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	ok(t, store.Check(t.Context(), path))
	if there, err := filepath.Glob(path + "?*"); err != nil || len(there) > 0 {
		t.Errorf("the check left %v (%v)", there, err)
	}
	got, err := open(t, path).User(t.Context(), u.ID)
	ok(t, err)
	if got != u {
		t.Errorf("the copy holds %v, want %v", got, u)
	}
	if err := s.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second backup to the same file: %v", err)
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ok(t, s.Close())
	wantCode(t, s.Log(t.Context(), &ml.Prediction{}), ml.CodeUnavailable)
	wantCode(t, s.Ping(t.Context()), ml.CodeUnavailable)
	wantCode(t, s.Audit(t.Context(), ml.AuditEntry{}), ml.CodeUnavailable)
	_, err := s.Samples(t.Context(), 1)
	wantCode(t, err, ml.CodeUnavailable)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	with := func(o *store.Options) { o.Registerer = reg }
	s := setup(t, with)
	for range 3 {
		ok(t, s.Log(t.Context(), &ml.Prediction{ID: "p", Features: []float64{1, 2}}))
	}
	families, err := reg.Gather()
	ok(t, err)
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
	}
	if got["iacontinu_store_prediction_batch_rows"] != 3 || got["iacontinu_store_prediction_commit_seconds"] <= 0 ||
		got["iacontinu_store_database_bytes"] < 4096 {
		t.Errorf("metrics are %v", got)
	}
	if _, there := got["iacontinu_store_prediction_queue_length"]; !there {
		t.Error("there is no iacontinu_store_prediction_queue_length")
	}
	ok(t, s.Close())
	setup(t, with) // a closed store leaves the registerer to the next
}
