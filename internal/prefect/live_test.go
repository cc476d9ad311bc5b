package prefect

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
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

// clean leaves the runs: the server may still have events of them to record.
func (l *live) clean() {
	ctx := context.Background()
	var d deployment
	_, err := l.c.do(ctx, request{operation: "clean", method: http.MethodGet, path: "/deployments/name/" + l.flow + "/" + defaultDeployment, out: &d})
	if err == nil {
		_, _ = l.c.do(ctx, request{operation: "clean", method: http.MethodDelete, path: "/deployments/" + d.ID})
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
		Local: func(ctx context.Context, enough <-chan struct{}) error {
			select {
			case <-ctx.Done():
			case <-enough:
			}
			return nil
		},
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

// count is the number of runs of the pool in states of these types.
func (l *live) count(types ...string) int {
	l.t.Helper()
	runs, err := l.c.find(context.Background(), "test", object{
		"work_pools": object{"name": anyOf(l.pool)}, "flow_runs": object{"state": object{"type": anyOf(types...)}},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return len(runs)
}

// late is the number of runs of the pool that were due and not run.
func (l *live) late() int {
	l.t.Helper()
	runs, err := l.c.find(context.Background(), "test", object{
		"work_pools": object{"name": anyOf(l.pool)},
		"flow_runs":  object{"state": object{"type": anyOf(typeScheduled)}, "expected_start_time": object{"before_": stamp(time.Now())}},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return len(runs)
}

func (l *live) set(id string, s object, force bool) {
	l.t.Helper()
	l.ask(http.MethodPost, "/flow_runs/"+id+"/set_state", object{"state": s, "force": force}, nil)
}
