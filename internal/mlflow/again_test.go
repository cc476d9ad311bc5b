package mlflow

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
	"iacontinu/internal/mlflow/mlflowtest"
)

// watch lets requests through and keeps their paths.
type watch struct {
	next http.Handler
	// before is called with each request, nil for nothing.
	before func(*http.Request)

	mu    sync.Mutex
	paths []string
}

func (c *watch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.paths = append(c.paths, r.Method+" "+strings.TrimPrefix(r.URL.Path, apiPath))
	if c.before != nil {
		c.before(r)
	}
	c.mu.Unlock()
	c.next.ServeHTTP(w, r)
}

// track tells of a retraining as if nobody had done so before.
func track(t *testing.T, tracker *Tracker, told ml.TrackedRun) {
	t.Helper()
	if _, err := tracker.Track(t.Context(), told, nil, new(page).save); err != nil {
		t.Fatal(err)
	}
}

// Somebody deleted the registered model: its versions come back from the models that are there, and
// nothing else is touched, whatever is known of the retrainings by now.
func TestOnlyWhatIsMissingIsMadeAgain(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	line := &watch{next: server}
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{line}})
	told := w.retraining(1, 2)
	track(t, tracker, told)
	runs, models, versions, aliases := server.Runs(), server.Models(), server.Versions(), server.Aliases()
	server.DeleteRegistered()
	line.paths = nil
	told.Args, told.Started, told.Partial = ml.RetrainArgs{Generate: true}, told.Ended, true
	track(t, tracker, told)
	for what, pair := range map[string][2]any{
		"runs": {runs, server.Runs()}, "models": {models, server.Models()}, "aliases": {aliases, server.Aliases()},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-before +after):\n%s", what, diff)
		}
	}
	if got := server.Versions(); len(got) != 1 || got[0].Model != versions[0].Model || got[0].Run != versions[0].Run || len(got[0].Tags) < 4 {
		t.Errorf("versions %+v, were %+v", got, versions)
	}
	for _, path := range line.paths {
		if strings.Contains(path, "log-") || strings.HasPrefix(path, "PUT") || strings.HasPrefix(path, "PATCH") {
			t.Errorf("told again: %s", path)
		}
	}
}

// A refusal closes what this delivery made, and not what was whole before it.
func TestARefusalHarmsNothingThatIsWhole(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	told := w.retraining(1, 2)
	track(t, w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}}), told)
	runs, models := server.Runs(), server.Models()
	server.DeleteRegistered()
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{refusing{
		server, "model-versions/create", http.StatusBadRequest, `{"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}`,
	}}})
	if _, err := tracker.Track(t.Context(), told, nil, new(page).save); err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff([]any{runs, models}, []any{server.Runs(), server.Models()}); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// A model whose upload was refused is completed by a later delivery.
func TestAModelThatIsNotWholeIsToldAgain(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	told := w.retraining(1, 2)
	broken := w.tracker(t, Options{URL: "http://mlflow", Transport: local{refusing{server, "model.onnx", http.StatusRequestEntityTooLarge, ""}}})
	if _, err := broken.Track(t.Context(), told, nil, new(page).save); err == nil {
		t.Fatal("no error")
	}
	track(t, w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}}), told)
	if m, v := server.Models(), server.Versions(); len(m) != 1 || m[0].Status != modelReady || len(v) != 1 {
		t.Errorf("models %+v, versions %+v", m, v)
	}
}

// What is not known any more is left out, and what the model knows is told.
func TestTheUnknownIsLeftOut(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	told := w.retraining(1, 2)
	told.Args, told.Partial = ml.RetrainArgs{Reason: ml.ReasonManual}, true
	track(t, w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}}), told)
	r := server.Runs()[0]
	for key, want := range map[string]string{"c": "0.5", "balanced": "true", "seed": "7", "generate": ""} {
		if got := r.Params[key]; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if _, invented := r.Metrics["majority_accuracy"]; invented || r.Tags["mlflow.user"] != "" {
		t.Errorf("invented: user %q, metrics %v", r.Tags["mlflow.user"], slices.Sorted(maps.Keys(r.Metrics)))
	}
}

