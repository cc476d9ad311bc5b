package apiserver

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
	"iacontinu/internal/synth"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seed, strength := uint64(1)<<53-1, 0.3
	got, err := b.client(t, "user").Generate(t.Context(), api.GenerateRequest{Samples: 1_000_000, Seed: &seed, Drift: "label", Magnitude: &strength})
	if err != nil {
		t.Fatal(err)
	}
	want := api.GenerateResponse{GenerationID: 7, SamplesCreated: 1_000_000, Timestamp: testNow, Seed: seed, Drift: "label", HourGenerated: 17}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Generate{Samples: 1_000_000, Seed: seed, Hour: 17, Drift: "label", Magnitude: 0.3}, b.generated[0]); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if e := b.audits[0]; e.EventType != "generate" || e.UserID != 2 {
		t.Errorf("audit entry %+v", e)
	}

	got, err = b.client(t, "user").Generate(t.Context(), api.GenerateRequest{})
	if err != nil || got.Seed != 42 {
		t.Errorf("seed %d, %v; want the one that was drawn", got.Seed, err)
	}
	if diff := cmp.Diff(Generate{Samples: 1000, Hour: 17}, b.generated[1]); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// What the document says of the bounds is what the generator has.
func TestGenerateRequestIsTheGenerators(t *testing.T) {
	t.Parallel()
	tag := func(field, key string) string {
		f, _ := reflect.TypeFor[api.GenerateRequest]().FieldByName(field)
		return f.Tag.Get(key)
	}
	if got, want := tag("Drift", "enum"), strings.Join([]string{synth.None, synth.Covariate, synth.Concept, synth.Label}, ","); got != want {
		t.Errorf("kinds of drift %s, want %s", got, want)
	}
	if got, want := tag("Magnitude", "maximum"), fmt.Sprint(max(synth.MaxCovariate, synth.MaxConcept, synth.MaxLabel)); got != want {
		t.Errorf("largest magnitude %s, want %s", got, want)
	}
}

// The server reads generateRequest where the client writes api.GenerateRequest: but for samples they
// must not differ.
func TestGenerateRequestIsTheClients(t *testing.T) {
	t.Parallel()
	server, client := reflect.TypeFor[generateRequest](), reflect.TypeFor[api.GenerateRequest]()
	if server.NumField() != client.NumField() {
		t.Fatalf("%d fields, the client has %d", server.NumField(), client.NumField())
	}
	for i := range server.NumField() {
		s, c := server.Field(i), client.Field(i)
		if s.Name != c.Name || (s.Name != "Samples" && (s.Type != c.Type || s.Tag != c.Tag)) {
			t.Errorf("field %s %s %s, the client has %s %s %s", s.Name, s.Type, s.Tag, c.Name, c.Type, c.Tag)
		}
	}
}

func TestDatasetList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for id := range int64(3) {
		b.datasetRows = append(b.datasetRows, ml.Dataset{ID: 20 - id, Samples: 10, CreatedAt: testNow, Schema: ml.GeneratedSchema(), ClassCounts: [2]int{4, 6}})
	}
	got, err := b.client(t, "").Datasets(t.Context(), 2)
	if err != nil || len(got.Datasets) != 2 || got.TotalDatasets != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := api.Dataset{
		GenerationID: 20, SamplesCount: 10, CreatedAt: testNow, Features: []string{"feature1", "feature2"}, Target: "target",
		Classes: []string{"0", "1"}, ClassCounts: []int{4, 6},
	}
	if diff := cmp.Diff(want, got.Datasets[1]); diff != "" {
		t.Errorf("dataset (-want +got):\n%s", diff)
	}
}

func TestDeleteDataset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "admin")
	for id, status := range map[int64]int{1: 409, 99: 404, 0: 422} {
		if err := c.DeleteDataset(t.Context(), id); api.AsProblem(err) == nil || api.AsProblem(err).Status != status {
			t.Errorf("dataset %d: %v, want %d", id, err, status)
		}
	}
	if err := c.DeleteDataset(t.Context(), 7); err != nil {
		t.Error(err)
	}
	if got := b.events(); !slices.Equal(got, []string{"dataset_deleted"}) {
		t.Errorf("audit %v", got)
	}
}

