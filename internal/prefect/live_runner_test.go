package prefect

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/flowrun"
)

func TestLiveAScheduleIsKept(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", 5*time.Second, steps, nil)
	var slots []int64
	for range 3 {
		r := <-w.asked
		if late := time.Since(r.Due); late > 4*time.Second || r.Due.Unix()%5 != 0 || r.Slot != r.Due.Unix()/5 {
			t.Errorf("slot %d, due %s, late by %s", r.Slot, r.Due, late)
		}
		slots = append(slots, r.Slot)
	}
	if slots[1] != slots[0]+1 || slots[2] != slots[1]+1 {
		t.Errorf("slots are %v", slots)
	}
	l.pause()
	runs, err := l.c.find(t.Context(), "test", object{"work_pools": object{"name": anyOf(l.pool)}, "flow_runs": object{"state": object{"type": anyOf(typeCompleted)}}})
	if err != nil || len(runs) < 2 {
		t.Fatalf("%d runs completed, error %v", len(runs), err)
	}
	l.eventually("both steps are there", func() bool {
		tasks := l.tasks(runs[0].ID)
		return tasks["draw"].State.Name == "Completed" && tasks["detect"].State.Name == "Completed"
	})
}

func TestLiveASecondSetupTouchesNothing(t *testing.T) {
	l := liveSetup(t)
	l.worker("a", time.Hour, steps, nil).stop()
	l.pause()
	var before, after map[string]any
	path := "/deployments/name/" + l.flow + "/" + defaultDeployment
	l.ask(http.MethodGet, path, nil, &before)
	l.worker("b", time.Hour, steps, nil).stop()
	l.ask(http.MethodGet, path, nil, &after)
	if before["updated"] != after["updated"] || after["paused"] != true {
		t.Errorf("updated %v, then %v; paused %v", before["updated"], after["updated"], after["paused"])
	}
	l.worker("c", 2*time.Hour, steps, nil).stop()
	var d deployment
	l.ask(http.MethodGet, path, nil, &d)
	if len(d.Schedules) != 1 || d.Schedules[0].Schedule.Interval != 7200 {
		t.Errorf("schedules are %+v", d.Schedules)
	}
}

func TestLiveACustomRunHasItsParameters(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", time.Hour, steps, nil)
	id := l.custom(object{"detector": "statistical", "threshold": 0.25, "force": true})
	r := <-w.asked
	if want := (Parameters{"statistical", 0.25, true}); r.Parameters != want || r.Slot != 0 {
		t.Errorf("asked for %+v", r)
	}
	l.comesTo(id, "Completed")
	_, err := l.c.do(t.Context(), request{
		operation: "test", method: http.MethodPost, path: "/deployments/" + l.deployment() + "/create_flow_run",
		in: object{"parameters": object{"threshold": 2}},
	})
	if !answered(err, http.StatusConflict) {
		t.Errorf("a threshold of 2: %v", err)
	}
	_, err = l.c.do(t.Context(), request{
		operation: "test", method: http.MethodPost, path: "/deployments/" + l.deployment() + "/create_flow_run",
		in: object{"parameters": object{"treshold": 0.2}},
	})
	if !answered(err, http.StatusConflict) {
		t.Errorf("a parameter that nobody knows: %v", err)
	}
}

func TestLiveARunThatSomebodyHasRetriedIsRunAgain(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", 5*time.Second, steps, nil)
	<-w.asked
	l.pause()
	l.eventually("it is over", func() bool { return !w.checks() })
	runs, err := l.c.find(t.Context(), "test", object{"work_pools": object{"name": anyOf(l.pool)}, "flow_runs": object{"state": object{"type": anyOf(typeCompleted)}}})
	if err != nil || len(runs) == 0 {
		t.Fatal(err)
	}
	for len(w.asked) > 0 {
		<-w.asked
	}
	var first serverTask
	l.eventually("its step is there", func() bool { first = l.tasks(runs[0].ID)["draw"]; return first.State.Name == "Completed" })
	l.set(runs[0].ID, object{"type": typeScheduled, "name": "AwaitingRetry"}, true)
	if r := <-w.asked; r.Slot != 0 {
		t.Errorf("it is of slot %d", r.Slot)
	}
	l.comesTo(runs[0].ID, "Completed")
	l.eventually("its steps are newer", func() bool {
		draw := l.tasks(runs[0].ID)["draw"]
		return draw.State.Name == "Completed" && draw.Start.After(first.Start)
	})
}

