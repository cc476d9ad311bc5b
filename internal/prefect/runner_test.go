package prefect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/prefect/prefecttest"
)

func TestARunOfTheScheduleRunsWhenItIsDue(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", steps)
		defer stop()
		id := b.scheduled(interval)
		due := time.Now().Add(interval)
		b.passes(interval - time.Millisecond)
		if n := len(b.requests()); n != 0 {
			t.Fatalf("%d checks before the time", n)
		}
		b.passes(time.Second)
		want := []Request{{Slot: due.Unix() / 30, Due: due}}
		if diff := cmp.Diff(want, b.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		b.is(id, "Completed", "")
		if got := b.Run(id); got.PID != "ia-continu:a" {
			t.Errorf("pid %q", got.PID)
		}
		if diff := cmp.Diff([]string{"Scheduled", "Pending", "Running", "Completed"}, names(b.Run(id).History)); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if n := len(b.Tasks(id)); n != 2 {
			t.Errorf("%d steps", n)
		}
	})
}

func TestHowACheckEndsIsSeen(t *testing.T) {
	for _, test := range []struct {
		name, message string
		err           error
	}{
		{"Completed", "", nil},
		{"Failed", "no model", errors.New("no model")},
		{"Skipped", ErrTaken.Error(), fmt.Errorf("slot 3: %w", ErrTaken)},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBench(t, func(b *bench) {
				_, stop := b.runner("a", func(context.Context, *flowrun.Recorder) error { return test.err })
				defer stop()
				id := b.scheduled(0)
				b.passes(2 * time.Second)
				b.is(id, test.name, test.message)
			})
		})
	}
}

func TestParametersAreHandedOver(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", steps)
		defer stop()
		good := b.Add(prefecttest.Run{Parameters: map[string]any{"detector": "random", "threshold": 0.3, "force": true}})
		bad := b.Add(prefecttest.Run{Parameters: map[string]any{"threshold": 3.0}})
		b.passes(2 * time.Second)
		if r := b.requests(); len(r) != 1 || r[0].Parameters != (Parameters{"random", 0.3, true}) || r[0].Slot != 0 {
			t.Errorf("requests %+v", r)
		}
		b.is(good, "Completed", "")
		b.is(bad, "Failed", "threshold")
	})
}

func TestARunThatSomebodyHasRetriedIsRunAgain(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", steps)
		defer stop()
		retried := b.scheduled(0)
		b.passes(interval + 5*time.Second)
		b.is(retried, "Completed", "")
		newest := b.scheduled(0)
		b.SetState(retried, typeScheduled, "AwaitingRetry")
		b.passes(2 * time.Second)
		b.is(retried, "Completed", "")
		b.is(newest, "Completed", "")
		slots := map[int64]int{}
		for _, r := range b.requests() {
			slots[min(r.Slot, 1)]++
		}
		if slots[1] != 2 || slots[0] != 1 {
			t.Errorf("requests %+v", b.requests())
		}
	})
}

func TestTwoRunnersNeverHaveTheSameRun(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stopA := b.runner("a", steps)
		defer stopA()
		_, stopB := b.runner("b", steps)
		defer stopB()
		for range 10 {
			b.Add(prefecttest.Run{})
			b.passes(2 * time.Second)
		}
		if n := len(b.requests()); n != 10 {
			t.Errorf("10 runs were run %d times", n)
		}
	})
}

func TestAClaimWhoseAnswerIsLostIsAClaim(t *testing.T) {
	inBench(t, func(b *bench) {
		lost := false
		b.SetFault(func(r *http.Request) *prefecttest.Fault {
			if !lost && strings.HasSuffix(r.URL.Path, "/bulk_set_state") {
				lost = true
				return &prefecttest.Fault{Lost: true}
			}
			return nil
		})
		_, stop := b.runner("a", steps)
		defer stop()
		id := b.Add(prefecttest.Run{})
		b.passes(5 * time.Second)
		b.is(id, "Completed", "")
		if n := len(b.requests()); n != 1 || !lost {
			t.Errorf("%d checks", n)
		}
	})
}

