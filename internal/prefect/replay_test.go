package prefect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"

	"iacontinu/internal/flowrun"
)

var record = flag.String("record", "", "address of the API of a real Prefect server, with which the recording is made anew")

// The recording is of one exchange with a real server, request by request.
const (
	recording     = "testdata/replay"
	recordingMeta = "testdata/replay.json"
)

// meta is what the recording was made of.
type meta struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

func readMeta(t *testing.T) meta {
	t.Helper()
	var m meta
	text, err := os.ReadFile(recordingMeta)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatalf("%v; make the recording by -record URL", err)
	}
	return m
}

// replay is an exchange that is recorded or replayed.
type replay struct {
	t    *testing.T
	c    *Client
	o    Options
	real *live // nil when it is replayed
}

func replaySetup(t *testing.T) *replay {
	t.Helper()
	r := &replay{t: t}
	m, address, mode := meta{}, "http://prefect.test/api", recorder.ModeReplayOnly
	if *record == "" {
		m = readMeta(t)
	} else {
		m, address, mode = meta{At: time.Now().UTC().Truncate(time.Second)}, *record, recorder.ModeRecordOnly
		r.real = &live{t: t, c: client(t, Options{URL: *record}), pool: "replayed", flow: "replayed_check"}
		r.clean()
	}
	vcr, err := recorder.New(recording, recorder.WithMode(mode), recorder.WithSkipRequestLatency(true),
		recorder.WithMatcher(matches), recorder.WithHook(trim, recorder.BeforeSaveHook))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.save(vcr, m) })
	var ids, ticks atomic.Int64
	r.o = Options{
		URL: address, Transport: vcr,
		Clock: func() time.Time { return m.At.Add(time.Duration(ticks.Add(1)) * time.Millisecond) },
		NewID: func() string { return derived("replay", m.At.String(), fmt.Sprint(ids.Add(1))) },
	}
	r.c = client(t, r.o)
	return r
}