func TestLiveAPausedDeploymentIsNoOutage(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", 2*time.Second, steps, nil)
	<-w.asked
	l.pause()
	l.eventually("what had begun has ended", func() bool { return l.count(typeScheduled, typePending, typeRunning) == 0 && !w.checks() })
	for len(w.asked) > 0 {
		<-w.asked
	}
	polls := func() float64 { return testutil.ToFloat64(l.c.metrics.requests.WithLabelValues("poll", outcomeOK)) }
	before := polls()
	l.eventually("more than two intervals have passed", func() bool { return polls() > before+5 })
	if len(w.asked) > 0 || w.Mode() != ServerMode {
		t.Errorf("%d runs while paused, mode %s", len(w.asked), w.Mode())
	}
	l.ask(http.MethodPost, "/deployments/"+l.deployment()+"/resume_deployment", nil, nil)
	select {
	case <-w.asked:
	case <-time.After(30 * time.Second):
		t.Error("no run after the pause")
	}
}

func TestLiveADeletedDeploymentIsMadeAnew(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", 2*time.Second, steps, nil)
	<-w.asked
	gone := l.deployment()
	l.ask(http.MethodDelete, "/deployments/"+gone, nil, nil)
	var d deployment
	l.within("it is there again", 40*time.Second, func() bool {
		path := "/deployments/name/" + l.flow + "/" + defaultDeployment
		_, err := l.c.do(t.Context(), request{operation: "test", method: http.MethodGet, path: path, out: &d})
		return err == nil && d.ID != gone
	})
	for len(w.asked) > 0 {
		<-w.asked
	}
	select {
	case <-w.asked:
	case <-time.After(40 * time.Second):
		t.Error("no run of the new one")
	}
}

func TestLiveARunningRunIsCancelled(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", time.Hour, untilCancelled, nil)
	id := l.custom(nil)
	<-w.asked
	l.comesTo(id, "Running")
	l.eventually("the step runs", func() bool { return l.tasks(id)["wait"].State.Name == "Running" })
	start := time.Now()
	l.set(id, object{"type": typeCancelling}, true)
	run := l.comesTo(id, "Cancelled")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if run.State.Message != flowrun.ErrCancelled.Error() {
		t.Errorf("message %q", run.State.Message)
	}
	l.eventually("the step is cancelled", func() bool { return l.tasks(id)["wait"].State.Name == "Cancelled" })
}

func TestLiveACancelledRunThatNobodyHasEnds(t *testing.T) {
	l := liveSetup(t)
	l.worker("a", time.Hour, steps, nil).stop()
	pending, dead := l.custom(nil), l.custom(nil)
	l.set(pending, object{"type": typePending}, false)
	l.set(dead, object{"type": typePending}, false)
	l.ask(http.MethodPatch, "/flow_runs/"+dead, object{"infrastructure_pid": pidPrefix + "dead"}, nil)
	for _, id := range []string{pending, dead} {
		l.set(id, object{"type": typeCancelling}, true)
	}
	l.worker("b", time.Hour, steps, func(id string) (bool, error) { return id == "b", nil })
	l.comesTo(pending, "Cancelled")
	l.comesTo(dead, "Cancelled")
}