func TestOfABacklogOnlyTheNewestIsRunThoughThePoolOffersOneAtATime(t *testing.T) {
	inBench(t, func(b *bench) {
		b.SetLimit(1)
		var ids []string
		for i := range 60 {
			ids = append(ids, b.scheduled(-time.Duration(61-i)*interval))
		}
		_, stop := b.runner("a", steps)
		defer stop()
		b.passes(2 * time.Second)
		b.is(ids[59], "Completed", "") // though it is late: there is none newer
		b.is(ids[0], "Skipped", "")
		b.is(ids[58], "Skipped", "")
		if n := len(b.requests()); n != 1 {
			t.Errorf("%d checks", n)
		}
	})
}

func TestOfABacklogOnlyTheNewestIsRun(t *testing.T) {
	inBench(t, func(b *bench) {
		var late []string
		for i := range 120 {
			late = append(late, b.scheduled(-time.Duration(121-i)*interval))
		}
		newest, custom := b.scheduled(-20*time.Second), b.Add(prefecttest.Run{Expected: time.Now().Add(-time.Hour)})
		ahead := b.scheduled(10 * time.Second)
		_, stop := b.runner("a", steps)
		defer stop()
		b.passes(5 * time.Second)
		for _, id := range late {
			b.is(id, "Skipped", "the check due at")
		}
		b.is(newest, "Completed", "")
		b.is(custom, "Completed", "")
		b.is(ahead, "Scheduled", "")
		if n := len(b.requests()); n != 2 {
			t.Errorf("%d checks", n)
		}
	})
}

func TestARunThatGoesOnIsNotJoinedByTheNext(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", func(ctx context.Context, _ *flowrun.Recorder) error {
			sleep(ctx, 2*interval+10*time.Second)
			return nil
		})
		defer stop()
		ids := []string{b.scheduled(0), b.scheduled(interval), b.scheduled(2 * interval)}
		b.passes(2*interval + 5*time.Second)
		b.is(ids[0], "Running", "")
		b.is(ids[1], "Scheduled", "") // what would replace it may never begin
		b.passes(10 * time.Second)
		b.is(ids[0], "Completed", "")
		b.is(ids[1], "Skipped", "")
		b.is(ids[2], "Running", "")
	})
}

func TestAnOperatorCancels(t *testing.T) {
	for _, state := range []string{typeCancelling, typeCancelled} {
		t.Run(state, func(t *testing.T) {
			inBench(t, func(b *bench) {
				_, stop := b.runner("a", untilCancelled)
				defer stop()
				id := b.Add(prefecttest.Run{})
				b.passes(5 * time.Second)
				b.is(id, "Running", "")
				b.SetState(id, state, "By hand")
				b.passes(2 * time.Second)
				b.is(id, "Cancelled", "cancelled by an operator")
				if got := b.Tasks(id)["wait"].State.Name; got != "Cancelled" {
					t.Errorf("its step is %s", got)
				}
			})
		})
	}
}

func TestACancelledRunThatNobodyHasEnds(t *testing.T) {
	inBench(t, func(b *bench) {
		b.dead["gone"] = true
		nobodys := b.Add(prefecttest.Run{State: prefecttest.State{Type: typeCancelling, Name: "Cancelling"}})
		deads := b.Add(prefecttest.Run{PID: "ia-continu:gone", State: prefecttest.State{Type: typeCancelling, Name: "Cancelling"}})
		others := b.Add(prefecttest.Run{PID: "ia-continu:b", State: prefecttest.State{Type: typeCancelling, Name: "Cancelling"}})
		_, stop := b.runner("a", steps)
		defer stop()
		b.passes(5 * time.Second)
		b.is(nobodys, "Cancelled", "")
		b.is(deads, "Cancelled", "")
		b.is(others, "Cancelling", "")
	})
}

func TestOrphansCrashWithTheirSteps(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stopGone := b.runner("gone", untilCancelled)
		running := b.Add(prefecttest.Run{})
		b.passes(5 * time.Second)
		b.dead["gone"] = true
		b.SetFault(away) // it can't tell of its end, as one that is killed
		stopGone()
		b.SetFault(nil)
		claimed := b.Add(prefecttest.Run{State: prefecttest.State{Type: typePending, Name: "Pending", Message: "claimed by ia-continu:gone"}})
		living := b.Add(prefecttest.Run{PID: "ia-continu:b", State: prefecttest.State{Type: typeRunning, Name: "Running"}})
		strange := b.Add(prefecttest.Run{PID: "kubernetes:1", State: prefecttest.State{Type: typeRunning, Name: "Running"}})
		_, stop := b.runner("a", steps)
		b.passes(time.Second)
		b.is(running, "Crashed", "its worker gone is gone")
		b.is(claimed, "Crashed", "its worker gone is gone")
		b.is(living, "Running", "")
		b.is(strange, "Running", "")
		if got := b.Tasks(running)["wait"].State.Name; got != "Crashed" {
			t.Errorf("its step is %s", got)
		}
		if diff := cmp.Diff([]string{"a"}, b.Workers()); diff != "" {
			t.Errorf("workers (-want +got):\n%s", diff)
		}
		stop()
		if n := len(b.Workers()); n != 0 {
			t.Errorf("%d workers after the stop", n)
		}
	})
}

func TestWithoutTheServerTheProcessChecksByItself(t *testing.T) {
	inBench(t, func(b *bench) {
		r, stop := b.runner("a", steps)
		mode := func() float64 { return testutil.ToFloat64(r.metrics.mode.WithLabelValues(string(LocalMode))) }
		b.passes(5 * time.Second)
		b.SetFault(away)
		b.passes(2*interval - 7*time.Second)
		if r.Mode() != ServerMode || b.local() != 0 {
			t.Errorf("mode %s before two intervals", r.Mode())
		}
		b.passes(10 * time.Second)
		if r.Mode() != LocalMode || b.local() != 1 || mode() != 1 {
			t.Errorf("mode %s after two intervals, %d local", r.Mode(), b.local())
		}
		b.SetFault(func(*http.Request) *prefecttest.Fault { return &prefecttest.Fault{Status: 503} })
		b.passes(time.Minute)
		if b.local() != 1 {
			t.Errorf("%d local", b.local())
		}
		b.SetFault(nil)
		id := b.scheduled(20 * time.Second)
		b.passes(10 * time.Second)
		if r.Mode() != LocalMode || b.local() != 1 {
			t.Errorf("mode %s before the server has a check made, %d local", r.Mode(), b.local())
		}
		b.passes(12 * time.Second)
		b.is(id, "Completed", "")
		if r.Mode() != ServerMode || b.local() != 0 || mode() != 0 {
			t.Errorf("mode %s after the outage, %d local", r.Mode(), b.local())
		}
		b.SetFault(away)
		b.passes(3 * interval)
		stop()
		if b.local() != 0 {
			t.Error("a local check goes on after the end")
		}
	})
}

func TestAServerThatIsAwayAtTheStartIsWaitedFor(t *testing.T) {
	inBench(t, func(b *bench) {
		b.SetFault(away)
		_, stop := b.runner("a", steps)
		defer stop()
		b.passes(10 * time.Second)
		b.SetFault(nil)
		b.passes(5 * time.Second)
		id := b.Add(prefecttest.Run{})
		b.passes(2 * time.Second)
		b.is(id, "Completed", "")
	})
}

func TestAServerThatGivesNoRunsIsAway(t *testing.T) {
	inBench(t, func(b *bench) {
		b.SetFault(func(r *http.Request) *prefecttest.Fault { // as SQLite under load: it reads and does not write
			if strings.HasSuffix(r.URL.Path, "set_state") {
				return &prefecttest.Fault{Status: 503}
			}
			return nil
		})
		r, stop := b.runner("a", steps)
		defer stop()
		b.passes(5 * time.Second)
		b.Add(prefecttest.Run{})
		b.passes(2*interval + 2*probeEvery)
		if r.Mode() != LocalMode {
			t.Errorf("mode %s", r.Mode())
		}
	})
}

