package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/ml"
)

func TestMetricsAreByRoute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, "GET", "/jobs/41", "user", "")
	b.send(t, "GET", "/jobs/42", "user", "")
	b.send(t, "POST", "/predict", "user", `{"features":[1,2]}`)
	b.send(t, "POST", "/predict", "user", `{"features":[1]}`)
	b.send(t, "POST", "/predict", "", `{"features":[1,2]}`)
	b.send(t, "GET", "/wp-admin", "", "")
	b.send(t, "BREW", "/coffee", "", "")
	b.send(t, "PUT", "/predict", "", "")
	text := b.send(t, "GET", "/metrics", "", "").body
	for _, want := range []string{
		`api_requests_total{endpoint="/jobs/{id}",method="GET",status_code="404"} 2`,
		`api_requests_total{endpoint="/predict",method="POST",status_code="200"} 1`,
		`api_requests_total{endpoint="/predict",method="POST",status_code="422"} 1`,
		`api_requests_total{endpoint="/predict",method="POST",status_code="401"} 1`,
		`api_requests_total{endpoint="unmatched",method="GET",status_code="404"} 1`,
		`api_requests_total{endpoint="unmatched",method="OTHER",status_code="404"} 1`,
		`api_requests_total{endpoint="unmatched",method="PUT",status_code="405"} 1`,
		`api_request_duration_seconds_count{endpoint="/predict",method="POST"} 3`,
		"api_active_requests 1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, regexp.MustCompile(`(?m)^(#.*|.*_bucket.*|.*_sum.*)\n`).ReplaceAllString(text, ""))
		}
	}
	if strings.Contains(text, "wp-admin") || strings.Contains(text, "BREW") || strings.Contains(text, "/jobs/4") {
		t.Error("a label is what a client sent")
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for given, kept := range map[string]bool{
		"trace-1.2:3/4_5+6=": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, "a b": false, `"quoted"`: false, "é": false,
	} {
		got := b.send(t, "GET", "/health", "", "", "X-Request-ID: "+given).Header.Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("given %q, got %q", given, got)
		}
	}
	one, two := b.send(t, "GET", "/health", "", "").Header.Get("X-Request-Id"), b.send(t, "GET", "/nope", "", "").Header.Get("X-Request-Id")
	if one == two || one == "" {
		t.Errorf("ids %q and %q", one, two)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.UserLogins = 100 })
	for _, tt := range []struct {
		method, path, token, body string
		level                     string
	}{
		{"GET", "/model/info?token=secret", "", "", "INFO"},
		{"GET", "/health", "", "", "DEBUG"},
		{"GET", "/metrics", "", "", "DEBUG"},
		{"POST", "/predict", "user", `{"features":[1,2]}`, "DEBUG"},
		{"POST", "/predict", "user", `{"features":[1]}`, "INFO"},
		{"POST", "/auth/login", "", `{"username":"testuser","password":"test123"}`, "INFO"},
	} {
		r := b.send(t, tt.method, tt.path, tt.token, tt.body)
		id := r.Header.Get("X-Request-Id")
		// The line comes just after the answer.
		var text string
		for text == "" {
			text = lineWith(b.log.String(), id)
		}
		var line struct {
			Level, Msg, Method, Path, Endpoint, User, Remote string
			Status                                           int
			RequestID                                        string  `json:"request_id"`
			DurationMS                                       float64 `json:"duration_ms"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		path, _, _ := strings.Cut(tt.path, "?")
		if line.Level != tt.level || line.Msg != "request" || line.Path != path || line.Status != r.StatusCode || line.Remote != "127.0.0.1" || line.DurationMS <= 0 {
			t.Errorf("%s %s: %s", tt.method, tt.path, text)
		}
		if strings.Contains(text, "secret") || strings.Count(text, "request_id") != 1 {
			t.Errorf("log line %s", text)
		}
		if user := map[string]string{"/predict": "testuser", "/auth/login": "testuser"}[path]; line.User != user {
			t.Errorf("%s: user %q, want %q", path, line.User, user)
		}
	}
}

func TestLogRequestID(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	h := LogRequestID(LogRequestID(slog.NewTextHandler(&b, nil)))
	ctx := &requestContext{Context: t.Context(), exchange: exchange{id: "id-7"}}
	slog.New(h).With("a", 1).WithGroup("g").InfoContext(ctx, "hello")
	slog.New(h).InfoContext(t.Context(), "elsewhere")
	if got := strings.Count(b.String(), "id-7"); got != 1 {
		t.Errorf("id %d times in %s", got, b.String())
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/health", "/nope", "/auth/me", "/metrics"} {
		h := b.send(t, "GET", path, "", "").Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", path, h)
		}
		if h.Get("Server") != "" {
			t.Errorf("%s tells its server: %v", path, h)
		}
	}
}

// What was begun before the stop is answered; what comes after finds nobody.
func TestStopFinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w *world, _ *Options) { w.entered, w.release = make(chan struct{}), make(chan struct{}) })
	answer := make(chan reply, 1)
	go func() { answer <- b.send(t, "POST", "/predict", "user", `{"features":[1,2]}`) }()
	soon(t, b.entered)
	stopped := make(chan error, 1)
	go func() { stopped <- b.stop() }()
	for { // until the listener is closed
		conn, err := net.Dial("tcp", b.server.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request under way: %v", err)
	default:
	}
	close(b.release)
	if r := soon(t, answer); r.StatusCode != 200 {
		t.Errorf("answer %d %s", r.StatusCode, r.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A request that does not end is cut off: its context ends, and its client is told by the closed
// connection.
func TestStopDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	entered, cutOff := make(chan struct{}), make(chan struct{})
	b := setup(t, func(_ *world, o *Options) {
		o.StopPatience = time.Millisecond
		o.Metrics = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			<-cutOff // ends only after its client has given up
		})
	})
	client := make(chan error, 1)
	go func() {
		resp, err := http.Get(b.server.URL() + "/metrics")
		if err == nil {
			resp.Body.Close()
		}
		client <- err
	}()
	<-entered
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	if err := <-client; err == nil {
		t.Error("the client got an answer")
	}
	close(cutOff)
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for name, change := range map[string]func(*Options){
		"Predictor":       func(o *Options) { o.Predictor = nil },
		"Checks":          func(o *Options) { o.Checks = nil },
		"RetrainPatience": func(o *Options) { o.RetrainPatience = time.Hour },
		"RetrainPoll":     func(o *Options) { o.RetrainPoll = time.Minute },
		"UserLogins":      func(o *Options) { o.UserLogins = -1 },
		"UploadPatience":  func(o *Options) { o.UploadPatience = time.Hour },
		"StopPatience":    func(o *Options) { o.StopPatience = -1 },
		"MaxConnections":  func(o *Options) { o.MaxConnections = -1 },
		"notaport":        func(o *Options) { o.Addr = "127.0.0.1:notaport" },
	} {
		o := testOptions(w, io.Discard)
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := testOptions(newWorld(), io.Discard)
	o.Addr = b.server.Addr().String()
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), o.Addr) {
		t.Errorf("New = %v, want an error that names the address", err)
	}
}

func TestCloseWithoutRun(t *testing.T) {
	t.Parallel()
	s, err := New(testOptions(newWorld(), io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("the listener is still there")
	}
}

func TestRunEndsWhenItCannotServe(t *testing.T) {
	t.Parallel()
	s, err := New(testOptions(newWorld(), io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	s.listener.Close()
	if err := s.Run(t.Context()); err == nil {
		t.Error("Run = nil without a listener")
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	o := testOptions(newWorld(), io.Discard)
	o.Addr = ":0"
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if want := fmt.Sprintf("http://localhost:%d", s.Addr().(*net.TCPAddr).Port); s.URL() != want {
		t.Errorf("URL %s, want %s", s.URL(), want)
	}
}

// BenchmarkPredict is the way of a request through the whole server, without a network.
func BenchmarkPredict(b *testing.B) {
	w := newWorld()
	o := testOptions(w, io.Discard)
	o.Logger = slog.New(slog.DiscardHandler)
	o.Predictor = still{w}
	s, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for name, tracer := range map[string]trace.Tracer{
		"untraced": nil,
		"sampled":  sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.TraceIDRatioBased(0.01))).Tracer("bench"),
	} {
		s.opt.Tracer = tracer
		b.Run(name, func(b *testing.B) { benchmarkPredict(b, s) })
	}
}

func benchmarkPredict(b *testing.B, s *Server) {
	b.Helper()
	body := []byte(`{"features":[0.5,-0.2]}`)
	b.ReportAllocs()
	for b.Loop() {
		r, _ := http.NewRequestWithContext(context.Background(), "POST", "/predict", bytes.NewReader(body))
		r.Header["Authorization"], r.Header["Content-Type"] = []string{"Bearer user"}, []string{"application/json"}
		s.ServeHTTP(&discard{header: http.Header{}}, r)
	}
}

// still predicts without a log that grows.
type still struct{ *world }

func (s still) Predict(context.Context, ml.PredictionRequest, []float64) (ml.Prediction, error) {
	return ml.Prediction{ID: "p", ModelVersion: "v2", Confidence: 0.75, CreatedAt: testNow}, nil
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
