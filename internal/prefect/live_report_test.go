package prefect

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"iacontinu/internal/flowrun"
)

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
	uncut := l.c
	l.c = client(t, Options{URL: *server, AuthString: *auth, Transport: g})
	cut, ended := make(chan struct{}), make(chan struct{})
	w := l.worker("a", time.Hour, func(ctx context.Context, rec *flowrun.Recorder) error {
		err := steps(ctx, rec)
		close(ended)
		<-cut
		return err
	}, nil)
	l.c = uncut
	id := l.custom(nil)
	<-ended
	l.comesTo(id, "Running")
	g.cut.Store(true)
	close(cut)
	run := <-w.owed
	g.cut.Store(false)
	if _, err := uncut.Report(t.Context(), run); err != nil {
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
		if over := at["Completed"] - at["Pending"]; over > 20*time.Second {
			t.Errorf("Prefect cost %s", over)
		}
	}
}

func TestLiveARetrainingIsShownUnderItsStep(t *testing.T) {
	l := liveSetup(t)
	parent, err := l.c.Report(t.Context(), full(l.flow))
	if err != nil {
		t.Fatal(err)
	}
	run := full(l.flow)
	run.Key, run.Name, run.Parent = "retrain-1", "retrain", &flowrun.Parent{ServerID: parent, Step: "trigger_retrain"}
	child, err := l.c.Report(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	l.eventually("all steps are there", func() bool { kinds = l.graph(parent); return len(kinds) == 4 })
	if got, want := kinds[child], "flow-run "+l.flow+" / retrain"; got != want {
		t.Errorf("the retraining is %q in %v", got, kinds)
	}
}

func TestLiveWhatIsAttachedMakesNoRun(t *testing.T) {
	l := liveSetup(t)
	run := full(l.flow)
	link := flowrun.Artifact{Key: "mlflow-run", Kind: flowrun.Link, Data: []byte(`"http://mlflow/1"`)}
	attached := flowrun.Run{Flow: run.Flow, Key: run.Key, Artifacts: []flowrun.Artifact{link}}
	if err := l.c.Attach(t.Context(), attached); err != nil {
		t.Fatal(err)
	}
	if there, err := l.c.findByKey(t.Context(), "test", run.Flow, run.Key); err != nil || there.ID != "" {
		t.Errorf("attached to nothing made %+v, error %v", there, err)
	}
	id, err := l.c.Report(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.c.Attach(t.Context(), attached); err != nil {
			t.Fatal(err)
		}
	}
	r := l.c.NewReporter()
	r.begin(id, state{}, false)
	if err := r.learnArtifacts(t.Context()); err != nil || len(r.artifacts) != len(run.Artifacts)+1 {
		t.Errorf("artifacts %+v, error %v", r.artifacts, err)
	}
	if got := l.read(id).State.Name; got != "Failed" {
		t.Errorf("the run came to %s", got)
	}
}

// graph is the kind and the label of each node of the graph that the UI draws of a run.
func (l *live) graph(id string) map[string]string {
	l.t.Helper()
	var graph struct {
		Nodes [][2]json.RawMessage `json:"nodes"`
	}
	l.ask(http.MethodGet, "/flow_runs/"+id+"/graph-v2", nil, &graph)
	kinds := map[string]string{}
	for _, n := range graph.Nodes {
		var node struct {
			ID    string `json:"id"`
			Kind  string `json:"kind"`
			Label string `json:"label"`
		}
		if err := json.Unmarshal(n[1], &node); err != nil {
			l.t.Fatal(err)
		}
		kinds[node.ID] = node.Kind + " " + node.Label
	}
	return kinds
}
