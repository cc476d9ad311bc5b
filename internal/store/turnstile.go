package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A turnstile lets processes write in the order in which they came. SQLite's busy wait does not: a
// waiter sleeps up to 100 ms between two looks, so that a process which commits back to back takes
// the lock again and again in front of it.
//
// There are two locks, each on a file. Who wants to write takes the queue lock, then the turn lock,
// and gives the queue lock back. So one process at most waits for the turn with the queue in its
// hands, and the one that just wrote can't come before it.
//
// It is a courtesy and no safeguard: who does not get through within the timeout, goes on, and
// SQLite's own lock decides.
type turnstile struct {
	queue, turn, migrate *os.File
	held                 atomic.Bool
}

func openTurnstile(dir string) (*turnstile, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("turnstile: %w", err)
	}
	t := &turnstile{}
	for name, f := range map[string]**os.File{"queue": &t.queue, "turn": &t.turn, "migrate": &t.migrate} {
		var err error
		if *f, err = os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o640); err != nil {
			return nil, errors.Join(fmt.Errorf("turnstile: %w", err), t.close())
		}
	}
	return t, nil
}

// enter waits for this process's turn, at most until the timeout or the end of ctx.
func (t *turnstile) enter(ctx context.Context, timeout time.Duration) {
	deadline := time.Now().Add(timeout)
	queued := poll(ctx, t.queue, deadline)
	t.held.Store(poll(ctx, t.turn, deadline))
	if queued {
		unlock(t.queue)
	}
}

// leave lets the next one in.
func (t *turnstile) leave() {
	if t.held.Swap(false) {
		unlock(t.turn)
	}
}

func (t *turnstile) close() error {
	var errs []error
	for _, f := range []*os.File{t.queue, t.turn, t.migrate} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Waits between two looks at a lock: short at first, for a commit takes less than a millisecond.
const (
	firstPoll = 20 * time.Microsecond
	lastPoll  = 200 * time.Microsecond
)

// poll takes the lock on f, looking again and again. It reports false if it has not got it by the
// deadline or the end of ctx, or if the folder has no locks. A blocking lock would wake sooner, but
// could be given up only with the thread that waits in it.
func poll(ctx context.Context, f *os.File, deadline time.Time) bool {
	got, wait := tryLock(f)
	if !wait {
		return got
	}
	delay := firstPoll
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for time.Now().Before(deadline) {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		if got, wait = tryLock(f); !wait {
			return got
		}
		delay = min(2*delay, lastPoll)
		timer.Reset(delay)
	}
	return false
}

// tryLock takes the lock of an open file if it is free, else it reports whether waiting may help.
// The lock ends with the file or with the process, however that ends.
func tryLock(f *os.File) (got, wait bool) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return err == nil, errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR)
}

// unlock gives the lock back. It can fail only for a file that is closed, which has no lock.
func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }
