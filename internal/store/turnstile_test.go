package store

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openTurn(t *testing.T, dir string) *turnstile {
	t.Helper()
	turn, err := openTurnstile(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = turn.close() })
	return turn
}

// waitQueued returns when some process has the queue lock.
func waitQueued(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "queue"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for deadline := time.Now().Add(10 * time.Second); unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil; {
		unlock(f)
		if time.Now().After(deadline) {
			t.Fatal("no one queues")
		}
		runtime.Gosched()
	}
}

// Who leaves and comes again at once must let those pass who waited.
func TestTurnstileLetsTheWaitingPass(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	greedy, patient := openTurn(t, dir), openTurn(t, dir)
	ctx := t.Context()
	for range 20 {
		greedy.enter(ctx, time.Minute)
		passed, left := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(left)
			patient.enter(ctx, time.Minute)
			close(passed)
			patient.leave()
		}()
		waitQueued(t, dir)
		greedy.leave()
		greedy.enter(ctx, time.Minute)
		select {
		case <-passed:
		default:
			t.Fatal("the greedy one came before the one that waited")
		}
		greedy.leave()
		<-left
	}
}

// It is a courtesy: a process that keeps it for ever does not stop the others.
func TestTurnstileGivesUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stuck, other := openTurn(t, dir), openTurn(t, dir)
	stuck.enter(t.Context(), time.Minute)
	other.enter(t.Context(), 5*time.Millisecond)
	if other.held.Load() {
		t.Error("two are inside")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other.enter(ctx, time.Minute) // returns at once
	other.leave()                 // must not let go what it does not hold
	other.enter(t.Context(), 5*time.Millisecond)
	if other.held.Load() {
		t.Error("leaving without having entered opened the turnstile")
	}
	stuck.leave()
	other.enter(t.Context(), time.Minute)
	if !other.held.Load() {
		t.Error("the turnstile stays closed")
	}
}
