package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// testBundle is a server on a port of its own with a world behind it.
type testBundle struct {
	*world
	server *Server
	log    *safeBuffer
	stop   func() error
}

// safeBuffer is a log that may be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func testVersion(name string) ml.Version {
	return ml.Version{
		Name: name, Accuracy: 0.9, TrainingSamples: 800, CreatedAt: testNow, ActivatedAt: testNow, Status: ml.VersionReady,
		Schema: ml.Schema{Features: []string{"a", "b"}, Target: "y", Classes: [2]string{"0", "1"}},
		Reason: "bootstrap", DatasetIDs: []int64{1}, Metrics: json.RawMessage(`{"accuracy_low":0.85,"accuracy_high":0.93}`),
	}
}

func newWorld() *world {
	v, old := testVersion("v2"), testVersion("v1")
	v.ID, v.Active, old.ID = 2, true, 1
	return &world{
		served: &v, versionRows: []ml.Version{v, old}, jobs: map[int64]ml.Job{}, progressOf: map[int64]ml.JobProgress{},
		datasetRows: []ml.Dataset{{ID: 7, Samples: 1000, CreatedAt: testNow, Source: ml.SourceGenerated, Schema: ml.GeneratedSchema(), Hour: 17}},
		checks:      map[string]api.Check{"database": {Status: api.CheckOK}},
	}
}

func testOptions(w *world, log io.Writer) Options {
	reg := prometheus.NewPedanticRegistry()
	return Options{
		Addr: "127.0.0.1:0", Version: "test",
		Predictor: w, Follower: w, Tokens: w, Accounts: w, Users: w, Versions: w, Artifacts: w, Activator: w, Catalogue: w, Datasets: w,
		Queue: w, Progress: w, Records: w, CheckLog: w, Auditor: w, Backups: w,
		Metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}), Registerer: reg,
		Checks:     func(context.Context) map[string]api.Check { return w.checks },
		Waiting:    func(context.Context) (api.Waiting, error) { return w.undone, nil },
		LastFailed: func(context.Context) (int64, time.Time, error) { return w.failedJob, testNow, nil },
		Services: func(context.Context) ([]api.Service, error) {
			defer w.locked()()
			w.asked++
			return []api.Service{{Name: "mlflow", Status: api.CheckOK}}, nil
		},
		KPIs:        func(context.Context) (api.KPIs, error) { return api.KPIs{KPIs: []api.KPI{}}, nil },
		RetrainPoll: time.Millisecond, UserLogins: 5, AddressLogins: 8,
		Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock:  func() time.Time { return testNow },
	}
}

// setup runs a server until the test ends.
func setup(t *testing.T, change ...func(*world, *Options)) *testBundle {
	t.Helper()
	b := &testBundle{world: newWorld(), log: &safeBuffer{}}
	o := testOptions(b.world, b.log)
	for _, c := range change {
		c(b.world, &o)
	}
	var err error
	if b.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.server.Run(ctx) }()
	b.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return b
}

// reply is an answer with its body.
type reply struct {
	*http.Response
	body string
}

// send sends a request; the body is JSON unless header says otherwise. Lines of header are
// "Name: value".
func (b *testBundle) send(t *testing.T, method, path, token, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.server.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Del(name)
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{resp, string(text)}
}

// soon is what c gives, within a time in which a server that works is done.
func soon[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10 s")
		panic("unreachable")
	}
}

// into decodes a success.
func into[T any](t *testing.T, r reply) T {
	t.Helper()
	var out T
	if r.StatusCode < 200 || r.StatusCode > 299 {
		t.Fatalf("status %d: %s", r.StatusCode, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		t.Fatalf("decode %s: %v", r.body, err)
	}
	return out
}

// problem decodes an error and holds it to what all errors have.
func problem(t *testing.T, r reply, status int) api.Problem {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", r.StatusCode, status, r.body)
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != api.ProblemType {
		t.Errorf("content type %q, want %q: %s", kind, api.ProblemType, r.body)
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("decode %s: %v", r.body, err)
	}
	if p.Status != status || p.Title == "" || p.Code == "" || p.Detail == "" || p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") {
		t.Errorf("problem lacks something: %s", r.body)
	}
	return p
}

// fields are the locations of a problem's errors.
func fields(p api.Problem) []string {
	var out []string
	for _, f := range p.Errors {
		out = append(out, f.Location)
	}
	return out
}

// client is the typed client with a token.
func (b *testBundle) client(t *testing.T, token string) *api.Client {
	t.Helper()
	c, err := api.New(b.server.URL(), api.Options{Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