func TestLiveOrphansCrashAndTheLivingDoNot(t *testing.T) {
	l := liveSetup(t)
	a := l.worker("a", time.Hour, untilCancelled, nil)
	orphan := l.custom(nil)
	<-a.asked
	l.eventually("the step runs", func() bool { return l.tasks(orphan)["wait"].State.Name == "Running" })
	living := l.custom(nil)
	<-a.asked
	l.comesTo(living, "Running")
	l.ask(http.MethodPatch, "/flow_runs/"+orphan, object{"infrastructure_pid": pidPrefix + "dead"}, nil)
	l.worker("b", time.Hour, steps, func(id string) (bool, error) { return id == "a", nil })
	run := l.comesTo(orphan, "Crashed")
	if run.State.Message != "its worker dead is gone" {
		t.Errorf("message %q", run.State.Message)
	}
	l.eventually("its step crashed", func() bool { return l.tasks(orphan)["wait"].State.Name == "Crashed" })
	if got := l.read(living).State.Name; got != "Running" {
		t.Errorf("the other run is %s", got)
	}
	a.stop()
	if got := l.read(living).State; got.Name != "Cancelled" || got.Message != errStopped.Error() {
		t.Errorf("after the stop the other run is %+v", got)
	}
}

func TestLiveAConcurrencyLimitIsKept(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", time.Hour, untilCancelled, nil)
	l.ask(http.MethodPatch, "/deployments/"+l.deployment(), object{"concurrency_limit": 1}, nil)
	first := l.custom(nil)
	<-w.asked
	second := l.custom(nil)
	l.comesTo(second, "AwaitingConcurrencySlot")
	if len(w.asked) > 0 {
		t.Error("both run")
	}
	l.set(first, object{"type": typeCancelling}, true)
	l.comesTo(first, "Cancelled")
	l.within("the second runs", 50*time.Second, func() bool { return l.read(second).State.Name == "Running" })
}

func TestLiveOfABacklogOnlyTheNewestIsRun(t *testing.T) {
	l := liveSetup(t)
	a := l.worker("a", 3*time.Second, steps, nil)
	<-a.asked
	a.stop()
	l.ask(http.MethodPatch, "/work_pools/"+l.pool, object{"concurrency_limit": 1}, nil)
	l.eventually("there is a backlog", func() bool { return l.late() >= 4 })
	b := l.worker("b", 3*time.Second, steps, nil)
	r := <-b.asked
	if late := time.Since(r.Due); late > 9*time.Second {
		t.Errorf("the first run is late by %s", late)
	}
	l.eventually("the others are skipped", func() bool {
		runs, err := l.c.find(t.Context(), "test", object{"work_pools": object{"name": anyOf(l.pool)}, "flow_runs": object{"state": object{"name": anyOf("Skipped")}}})
		return err == nil && len(runs) >= 2 && runs[0].State.Message != ""
	})
}

func TestLiveTwoRunnersNeverHaveTheSameRun(t *testing.T) {
	l := liveSetup(t)
	a, b := l.worker("a", time.Hour, steps, nil), l.worker("b", time.Hour, steps, nil)
	const n = 6
	for range n {
		l.comesTo(l.custom(nil), "Completed")
	}
	if got := len(a.asked) + len(b.asked); got != n {
		t.Errorf("%d runs were run %d times", n, got)
	}
}

func TestLiveARunThatFallsSilentCrashes(t *testing.T) {
	l := liveSetup(t)
	l.worker("a", time.Hour, steps, nil) // it makes the automation
	report := func(key string) (string, *flowrun.Recorder) {
		rec := flowrun.NewRecorder(flowrun.Run{Flow: l.flow, Key: key, Name: key}, nil)
		rec.Start()
		id, err := l.c.Report(t.Context(), rec.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.c.emit(t.Context(), []object{l.c.beat(serverRun{ID: id, Name: key})}); err != nil {
			t.Fatal(err)
		}
		return id, rec
	}
	ended, rec := report("ended")
	rec.End(flowrun.Skipped, "not needed")
	if _, err := l.c.Report(t.Context(), rec.Snapshot()); err != nil {
		t.Fatal(err)
	}
	silent, _ := report("silent")
	l.within("the silent run crashes", 90*time.Second, func() bool { return l.read(silent).State.Type == typeCrashed })
	if got := l.read(ended).State.Name; got != "Skipped" {
		t.Errorf("the run that ended is %s", got)
	}
}
