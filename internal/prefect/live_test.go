package prefect

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"iacontinu/internal/flowrun"
)

var (
	server = flag.String("server", "", "address of the API of a real Prefect server, which the live tests then use")
	auth   = flag.String("auth", "", "user:password of that server")
	python = flag.String("python", "", "a Python that has Prefect, which reads back what the live tests wrote")
)

// live is a real server, and names on it that nobody else uses.
type live struct {
	t    *testing.T
	c    *Client
	pool string
	flow string
}

func liveSetup(t *testing.T) *live {
	t.Helper()
	if *server == "" {
		t.Skip("no -server")
	}
	t.Parallel()
	c := client(t, Options{URL: *server, AuthString: *auth})
	name := "live-" + uuid.NewString()[:8]
	l := &live{t: t, c: c, pool: name, flow: name}
	t.Cleanup(l.clean)
	return l
}

func (l *live) clean() {
	ctx := context.Background()
	if id, err := l.c.flowID(ctx, l.flow); err == nil {
		_, _ = l.c.do(ctx, request{operation: "clean", method: http.MethodDelete, path: "/flows/" + id})
	}
	_, _ = l.c.do(ctx, request{operation: "clean", method: http.MethodDelete, path: "/work_pools/" + l.pool})
}

// steps is a check of two steps.
func steps(ctx context.Context, rec *flowrun.Recorder) error {
	rec.Start(flowrun.Step{Name: "draw"}, flowrun.Step{Name: "detect", After: []string{"draw"}})
	for _, name := range []string{"draw", "detect"} {
		if err := rec.Step(ctx, name, flowrun.Retries{}, func(context.Context) error {
			rec.Log(name, flowrun.Info, "%s is done", name)
			return nil
		}); err != nil {
			return err
		}
	}
	rec.Show(flowrun.Artifact{Key: "verdict", Kind: flowrun.Markdown, Step: "detect"}, "# No drift")
	return nil
}

