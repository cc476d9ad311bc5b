package mlflow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/mlflow/mlflowtest"
)

var errCut = errors.New("the line is cut")

// cutter cuts the line at the call of a number, before the server hears of it or after it did its work,
// and lets nothing through from then on.
type cutter struct {
	next http.RoundTripper
	at   int
	late bool

	mu    sync.Mutex
	calls int
}

func (c *cutter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if c.at > 0 && (c.calls > c.at || c.calls == c.at && !c.late) {
		return nil, errCut
	}
	resp, err := c.next.RoundTrip(r)
	if c.calls != c.at {
		return resp, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return nil, errCut
}

// Wherever a delivery is cut off, the next try completes it, and nothing is there twice.
func TestTrackIsOnceWhereverItIsCut(t *testing.T) {
	t.Parallel()
	whole := &cutter{next: local{mlflowtest.New()}}
	w := newWorld()
	if _, err := w.tracker(t, Options{URL: "http://mlflow", Transport: whole}).Track(t.Context(), w.retraining(1, 2), nil, new(page).save); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d calls in all", whole.calls)
	for at := 1; at <= whole.calls; at++ {
		for _, late := range []bool{false, true} {
			cutAt(t, at, late)
		}
	}
}

func cutAt(t *testing.T, at int, late bool) {
	t.Helper()
	server, w, p := mlflowtest.New(), newWorld(), new(page)
	told := w.retraining(1, 2)
	line := &cutter{next: local{server}, at: at, late: late}
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: line})
	if _, err := tracker.Track(t.Context(), told, p.notes, p.save); !errors.Is(err, errCut) {
		t.Errorf("cut at %d: got %v", at, err)
	}
	line.at = 0
	made, err := tracker.Track(t.Context(), told, p.notes, p.save)
	if err != nil {
		t.Errorf("cut at %d (late %v): %v", at, late, err)
		return
	}
	runs, models, versions := server.Runs(), server.Models(), server.Versions()
	if len(runs) != 1 || len(models) != 1 || len(versions) != 1 {
		t.Fatalf("cut at %d (late %v): %d runs, %d models, %d versions, want one of each", at, late, len(runs), len(models), len(versions))
	}
	r := runs[0]
	if r.ID != made.ID || r.Status != runFinished || len(r.Outputs) != 1 || len(r.Datasets) != 2 || len(r.Metrics) < 20 || len(r.Params) < 10 {
		t.Errorf("cut at %d (late %v): the run is %+v", at, late, r)
	}
	if n := len(server.Files(r.ID)); n != 6 {
		t.Errorf("cut at %d (late %v): %d files of the run, want 6", at, late, n)
	}
	if n := len(server.Files("models/" + models[0].ID)); n != 6 || models[0].Status != modelReady {
		t.Errorf("cut at %d (late %v): %d files of the model, want 6, and it is %s", at, late, n, models[0].Status)
	}
	if server.Aliases()["champion"] != "1" {
		t.Errorf("cut at %d (late %v): aliases %v", at, late, server.Aliases())
	}
}

// A server that comes back empty is told everything anew.
func TestTrackAfterTheServerLostAll(t *testing.T) {
	t.Parallel()
	w := newWorld()
	whole := &cutter{next: local{mlflowtest.New()}}
	if _, err := w.tracker(t, Options{URL: "http://mlflow", Transport: whole}).Track(t.Context(), w.retraining(1, 2), nil, new(page).save); err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= whole.calls; at++ {
		server, p := mlflowtest.New(), new(page)
		told := w.retraining(1, 2)
		line := &cutter{next: local{server}, at: at}
		tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: line})
		_, _ = tracker.Track(t.Context(), told, p.notes, p.save)
		server.Empty()
		line.at = 0
		if _, err := tracker.Track(t.Context(), told, p.notes, p.save); err != nil {
			t.Fatalf("emptied at %d: %v", at, err)
		}
		runs, models, versions := server.Runs(), server.Models(), server.Versions()
		if len(runs) != 1 || len(models) != 1 || len(versions) != 1 || len(server.Files(runs[0].ID)) != 6 ||
			len(server.Files("models/"+models[0].ID)) != 6 || runs[0].Status != runFinished {
			t.Errorf("emptied at %d: runs %v, models %v, versions %v", at, runs, models, versions)
		}
	}
}

// emptying forgets everything at a call, in the middle of a try.
type emptying struct {
	cutter
	server *mlflowtest.Server
}

