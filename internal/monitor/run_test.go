package monitor

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

// run starts Run in a synctest bubble, 10 s after a tick, and returns what stops it and waits.
func run(t *testing.T, b *bundle) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// until sleeps in the bubble's time until so long after the start.
func until(t *testing.T, started time.Time, after time.Duration) {
	t.Helper()
	<-time.After(time.Until(started.Add(after)))
	synctest.Wait()
}

// offsets are the times of the recorded checks after the start, in seconds.
func offsets(b *bundle, started time.Time) []float64 {
	out := []float64{}
	for _, r := range b.store.recorded() {
		out = append(out, r.CreatedAt.Sub(started).Seconds())
	}
	return out
}

// bubble runs f in a synctest bubble whose clock is 10 s after a tick.
func bubble(t *testing.T, f func(t *testing.T, started time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		past := time.Duration(time.Now().UnixNano() % int64(30*time.Second))
		<-time.After(40*time.Second - past)
		f(t, time.Now())
	})
}

func TestRunTicks(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		b := setup(t, Options{Clock: time.Now})
		// Each check takes seven seconds, which must not add up.
		b.api.health = func(context.Context) error { <-time.After(7 * time.Second); return nil }
		stop := run(t, b)
		until(t, started, 105*time.Second)
		stop()
		if d := cmp.Diff([]float64{0, 20, 50, 80}, offsets(b, started)); d != "" {
			t.Errorf("checks at (-want +got):\n%s", d)
		}
	})
}

// TestRunSkipsTicks: a retraining of 65 s swallows two ticks, and the next one is kept.
func TestRunSkipsTicks(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		b := setup(t, Options{Clock: time.Now})
		b.draw = 0.1
		b.api.retrain = func(context.Context) (*ml.RetrainResult, int64, error) {
			<-time.After(65 * time.Second)
			return &ml.RetrainResult{Verdict: ml.VerdictActivated, Candidate: "v2"}, 1, nil
		}
		stop := run(t, b)
		until(t, started, 150*time.Second)
		stop()
		if d := cmp.Diff([]float64{0, 80}, offsets(b, started)); d != "" {
			t.Errorf("checks at (-want +got):\n%s", d)
		}
		for _, r := range b.store.recorded() {
			if r.Action != ml.ActionRetrained || r.Details.Duration != 65 || r.Slot != r.CreatedAt.Unix()/30 {
				t.Errorf("%+v", r)
			}
		}
	})
}

// TestRunWaitsForAnAPIThatStarts: what is not ready at the first moment is no outage, what is away later
// is one.
func TestRunWaitsForAnAPIThatStarts(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		b := setup(t, Options{Clock: time.Now})
		away := func() bool {
			at := time.Since(started)
			return at < 2*time.Second || at >= 50*time.Second && at < 51*time.Second
		}
		b.api.health = func(context.Context) error {
			if away() {
				return errors.New("connection refused")
			}
			return nil
		}
		stop := run(t, b)
		until(t, started, 60*time.Second)
		stop()
		var failed []bool
		for _, r := range b.store.recorded() {
			failed = append(failed, r.Action == ml.ActionHealthCheckFailed)
		}
		if d := cmp.Diff([]bool{false, false, true}, failed); d != "" {
			t.Errorf("failed checks (-want +got):\n%s", d)
		}
	})
}

func TestRunSurvivesErrors(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var log bytes.Buffer
		b := setup(t, Options{Clock: time.Now, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		b.store.setFail("ClaimSlot", errors.New("database is locked"))
		stop := run(t, b)
		until(t, started, 25*time.Second) // two ticks
		b.store.setFail("ClaimSlot", nil)
		until(t, started, 60*time.Second) // a third
		stop()
		if n := strings.Count(log.String(), "database is locked"); n != 2 {
			t.Errorf("two failed ticks are logged %d times:\n%s", n, log.String())
		}
		if d := cmp.Diff([]float64{50}, offsets(b, started)); d != "" {
			t.Errorf("checks at (-want +got):\n%s", d)
		}
		if n := strings.Count(log.String(), `"msg":"checked"`); n != 1 {
			t.Errorf("one check is logged %d times:\n%s", n, log.String())
		}
	})
}