func TestActivateAndRollback(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "admin")
	for version, status := range map[string]int{"nope": 404, "broken": 422, "deleted": 409} {
		if _, err := c.Activate(t.Context(), version); api.AsProblem(err) == nil || api.AsProblem(err).Status != status {
			t.Errorf("activate %s: %v, want %d", version, err, status)
		}
	}
	v, err := c.Activate(t.Context(), "v1")
	if err != nil || v.Version != "v1" || !v.IsActive {
		t.Errorf("activate: %+v, %v", v, err)
	}
	if v, err = c.Rollback(t.Context()); err != nil || v.Version != "v1" {
		t.Errorf("rollback: %+v, %v", v, err)
	}
	if !slices.Equal(b.waited, []string{"v1", "v1"}) {
		t.Errorf("answered before the version served: waited for %v", b.waited)
	}
	if got := b.events(); !slices.Equal(got, []string{"activate", "rollback"}) {
		t.Errorf("audit %v", got)
	}
	b.versionRows = b.versionRows[:1]
	if _, err := c.Rollback(t.Context()); api.AsProblem(err).Status != 409 {
		t.Errorf("rollback with nothing before: %v", err)
	}
}

func TestModels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, err := b.client(t, "user").Models(t.Context(), 0)
	if err != nil || got.Total != 2 || got.Models[0].Version != "v2" || !got.Models[0].IsActive || got.Models[1].IsActive {
		t.Fatalf("%+v, %v", got, err)
	}
	if string(got.Models[0].Metrics) != `{"accuracy_low":0.85,"accuracy_high":0.93}` {
		t.Errorf("metrics %s", got.Models[0].Metrics)
	}
	got, err = b.client(t, "user").Models(t.Context(), 1)
	if err != nil || len(got.Models) != 1 || got.Total != 2 {
		t.Errorf("the newest alone: %+v, %v; want a total of 2", got, err)
	}
}