func TestARunThatEndsWithoutTheServerIsOwed(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", func(ctx context.Context, rec *flowrun.Recorder) error {
			if err := steps(ctx, rec); err != nil {
				return err
			}
			sleep(ctx, 10*time.Second)
			return nil
		})
		defer stop()
		id := b.Add(prefecttest.Run{})
		b.passes(5 * time.Second)
		b.SetFault(away)
		b.passes(15 * time.Second)
		if owed := b.debts(); len(owed) != 1 || owed[0].ServerID != id || owed[0].State != flowrun.Completed || len(owed[0].Steps) != 2 {
			t.Fatalf("owed is %+v", owed)
		}
		b.SetFault(nil)
		b.passes(2 * sweepEvery)
		b.is(id, "Running", "") // the sweep leaves it to whom it was handed
		if _, err := client(t, Options{Transport: b.Server}).Report(b.t.Context(), b.debts()[0]); err != nil {
			t.Fatal(err)
		}
		b.is(id, "Completed", "reported at")
	})
}

func TestAStopEndsRunsAndTellsOfThem(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", untilCancelled)
		id := b.Add(prefecttest.Run{})
		b.passes(5 * time.Second)
		start := time.Now()
		stop()
		if took := time.Since(start); took > time.Second {
			t.Errorf("the stop took %s", took)
		}
		b.is(id, "Cancelled", "stopped with the process")
	})
}

func TestAStopWithoutTheServerIsInTime(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", untilCancelled)
		b.Add(prefecttest.Run{})
		b.passes(5 * time.Second)
		b.SetFault(func(*http.Request) *prefecttest.Fault { return &prefecttest.Fault{Hang: true} })
		b.passes(5 * time.Second)
		start := time.Now()
		stop()
		if took := time.Since(start); took > 7*time.Second || len(b.debts()) != 1 {
			t.Errorf("the stop took %s, owed %d", took, len(b.debts()))
		}
	})
}

func TestHeartbeatsTellThatARunGoesOn(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", untilCancelled)
		defer stop()
		b.Add(prefecttest.Run{})
		b.passes(35 * time.Second)
		if n := b.Events(heartbeatEvent); n != 4 {
			t.Errorf("%d heartbeats in 35 s", n)
		}
	})
}

func TestAPoolOfAnotherKindIsNotTaken(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	c := client(t, Options{Transport: s})
	pool := request{operation: "create_pool", method: http.MethodPost, path: "/work_pools/", in: object{"name": "ia-continu", "type": "docker"}}
	if _, err := c.do(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	r, err := NewRunner(working(c))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.setUp(t.Context()); err == nil || !strings.Contains(err.Error(), "docker") || r.ready.Load() {
		t.Errorf("error %v", err)
	}
}

func TestADeletedPoolIsMadeAnew(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stop := b.runner("a", steps)
		defer stop()
		b.passes(5 * time.Second)
		gone := true
		b.SetFault(func(r *http.Request) *prefecttest.Fault {
			if gone && strings.HasSuffix(r.URL.Path, "/get_scheduled_flow_runs") {
				gone = false
				return &prefecttest.Fault{Status: 404}
			}
			return nil
		})
		b.passes(5 * time.Second)
		if n := b.Count("GET /api/deployments/name/"); n != 2 {
			t.Errorf("set up %d times", n)
		}
	})
}

// working are options that a Runner takes.
func working(c *Client) RunnerOptions {
	return RunnerOptions{
		Client: c, Interval: interval, Identity: "a",
		Alive: func(string) (bool, error) { return true, nil },
		Check: func(context.Context, Request, *flowrun.Recorder) error { return nil },
		Local: func(context.Context, <-chan struct{}) error { return nil }, Owe: func(context.Context, flowrun.Run) error { return nil },
	}
}

func TestRunnerOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	good := working(client(t, Options{}))
	if _, err := NewRunner(good); err != nil {
		t.Fatal(err)
	}
	for want, breakIt := range map[string]func(*RunnerOptions){
		"Client": func(o *RunnerOptions) { o.Client = nil }, "Interval": func(o *RunnerOptions) { o.Interval = 1500 * time.Millisecond },
		"Identity": func(o *RunnerOptions) { o.Identity = "" }, "Owe": func(o *RunnerOptions) { o.Owe = nil },
	} {
		o := good
		breakIt(&o)
		if _, err := NewRunner(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}