func (e *emptying) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.calls++; e.calls == e.at {
		e.server.Empty()
	}
	return e.next.RoundTrip(r)
}

// However the server is emptied in the middle of a try, no error is for ever, and tries soon succeed.
func TestTrackWhileTheServerLosesAll(t *testing.T) {
	t.Parallel()
	for at := 2; at <= 30; at++ {
		server, w, p := mlflowtest.New(), newWorld(), new(page)
		line := &emptying{cutter: cutter{next: local{server}, at: at}, server: server}
		tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: line})
		told := w.retraining(1, 2)
		_, err := tracker.Track(t.Context(), told, p.notes, p.save)
		for range 3 {
			if err == nil {
				break
			}
			if refused := (interface{ Permanent() bool })(nil); errors.As(err, &refused) && refused.Permanent() {
				t.Fatalf("emptied at %d: %v", at, err)
			}
			_, err = tracker.Track(t.Context(), told, p.notes, p.save)
		}
		if err != nil {
			t.Errorf("emptied at %d: %v", at, err)
		}
	}
}

// Notes that can't be saved stop the delivery before anything else is made.
func TestTrackStopsWithoutNotes(t *testing.T) {
	t.Parallel()
	server, w, p := mlflowtest.New(), newWorld(), &page{fail: true}
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}})
	told := w.retraining(1, 2)
	for range 3 {
		if _, err := tracker.Track(t.Context(), told, p.notes, p.save); err == nil {
			t.Fatal("no error")
		}
	}
	if len(server.Runs()) != 1 || len(server.Models()) != 0 {
		t.Errorf("%d runs and %d models, want one run, found again", len(server.Runs()), len(server.Models()))
	}
	p.fail = false
	if _, err := tracker.Track(t.Context(), told, []byte("broken"), p.save); err != nil || len(server.Versions()) != 1 {
		t.Errorf("%v, versions %v", err, server.Versions())
	}
}

// refusing answers one operation with a status and a body.
type refusing struct {
	next   http.Handler
	path   string
	status int
	body   string
}