// TestRunWarnsOfALockedStore once a minute, and calls it no error: it passes.
func TestRunWarnsOfALockedStore(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var log bytes.Buffer
		b := setup(t, Options{Clock: time.Now, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
		b.store.setFail("ClaimSlot", ml.Errorf(ml.CodeUnavailable, "the database is locked by another process"))
		stop := run(t, b)
		until(t, started, 85*time.Second) // ticks at 0, 20, 50 and 80
		stop()
		warned, failed := strings.Count(log.String(), `"level":"WARN"`), strings.Count(log.String(), `"level":"ERROR"`)
		if warned != 2 || failed != 0 || !strings.Contains(log.String(), "locked by another process") {
			t.Errorf("%d warnings and %d errors, want 2 and none:\n%s", warned, failed, log.String())
		}
	})
}

// TestTwoRunners share one store: each slot is checked once.
func TestTwoRunners(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		b := setup(t, Options{Clock: time.Now, Random: func() float64 { return 0.9 }})
		other := setup(t, b.opt)
		other.Monitor.opt.Record, other.Monitor.opt.History = b.store, b.store
		stopFirst, stopSecond := run(t, b), run(t, other)
		until(t, started, 100*time.Second)
		stopFirst()
		until(t, started, 160*time.Second) // the second goes on alone
		stopSecond()
		if d := cmp.Diff([]float64{0, 20, 50, 80, 110, 140}, offsets(b, started)); d != "" {
			t.Errorf("checks at (-want +got):\n%s", d)
		}
	})
}

// TestClockSetBack: the slots of the hour that comes again are claimed already; checks go on.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var back atomic.Int64
		b := setup(t, Options{Clock: func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }})
		stop := run(t, b)
		until(t, started, 25*time.Second)
		back.Store(int64(time.Hour))
		until(t, started, 85*time.Second)
		stop()
		checks := b.store.recorded()
		if len(checks) != 4 {
			t.Fatalf("%d checks, want 4", len(checks))
		}
		for i, r := range checks {
			if want := started.Unix()/30 + int64(i); r.Slot != want {
				t.Errorf("check %d has slot %d, want %d", i, r.Slot, want)
			}
		}
	})
}

// TestRestartAfterClockSetBack: a runner that begins in the hour that comes again goes on after the
// slots of those before it, beside one that never stopped, too.
func TestRestartAfterClockSetBack(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var back atomic.Int64
		b := setup(t, Options{Clock: func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }})
		stop := run(t, b)
		until(t, started, 175*time.Second) // checks at 0, 20, 50, 80, 110, 140 and 170
		stop()
		back.Store(int64(2 * time.Minute))
		other := setup(t, b.opt)
		other.Monitor.opt.Record, other.Monitor.opt.History = b.store, b.store
		stopFirst, stopSecond := run(t, b), run(t, other)
		until(t, started, 265*time.Second) // and at 200, 230 and 260
		stopFirst()
		stopSecond()
		var slots []int64
		for i, r := range b.store.recorded() {
			slots = append(slots, r.Slot-started.Unix()/30-int64(i))
		}
		if d := cmp.Diff(make([]int64, 10), slots); d != "" {
			t.Errorf("slots, less those expected (-want +got):\n%s", d)
		}
	})
}

// TestEarlyTimer: a clock that runs a hair slower than the timer must not make two checks of one tick.
func TestEarlyTimer(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, started time.Time) {
		var late atomic.Int64
		b := setup(t, Options{Clock: func() time.Time { return time.Now().Add(-time.Duration(late.Load())) }})
		stop := run(t, b)
		until(t, started, 10*time.Second)
		late.Store(int64(5 * time.Millisecond))
		until(t, started, 75*time.Second)
		stop()
		if n := len(b.store.recorded()); n != 3 {
			t.Errorf("%d checks in three ticks", n)
		}
	})
}

func TestRunStopsAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ time.Time) {
		b := setup(t, Options{Clock: time.Now})
		b.draw = 0.1
		b.api.retrain = func(ctx context.Context) (*ml.RetrainResult, int64, error) { <-ctx.Done(); return nil, 3, ctx.Err() }
		stop := run(t, b)
		synctest.Wait() // in the retraining
		stopping := time.Now()
		stop()
		if took := time.Since(stopping); took != 0 {
			t.Errorf("stopping took %v", took)
		}
		if c := b.store.recorded(); len(c) != 1 || c[0].Action != ml.ActionRetrainStarted {
			t.Errorf("recorded %+v", c)
		}
		stop = run(t, b) // and once more, between two ticks
		synctest.Wait()
		stop()
	})
}