func TestModelInfo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	steps := 4.5
	b.reports = []ml.DriftReport{{CreatedAt: testNow, Details: ml.CheckDetails{
		AccuracyTrend: &ml.Trend{Slope: -0.01, R2: 0.9, N: 12, Limit: 0.8, StepsToCross: &steps},
		ScoreTrends:   map[string]ml.Trend{"a": {Slope: 0.02, N: 12}},
	}}}
	got, err := b.client(t, "").ModelInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	version, accuracy := "v2", 0.9
	want := api.ModelInfo{
		ModelVersion: &version, ModelLoaded: true, ModelType: "LogisticRegression", Timestamp: testNow,
		Accuracy: &accuracy, AccuracyInterval: []float64{0.85, 0.93}, TrainingSamples: 800,
		Features: []string{"a", "b"}, Target: "y", Classes: []string{"0", "1"}, CreatedAt: &testNow, ActivatedAt: &testNow, Reason: "bootstrap",
		Forecast: &api.Forecast{
			CheckedAt: testNow, AccuracyTrend: &api.Trend{Slope: -0.01, R2: 0.9, N: 12, Limit: 0.8, StepsToCross: &steps},
			ScoreTrends: map[string]api.Trend{"a": {Slope: 0.02, N: 12}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}

	b.served, b.reports = nil, nil
	got, err = b.client(t, "").ModelInfo(t.Context())
	if err != nil || got.ModelLoaded || got.ModelVersion != nil || got.Forecast != nil {
		t.Errorf("without a model: %+v, %v", got, err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	b := setup(t, func(_ *world, o *Options) {
		o.Clock = func() time.Time { return testNow.Add(time.Duration(later.Load())) }
	})
	c := b.client(t, "")
	b.checks["flow"] = api.Check{Status: api.CheckDown, Detail: "last check 5 m ago", At: &testNow}
	got, err := c.Health(t.Context())
	want := api.Health{Status: "ok", Timestamp: testNow, Version: "test", Checks: b.checks}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, health (-want +got):\n%s", err, diff)
	}
	if _, err := c.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}

	later.Add(int64(checksAge))
	b.checks["database"] = api.Check{Status: api.CheckWarn, Detail: "the disk is full"}
	got, err = c.Health(t.Context())
	if err != nil || got.Status != "degraded" || got.Checks["database"].Detail != "the disk is full" {
		t.Errorf("health of an API that can't write: %+v, %v", got, err)
	}
	later.Add(int64(checksAge))
	b.checks["database"] = api.Check{Status: api.CheckOK}

	b.served = nil
	if _, err := c.Health(t.Context()); err != nil {
		t.Errorf("health without a model: %v", err)
	}
	_, err = c.Ready(t.Context())
	if p := api.AsProblem(err); p == nil || p.Status != 503 || p.RetryAfter == 0 || p.Checks["flow"].Status != "down" {
		t.Errorf("ready without a model: %v", err)
	}
	problem(t, b.send(t, "POST", "/predict", "user", `{"features":[1,2]}`), 503)

	later.Add(int64(checksAge))
	b.checks["database"] = api.Check{Status: api.CheckDown}
	for _, ask := range []func(context.Context) (api.Health, error){c.Health, c.Ready} {
		if _, err := ask(t.Context()); api.AsProblem(err) == nil || api.AsProblem(err).Status != 503 {
			t.Errorf("without the database: %v", err)
		}
	}
	if r := b.send(t, "HEAD", "/health", "", ""); r.StatusCode != 503 || r.body != "" {
		t.Errorf("HEAD without the database: %d %q", r.StatusCode, r.body)
	}
}

// However many ask whether all is well, the parts are asked once a second; but a version that begins to serve is
// seen at once, and so is one that is no more.
func TestChecksAreShared(t *testing.T) {
	t.Parallel()
	var asked, later atomic.Int64
	entered, release := make(chan struct{}, 1), make(chan struct{})
	b := setup(t, func(w *world, o *Options) {
		o.Clock = func() time.Time { return testNow.Add(time.Duration(later.Load())) }
		o.Checks = func(ctx context.Context) map[string]api.Check {
			if asked.Add(1) == 1 {
				entered <- struct{}{}
				<-release
			}
			if ctx.Err() != nil {
				return map[string]api.Check{"database": {Status: api.CheckDown}}
			}
			v, _ := w.Current()
			return map[string]api.Check{"database": {Status: api.CheckOK}, "model": {Status: api.CheckOK, Detail: v.Name}}
		}
	})
	gone, leave := context.WithCancel(t.Context())
	leave() // a client that goes away: it asks for all the others
	first := make(chan map[string]api.Check, 1)
	go func() { first <- b.server.checks(gone) }()
	<-entered
	answers := make(chan error, 20)
	for range cap(answers) {
		go func() {
			_, err := b.client(t, "").Health(t.Context())
			answers <- err
		}()
	}
	close(release)
	for range cap(answers) {
		if err := soon(t, answers); err != nil {
			t.Errorf("one of many: %v", err)
		}
	}
	if got := soon(t, first); got["database"].Status != api.CheckOK {
		t.Errorf("the checks of one who has gone: %v", got)
	}
	ready := func(model string, times int64) {
		t.Helper()
		got, err := b.client(t, "").Ready(t.Context())
		if err != nil || got.Checks["model"].Detail != model || asked.Load() != times {
			t.Errorf("ready: %+v, %v after %d rounds of checks; want %s and %d", got, err, asked.Load(), model, times)
		}
	}
	ready("v2", 1)
	later.Store(int64(checksAge))
	ready("v2", 2)
	next := testVersion("v3")
	unlock := b.locked()
	b.served = &next
	unlock()
	ready("v3", 3)
	unlock = b.locked()
	b.served = nil
	unlock()
	if r := b.send(t, "GET", "/health/ready", "", ""); r.StatusCode != 503 {
		t.Errorf("ready without a model: %d", r.StatusCode)
	}
}