// untilCancelled is a check that ends only when it is told to.
func untilCancelled(ctx context.Context, rec *flowrun.Recorder) error {
	rec.Start(flowrun.Step{Name: "wait"})
	return rec.Step(ctx, "wait", flowrun.Retries{}, func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
}

// worker is a Runner that runs until the test ends, or stop.
type worker struct {
	*Runner
	asked chan Request
	owed  chan flowrun.Run
	stop  func()
}

func (l *live) worker(identity string, interval time.Duration, check func(context.Context, *flowrun.Recorder) error, alive func(string) (bool, error)) *worker {
	l.t.Helper()
	w := &worker{asked: make(chan Request, 100), owed: make(chan flowrun.Run, 100)}
	if alive == nil {
		alive = func(string) (bool, error) { return true, nil }
	}
	var err error
	w.Runner, err = NewRunner(RunnerOptions{
		Client: l.c, Pool: l.pool, Flow: l.flow, Interval: interval, Identity: identity, Alive: alive,
		Check: func(ctx context.Context, r Request, rec *flowrun.Recorder) error {
			w.asked <- r
			return check(ctx, rec)
		},
		Local:  func(ctx context.Context) error { <-ctx.Done(); return nil },
		Owe:    func(_ context.Context, run flowrun.Run) error { w.owed <- run; return nil },
		Logger: slog.New(slog.NewTextHandler(l.t.Output(), nil)),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	w.stop = func() { cancel(); <-done }
	l.t.Cleanup(w.stop)
	l.eventually("the worker is set up", func() bool { return w.ready.Load() })
	return w
}

func (l *live) eventually(what string, f func() bool) {
	l.t.Helper()
	l.within(what, 20*time.Second, f)
}

func (l *live) within(what string, limit time.Duration, f func() bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for !f() {
		if !sleep(ctx, 100*time.Millisecond) {
			l.t.Fatalf("not in %s: %s", limit, what)
		}
	}
}

func (l *live) ask(method, path string, in, out any) {
	l.t.Helper()
	if _, err := l.c.do(context.Background(), request{operation: "test", method: method, path: path, in: in, out: out}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) deployment() string {
	l.t.Helper()
	var d deployment
	l.ask(http.MethodGet, "/deployments/name/"+l.flow+"/"+defaultDeployment, nil, &d)
	return d.ID
}

// pause stops the schedule, so that a test has the runs alone that it asks for.
func (l *live) pause() {
	l.t.Helper()
	l.ask(http.MethodPost, "/deployments/"+l.deployment()+"/pause_deployment", nil, nil)
}

// custom asks for a run as the UI's Custom Run does.
func (l *live) custom(parameters object) string {
	l.t.Helper()
	var run serverRun
	l.ask(http.MethodPost, "/deployments/"+l.deployment()+"/create_flow_run", object{"parameters": orEmpty(parameters), "state": object{"type": typeScheduled}}, &run)
	return run.ID
}

func (l *live) read(id string) serverRun {
	l.t.Helper()
	var run serverRun
	l.ask(http.MethodGet, "/flow_runs/"+id, nil, &run)
	return run
}

func (l *live) tasks(id string) map[string]serverTask {
	l.t.Helper()
	var tasks []serverTask
	l.ask(http.MethodPost, "/task_runs/filter", object{"flow_runs": object{"id": anyOf(id)}}, &tasks)
	out := map[string]serverTask{}
	for _, t := range tasks {
		out[t.Name] = t
	}
	return out
}

// comesTo waits for the state of a run.
func (l *live) comesTo(id, name string) serverRun {
	l.t.Helper()
	var run serverRun
	l.eventually(fmt.Sprintf("run %s is %s", id, name), func() bool {
		run = l.read(id)
		return run.State.Name == name
	})
	return run
}

func (l *live) set(id string, s object, force bool) {
	l.t.Helper()
	l.ask(http.MethodPost, "/flow_runs/"+id+"/set_state", object{"state": s, "force": force}, nil)
}

func TestLiveAScheduleIsKept(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", 5*time.Second, steps, nil)
	var slots []int64
	for range 3 {
		r := <-w.asked
		if late := time.Since(r.Due); late > time.Second || r.Due.Unix()%5 != 0 || r.Slot != r.Due.Unix()/5 {
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
}

func TestLiveAPausedDeploymentIsNoOutage(t *testing.T) {
	l := liveSetup(t)
	w := l.worker("a", 2*time.Second, steps, nil)
	<-w.asked
	l.pause()
	sleep(t.Context(), 3*time.Second) // what had begun
	for len(w.asked) > 0 {
		<-w.asked
	}
	sleep(t.Context(), 6*time.Second)
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
	if took := time.Since(start); took > 4*time.Second {
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
	sleep(t.Context(), 12*time.Second)
	b := l.worker("b", 3*time.Second, steps, nil)
	r := <-b.asked
	if late := time.Since(r.Due); late > 4*time.Second {
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

// full is a run of an hour ago that has everything, with a step that was tried again.
func full(flow string) flowrun.Run {
	return fullAt(flow, time.Now().Add(-time.Hour).Truncate(time.Millisecond))
}

func fullAt(flow string, at time.Time) flowrun.Run {
	clock := func() time.Time { at = at.Add(700 * time.Millisecond); return at }
	rec := flowrun.NewRecorder(flowrun.Run{Flow: flow, Key: "slot-1", Name: "check of noon", Parameters: map[string]any{"force": true}}, clock)
	rec.Start(flowrun.Step{Name: "health_check"}, flowrun.Step{Name: "draw", After: []string{"health_check"}},
		flowrun.Step{Name: "trigger_retrain", After: []string{"draw"}}, flowrun.Step{Name: "notify", After: []string{"draw", "trigger_retrain"}})
	tries := 0
	ctx := context.Background()
	_ = rec.Step(ctx, "health_check", flowrun.Retries{Times: 2}, func(context.Context) error {
		if tries++; tries == 1 {
			return errors.New("connection refused")
		}
		return nil
	})
	_ = rec.Step(ctx, "draw", flowrun.Retries{}, func(context.Context) error { rec.Note("draw", "drew 0.31"); return nil })
	rec.Skip("trigger_retrain", "no drift")
	_ = rec.Step(ctx, "notify", flowrun.Retries{}, func(context.Context) error { return errors.New("webhook is gone") })
	rec.Log("", flowrun.Info, "twice")
	rec.Log("", flowrun.Info, "twice")
	rec.Show(flowrun.Artifact{Key: "verdict", Kind: flowrun.Markdown, Step: "draw", Description: "what was found"}, "# No drift\n")
	rec.Show(flowrun.Artifact{Key: "scores", Kind: flowrun.Table}, []map[string]any{{"feature": "x", "psi": 0.1}})
	rec.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress}, 40.0)
	rec.Show(flowrun.Artifact{Key: "report", Kind: flowrun.Link, Description: "the report"}, "http://localhost/report")
	rec.End(flowrun.Failed, "notify failed")
	return rec.Snapshot()
}

func TestLiveARunReadsBackByPrefectsOwnClient(t *testing.T) {
	if *python == "" && *server != "" {
		t.Skip("no -python")
	}
	l := liveSetup(t)
	run := full(l.flow)
	id, err := l.c.Report(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := l.c.Report(t.Context(), run); err != nil || again != id {
		t.Fatalf("a second process reports it as %s, error %v", again, err)
	}
	l.eventually("the steps are there", func() bool { return len(l.tasks(id)) == 4 && l.tasks(id)["notify"].State.Name == "Failed" })
	want := filepath.Join(t.TempDir(), "want.json")
	text, err := json.Marshal(object{"id": id, "run": run})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(want, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), *python, "testdata/readback.py", want)
	cmd.Env = append(slices.Clone(os.Environ()), "PREFECT_API_URL="+*server, "PREFECT_API_AUTH_STRING="+*auth, "PREFECT_HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// gate is a network that can be cut.
type gate struct{ cut atomic.Bool }

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.cut.Load() {
		return nil, errors.New("no network")
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestLiveARunThatEndsInAnOutageIsToldAfterIt(t *testing.T) {
	l := liveSetup(t)
	g := &gate{}
	real := l.c
	l.c = client(t, Options{URL: *server, AuthString: *auth, Transport: g})
	cut, ended := make(chan struct{}), make(chan struct{})
	w := l.worker("a", time.Hour, func(ctx context.Context, rec *flowrun.Recorder) error {
		err := steps(ctx, rec)
		close(ended)
		<-cut
		return err
	}, nil)
	l.c = real
	id := l.custom(nil)
	<-ended
	l.comesTo(id, "Running")
	g.cut.Store(true)
	close(cut)
	run := <-w.owed
	g.cut.Store(false)
	if _, err := real.Report(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if got := l.read(id).State; got.Name != "Completed" {
		t.Errorf("state %+v", got)
	}
	var lines []serverLine
	l.ask(http.MethodPost, "/logs/filter", object{"logs": object{"flow_run_id": anyOf(id)}}, &lines)
	if len(lines) != len(run.Lines) {
		t.Errorf("%d lines, want %d", len(lines), len(run.Lines))
	}
}

// TestLiveOverhead prints what Prefect costs a check of five steps that does nothing.
func TestLiveOverhead(t *testing.T) {
	l := liveSetup(t)
	over := make(chan time.Time, 1)
	w := l.worker("a", 4*time.Second, func(ctx context.Context, rec *flowrun.Recorder) error {
		names := []string{"health_check", "draw", "detect", "trigger_retrain", "notify"}
		var all []flowrun.Step
		for _, name := range names {
			all = append(all, flowrun.Step{Name: name})
		}
		rec.Start(all...)
		for _, name := range names {
			_ = rec.Step(ctx, name, flowrun.Retries{}, func(context.Context) error { return nil })
		}
		rec.Show(flowrun.Artifact{Key: "verdict", Kind: flowrun.Markdown}, "# No drift")
		rec.Show(flowrun.Artifact{Key: "scores", Kind: flowrun.Table}, []map[string]any{{"feature": "x", "psi": 0.1}})
		rec.Log("", flowrun.Info, "no drift")
		over <- time.Now()
		return nil
	}, nil)
	for range 4 {
		r := <-w.asked
		ran := <-over
		l.eventually("it is over", func() bool { return !w.checks() })
		runs, err := l.c.find(t.Context(), "test", object{
			"work_pools": object{"name": anyOf(l.pool)}, "sort": "END_TIME_DESC", "flow_runs": object{"state": object{"type": anyOf(typeCompleted)}},
		})
		if err != nil || len(runs) == 0 {
			t.Fatal(err)
		}
		var states []struct {
			Name string    `json:"name"`
			At   time.Time `json:"timestamp"`
		}
		l.ask(http.MethodGet, "/flow_run_states/?flow_run_id="+runs[0].ID, nil, &states)
		at := map[string]time.Duration{}
		for _, s := range states {
			at[s.Name] = s.At.Sub(r.Due).Round(time.Millisecond)
		}
		t.Logf("after the due time: pending %s, running %s, checked %s, completed %s",
			at["Pending"], at["Running"], ran.Sub(r.Due).Round(time.Millisecond), at["Completed"])
		if over := at["Completed"] - at["Pending"]; over > 2*time.Second {
			t.Errorf("Prefect cost %s", over)
		}
	}
}