func (f refusing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !bytes.HasSuffix([]byte(r.URL.Path), []byte(f.path)) {
		f.next.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(f.status)
	_, _ = io.WriteString(w, f.body)
}

// What the server refuses for good is closed there and told here, so that the next one gets its turn.
func TestTrackRefused(t *testing.T) {
	t.Parallel()
	for path, status := range map[string]string{"model.onnx": modelFailed, "runs/log-batch": modelFailed, "model-versions/create": modelReady} {
		server, w := mlflowtest.New(), newWorld()
		tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{refusing{
			server, path, http.StatusBadRequest, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}`,
		}}})
		_, err := tracker.Track(t.Context(), w.retraining(1, 2), nil, new(page).save)
		var refused *Error
		if !errors.As(err, &refused) || !refused.Permanent() {
			t.Errorf("%s: got %v, want a permanent error", path, err)
			continue
		}
		runs, models := server.Runs(), server.Models()
		if len(runs) != 1 || runs[0].Status != runFinished || len(models) != 1 || models[0].Status != status {
			t.Errorf("%s: runs %+v, models %+v", path, runs, models)
		}
		if path != "runs/log-batch" && runs[0].Tags[tagLeftOut] == "" {
			t.Errorf("%s: the run does not say what is left out: %v", path, runs[0].Tags)
		}
	}
}

// What retention removed is left out and told.
func TestTrackWithoutArtifactOrDataset(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}})
	told := w.retraining(1, 2)
	clear(w.artifacts)
	clear(w.sets)
	if _, err := tracker.Track(t.Context(), told, nil, new(page).save); err != nil {
		t.Fatal(err)
	}
	r := server.Runs()[0]
	want := "dataset 1, which is not there any more; the model, whose files are not there any more or can't be read"
	if r.Tags[tagLeftOut] != want || r.Status != runFinished || len(r.Datasets) != 0 || len(server.Versions()) != 0 {
		t.Errorf("the run is %+v with %d versions", r, len(server.Versions()))
	}
	if string(r.Metrics["accuracy"]) != "0.81" {
		t.Errorf("metrics %s, want those of the store", r.Metrics)
	}
	away := errors.New("disk error")
	tracker.options.Artifact = func(context.Context, string) (*logreg.Artifact, error) { return nil, away }
	if _, err := tracker.Track(t.Context(), told, nil, new(page).save); !errors.Is(err, away) {
		t.Errorf("got %v, want an error that is tried again", err)
	}
}

func TestTrackFailure(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}})
	told := w.failed(4, "")
	for range 2 {
		if _, err := tracker.Track(t.Context(), told, nil, new(page).save); err != nil {
			t.Fatal(err)
		}
	}
	runs := server.Runs()
	if len(runs) != 1 || len(server.Models()) != 0 || len(server.Versions()) != 0 {
		t.Fatalf("%d runs, %d models", len(runs), len(server.Models()))
	}
	r := runs[0]
	if r.Status != runFailed || r.Tags[tagFailure] != told.Failure || r.Start != millis(told.Started) || r.End != millis(told.Ended) ||
		len(r.Datasets) != 1 || r.Name != "job-4" {
		t.Errorf("the run is %+v", r)
	}
}

func TestAliasesFollow(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	var posts []string
	watch := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == apiPath+"registered-models/alias" {
			posts = append(posts, r.Method)
		}
		server.ServeHTTP(rw, r)
	})
	var mu sync.Mutex
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		watch(rw, r)
	})}})
	set := func(a ml.Aliases, want map[string]string, changes int) {
		t.Helper()
		posts = nil
		if err := tracker.SetAliases(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if got := server.Aliases(); len(got) != len(want) || got["champion"] != want["champion"] || got["challenger"] != want["challenger"] || got["previous"] != want["previous"] {
			t.Errorf("aliases %v, want %v", got, want)
		}
		if len(posts) != changes {
			t.Errorf("%v, want %d changes", posts, changes)
		}
	}
	set(ml.Aliases{Champion: "v"}, nil, 0) // nothing is registered
	first, second := w.retraining(1, 2), w.rejected(2, 2, "v20240501-130000-1")
	for _, told := range []ml.TrackedRun{first, second} {
		if _, err := tracker.Track(t.Context(), told, nil, new(page).save); err != nil {
			t.Fatal(err)
		}
	}
	one, two := first.Version.Name, second.Version.Name
	set(ml.Aliases{Champion: one, Challenger: two}, map[string]string{"champion": "1", "challenger": "2"}, 0)
	set(ml.Aliases{Champion: two, Previous: one}, map[string]string{"champion": "2", "previous": "1"}, 3)
	set(ml.Aliases{Champion: one, Previous: "retired"}, map[string]string{"champion": "1"}, 2)
	set(ml.Aliases{}, map[string]string{}, 1)

	d, err := tracker.Reconcile(t.Context(), []ml.Version{{Name: "v4"}, {Name: "v3"}, {Name: two}}, ml.Aliases{Champion: two})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Missing) != 2 || d.Missing[0].Name != "v3" || len(d.Foreign) != 1 || d.Foreign[0] != one ||
		len(d.Aliases) != 1 || d.Aliases[0] != (AliasDifference{"champion", two, ""}) || !d.Mendable() {
		t.Errorf("%+v", d)
	}
	if d, err = tracker.Reconcile(t.Context(), []ml.Version{{Name: two}, {Name: one}}, ml.Aliases{}); err != nil || d.Mendable() || d.Foreign != nil {
		t.Errorf("%+v, %v", d, err)
	}
}

// A run that somebody deleted meanwhile is told anew; the version stays one.
func TestRunWasDeleted(t *testing.T) {
	t.Parallel()
	server, w, p := mlflowtest.New(), newWorld(), new(page)
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}})
	told := w.retraining(1, 2)
	first, err := tracker.Track(t.Context(), told, nil, p.save)
	if err != nil {
		t.Fatal(err)
	}
	server.DeleteRun(first.ID)
	second, err := tracker.Track(t.Context(), told, p.notes, p.save)
	if err != nil || second.ID == first.ID || len(server.Versions()) != 1 {
		t.Errorf("the run is %s, then %s, with %d versions (%v)", first.ID, second.ID, len(server.Versions()), err)
	}
}

func TestExperimentIsRestored(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}})
	for job := range int64(2) {
		if _, err := tracker.Track(t.Context(), w.retraining(job+1, 1), nil, new(page).save); err != nil {
			t.Fatal(err)
		}
		server.DeleteExperiment(DefaultExperiment)
	}
	if e := server.Experiments(); len(e) != 1 || len(e[0].Tags) != 1 || e[0].Tags[0].Value != kindValue {
		t.Errorf("%+v", e)
	}
}