// matches compares method, path and body: the address is the recorder's own.
func matches(r *http.Request, i cassette.Request) bool {
	want, err := url.Parse(i.URL)
	if err != nil || r.Method != i.Method || r.URL.RequestURI() != want.RequestURI() {
		return false
	}
	if r.Body == nil {
		return i.Body == ""
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && string(body) == i.Body
}

// trim leaves out what differs from recording to recording and says nothing.
func trim(i *cassette.Interaction) error {
	i.Request.Headers, i.Request.Host, i.Request.RemoteAddr = nil, "", ""
	i.Response.Headers = http.Header{"Content-Type": i.Response.Headers["Content-Type"]}
	i.Response.Duration = 0
	return nil
}

func (r *replay) save(vcr *recorder.Recorder, m meta) {
	if err := vcr.Stop(); err != nil {
		r.t.Error(err)
	}
	if r.real == nil {
		return
	}
	var err error
	if m.Version, err = r.real.c.Version(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(recordingMeta, append(text, 0x0a), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// clean takes from the real server what an earlier recording left.
func (r *replay) clean() {
	r.real.clean()
	if id, err := r.real.c.flowID(context.Background(), r.real.flow); err == nil {
		r.real.ask(http.MethodDelete, "/flows/"+id, nil, nil)
	}
	var found []struct {
		ID string `json:"id"`
	}
	r.real.ask(http.MethodPost, "/automations/filter", object{"automations": object{"name": anyOf(zombies)}}, &found)
	for _, a := range found {
		r.real.ask(http.MethodDelete, "/automations/"+a.ID, nil, nil)
	}
}

// settle waits, when it is recorded, until the real server has taken events.
func (r *replay) settle(what string, f func(*live) bool) {
	if r.real != nil {
		r.real.eventually(what, func() bool { return f(r.real) })
	}
}

func (r *replay) runner(identity string, interval time.Duration) *Runner {
	r.t.Helper()
	w, err := NewRunner(RunnerOptions{
		Client: r.c, Pool: "replayed", Flow: "replayed_check", Interval: interval, Identity: identity, Clock: r.o.Clock,
		Alive: func(id string) (bool, error) { return id == identity, nil },
		Check: func(context.Context, Request, *flowrun.Recorder) error { return nil },
		Local: func(context.Context, <-chan struct{}) error { return nil }, Owe: func(context.Context, flowrun.Run) error { return nil },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func (r *replay) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// custom asks for a run as the UI does.
func (r *replay) custom(deployment string, parameters object) string {
	r.t.Helper()
	var run serverRun
	_, err := r.c.do(r.t.Context(), request{
		operation: "custom_run", method: http.MethodPost, path: "/deployments/" + deployment + "/create_flow_run", out: &run,
		in: object{"parameters": parameters, "state": object{"type": typeScheduled, "state_details": object{"scheduled_time": stamp(r.o.Clock().Add(-time.Minute))}}},
	})
	r.must(err)
	return run.ID
}

func (r *replay) read(id string) serverRun {
	r.t.Helper()
	var run serverRun
	_, err := r.c.do(r.t.Context(), request{operation: "read_run", method: http.MethodGet, path: "/flow_runs/" + id, out: &run})
	r.must(err)
	return run
}

func (r *replay) is(id, name string) {
	r.t.Helper()
	if got := r.read(id).State; got.Name != name {
		r.t.Errorf("run is %s (%q), want %s", got.Name, got.Message, name)
	}
}

// TestARealServersAnswers replays what a real server answered, request by request, and fails if
// any request is not the one that it was asked.
func TestARealServersAnswers(t *testing.T) {
	r := replaySetup(t)
	a := r.runner("worker-1-a", time.Hour)
	id := r.setsUp(a)
	r.runsOne(a, id)
	r.reportsTwice()
	r.buriesOrphans(a, id)
	r.honoursCancels(a, id)
	r.skips(a, id)
	a.leave(t.Context())
}

// setsUp sets up three times: with nothing there, with all there, and with another interval after an
// operator has paused. It gives the deployment.
func (r *replay) setsUp(a *Runner) string {
	ctx := r.t.Context()
	read := func() (d deployment, paused bool) {
		_, err := r.c.do(ctx, request{operation: "read", method: http.MethodGet, path: "/deployments/name/replayed_check/" + defaultDeployment, out: &d})
		r.must(err)
		return d, string(d.fields["paused"]) == "true"
	}
	change := func(what string) {
		d, _ := read()
		_, err := r.c.do(ctx, request{operation: what, method: http.MethodPost, path: "/deployments/" + d.ID + "/" + what})
		r.must(err)
	}
	r.must(a.setUp(ctx))
	made, _ := read()
	switchedOff := func() bool {
		paused, err := a.pausedThere(ctx)
		r.must(err)
		return paused
	}
	if switchedOff() {
		r.t.Error("paused before anybody paused")
	}
	change("pause_deployment")
	if !switchedOff() {
		r.t.Error("a pause is not seen")
	}
	r.must(a.setUp(ctx))
	r.must(r.runner("worker-1-a", 2*time.Hour).setUp(ctx))
	d, paused := read()
	if !paused || d.ID != made.ID || len(d.Schedules) != 1 || d.Schedules[0].Schedule.Interval != 7200 {
		r.t.Errorf("paused %v, schedules %+v", paused, d.Schedules)
	}
	r.must(a.setUp(ctx))
	change("resume_deployment")
	return d.ID
}

// runsOne claims a run, twice, and shows it while it grows.
func (r *replay) runsOne(a *Runner, deployment string) {
	ctx := r.t.Context()
	id := r.custom(deployment, object{"detector": "statistical", "threshold": 0.2})
	offered, err := a.poll(ctx)
	r.must(err)
	if len(offered) == 0 || offered[0].ID != id || offered[0].AutoScheduled {
		r.t.Fatalf("offered %+v", offered)
	}
	if !a.claim(ctx, offered[0]) || a.claim(ctx, offered[0]) {
		r.t.Error("a run is claimed other than once")
	}
	reporter, ok := a.started(ctx, offered[0])
	if !ok {
		r.t.Fatal("a claimed run may not run")
	}
	rec := flowrun.NewRecorder(a.record(offered[0]), r.o.Clock)
	rec.Start(flowrun.Step{Name: "draw"}, flowrun.Step{Name: "detect", After: []string{"draw"}})
	report := func() {
		_, err := reporter.Report(ctx, rec.Snapshot())
		r.must(err)
	}
	tries := 0
	_ = rec.Step(ctx, "draw", flowrun.Retries{Times: 1}, func(context.Context) error {
		report()
		if tries++; tries == 1 {
			return errors.New("no rows")
		}
		return nil
	})
	rec.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress}, 10.0)
	report()
	rec.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress}, 100.0)
	rec.Show(flowrun.Artifact{Key: "scores", Kind: flowrun.Table, Step: "draw"}, []map[string]any{{"feature": "x", "psi": 0.1}})
	rec.End(flowrun.Completed, "no drift")
	report()
	r.is(id, "Completed")
}

// reportsTwice tells of a run by two processes that know nothing of each other.
func (r *replay) reportsTwice() {
	run := fullAt("replayed_check", r.o.Clock().Add(-time.Hour))
	first, err := r.c.Report(r.t.Context(), run)
	r.must(err)
	second, err := r.c.Report(r.t.Context(), run)
	r.must(err)
	if first != second {
		r.t.Errorf("reported as %s and as %s", first, second)
	}
	r.is(first, "Failed")
	part := fullAt("replayed_check", r.o.Clock().Add(-time.Hour))
	part.Key, part.Parent = "part", &flowrun.Parent{Flow: run.Flow, Key: run.Key, Step: "notify"}
	r.settle("the step is there", func(l *live) bool { return l.tasks(first)["notify"].ID != "" })
	id, err := r.c.Report(r.t.Context(), part)
	r.must(err)
	if got := r.read(id); got.Parent != taskRunID(first, "notify") {
		r.t.Errorf("it is part of %q", got.Parent)
	}
}

// buriesOrphans has a second worker find what the first left.
func (r *replay) buriesOrphans(a *Runner, deployment string) {
	ctx := r.t.Context()
	id := r.custom(deployment, object{})
	run := serverRun{ID: id, Expected: r.o.Clock()}
	if !a.claim(ctx, run) {
		r.t.Fatal("not claimed")
	}
	a.handBack(ctx, run, "its worker stopped")
	r.is(id, "Scheduled")
	if !a.claim(ctx, run) {
		r.t.Fatal("not claimed again")
	}
	reporter, _ := a.started(ctx, run)
	rec := flowrun.NewRecorder(a.record(run), r.o.Clock)
	rec.Start(flowrun.Step{Name: "draw"})
	_, err := reporter.Report(ctx, rec.Snapshot())
	r.must(err)
	r.settle("the step is there", func(l *live) bool { return len(l.tasks(id)) == 1 })
	r.must(r.runner("worker-2-b", time.Hour).sweep(ctx))
	r.is(id, "Crashed")
	r.settle("the step crashed", func(l *live) bool { return l.tasks(id)["draw"].State.Name == "Crashed" })
}

// honoursCancels ends a cancelled run that nobody has.
func (r *replay) honoursCancels(a *Runner, deployment string) {
	ctx := r.t.Context()
	id := r.custom(deployment, object{})
	for _, p := range []proposal{{Type: typePending, Name: "Pending", Transition: r.o.NewID()}, {Type: typeCancelling, Name: "Cancelling", Force: true, Transition: r.o.NewID()}} {
		_, err := r.c.propose(ctx, id, p)
		r.must(err)
	}
	r.must(a.watch(ctx))
	r.is(id, "Cancelling")
	r.must(a.watch(ctx))
	r.is(id, "Cancelled")
}

// skips ends a run of a backlog.
func (r *replay) skips(a *Runner, deployment string) {
	ctx := r.t.Context()
	id := r.custom(deployment, object{})
	a.skip(ctx, []serverRun{{ID: id}}, r.o.Clock())
	r.is(id, "Skipped")
}

func TestTheRecordingIsOfTheServersVersion(t *testing.T) {
	if *server == "" {
		t.Skip("no -server")
	}
	got, err := client(t, Options{URL: *server, AuthString: *auth}).Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := readMeta(t).Version; got != want {
		t.Errorf("the server is Prefect %s and the recording of %s: make it anew by -record %s", got, want, *server)
	}
}
