package service

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Restarted on a disk that is nearly full, a process says what is to be done, and not first that it is
// ready. It takes the right to mount a small disk.
func TestARestartOnAFullDiskIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no small disk can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	p, err := Open(t.Context(), killFolder(dir), "worker", logger)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	filler := int64(disk.Bavail)*disk.Bsize - 48<<10 // enough to open the database, not to work
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, filler), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	err = RunWorker(ctx, WorkerConfig{Process: Process{Folder: killFolder(dir)}, WorkerSettings: killSettings("")}, logger)
	for _, part := range []string{"DATABASE_URL", dir, "make room"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want an error with %q", err, part)
		}
	}
	if strings.Contains(log.String(), "msg=ready") {
		t.Errorf("it called itself ready:\n%s", log.String())
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".writable-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