// Two installations on one server: the second one neither registers versions nor moves aliases, and says
// what to do. Once the model is nobody's, it takes it over.
func TestTheModelIsAnotherInstallations(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	first, second := w.retraining(1, 2), w.retraining(2, 2)
	track(t, w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}}), first)

	other := w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}})
	other.options.Installation, other.options.Logger = "there", log
	track(t, other, second)
	if err := other.SetAliases(t.Context(), *second.Aliases); err != nil {
		t.Fatal(err)
	}
	d, err := other.Reconcile(t.Context(), []ml.Version{*second.Version}, *second.Aliases)
	if err != nil || d.Mendable() {
		t.Errorf("%+v, %v; want nothing to mend", d, err)
	}
	if got := server.Aliases(); !maps.Equal(got, map[string]string{"champion": "1"}) || len(server.Versions()) != 1 {
		t.Errorf("aliases %v, versions %v", got, server.Versions())
	}
	if r, m := server.Runs(), server.Models(); len(r) != 2 || r[1].Status != runFinished || m[1].Status != modelReady {
		t.Errorf("runs %+v, models %+v; want both of each", r, m)
	}
	for _, part := range []string{"MLFLOW_MODEL_NAME", tagInstallation, DefaultModel, "belongs_to=here"} {
		if n := strings.Count(said.String(), part); n < 3 {
			t.Errorf("%q is said %d times, want at each of three calls:\n%s", part, n, said.String())
		}
	}

	server.TagRegistered("by", "hand")
	track(t, other, second)
	if v, a := server.Versions(), server.Aliases(); len(v) != 2 || a["champion"] != "2" {
		t.Errorf("after it was taken over: versions %v, aliases %v", v, a)
	}
	if there, _ := other.client.registry(t.Context(), DefaultModel); there.owner != "there" {
		t.Errorf("it belongs to %q", there.owner)
	}
}

// Two make the registered model at the same moment: the second one looks whose it is before it goes on.
func TestSomebodyElseMakesTheModelMeanwhile(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	line := &watch{next: server}
	line.before = func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "registered-models/create") {
			line.before = nil
			c := client(t, Options{URL: "http://mlflow", Transport: local{server}})
			if err := c.createRegistered(t.Context(), DefaultModel, "there"); err != nil {
				t.Error(err)
			}
		}
	}
	tracker, p, told := w.tracker(t, Options{URL: "http://mlflow", Transport: local{line}}), new(page), w.retraining(1, 2)
	_, err := tracker.Track(t.Context(), told, nil, p.save)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Permanent() {
		t.Fatalf("got %v, want an error that is tried again", err)
	}
	if _, err := tracker.Track(t.Context(), told, p.notes, p.save); err != nil || len(server.Versions()) != 0 {
		t.Errorf("%v, versions %v", err, server.Versions())
	}
}

// A model is ready when all of its files are there: MLmodel is the last.
func TestReadyIsSaidAtTheEnd(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	line, files := &watch{next: server}, -1
	line.before = func(r *http.Request) {
		if r.Method == http.MethodPatch {
			files = len(server.Files("models/" + server.Models()[0].ID))
		}
	}
	track(t, w.tracker(t, Options{URL: "http://mlflow", Transport: local{line}}), w.retraining(1, 2))
	if files != 6 {
		t.Errorf("%d files were there when the model was said to be ready, want 6", files)
	}
	last := ""
	for _, path := range line.paths {
		if name, ok := strings.CutPrefix(path, "PUT "+artifactPath); ok && strings.Contains(name, "/models/") {
			last = name
		}
	}
	if !strings.HasSuffix(last, "/MLmodel") {
		t.Errorf("the last file of the model is %s", last)
	}
}

// A server gives versions by pages; all are read, and one that never comes to an end is given up.
func TestVersionsComeInPages(t *testing.T) {
	t.Parallel()
	server, w := mlflowtest.New(), newWorld()
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{server}})
	track(t, tracker, w.retraining(1, 2))
	m, want := server.Models()[0].ID, 2*versionPage+3
	for i := len(server.Versions()); i < want; i++ {
		_, err := tracker.client.createVersion(t.Context(), newVersion{
			Name: DefaultModel, Source: "models:/" + m, Model: m, Tags: []pair{{tagVersion, "v" + strconv.Itoa(i)}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := tracker.client.versions(t.Context(), DefaultModel)
	numbers := map[string]bool{}
	for _, v := range got {
		numbers[v.Number] = true
	}
	if err != nil || len(got) != want || len(numbers) != want {
		t.Errorf("%d versions, %d numbers, want %d (%v)", len(got), len(numbers), want, err)
	}

	calls := 0
	endless := client(t, Options{URL: "http://mlflow", Transport: local{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = w.Write([]byte(`{"next_page_token": "` + strconv.Itoa(calls) + `"}`))
	})}})
	if _, err := endless.versions(t.Context(), DefaultModel); err == nil || calls != maxPages {
		t.Errorf("after %d pages: %v", calls, err)
	}
}

// The example's values are such as occur.
func TestExampleRows(t *testing.T) {
	t.Parallel()
	w := newWorld()
	a := w.artifacts[w.retraining(1, 2).Version.Name]
	want := split{[]string{"feature 1", "feature 2"}, [][]float64{{1, 1}, {2.5, 2.5}, {3, 3}}}
	a.Reference = [][]float64{{3, 1, 0, 2.5}, {3, 1, 1, 2.5}}
	if diff := cmp.Diff(want, exampleRows(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a.Reference = nil
	if got := exampleRows(a); len(got.Data) != 3 || got.Data[0][0] != 0 {
		t.Errorf("without data: %v", got)
	}
}
