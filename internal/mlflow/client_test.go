package mlflow

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

const (
	username = "tracker"
	password = "p&ss/w0rd secret"
	token    = "tok3n-that-nobody-may-see"
)

// answering serves one answer.
func answering(t *testing.T, status int, header http.Header, body string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for key, values := range header {
			w.Header()[key] = values
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Only what the server understands and refuses is for good; everything says what to do.
func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		status    int
		header    http.Header
		body      string
		permanent bool
		retry     time.Duration
		says      []string
	}{
		{name: "broken down", status: 500, body: `{"error_code": "INTERNAL_ERROR", "message": "boom"}`, says: []string{"500", "INTERNAL_ERROR", "boom"}},
		{name: "behind a proxy", status: 502, body: "<html>Bad\n gateway</html>", says: []string{"502", "Bad gateway"}},
		{name: "busy", status: 429, header: http.Header{"Retry-After": {"7"}}, retry: 7 * time.Second, says: []string{"429"}},
		{name: "busy in MLflow's words", status: 429, body: `{"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}`, says: []string{"429", "slow down"}},
		{name: "busy for ever", status: 503, header: http.Header{"Retry-After": {"1e9"}}, retry: time.Hour},
		{name: "unknown", status: 401, body: "no", says: []string{"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"}},
		{name: "not allowed", status: 403, body: "Invalid Host header", says: []string{"MLFLOW_TRACKING_USERNAME", "--allowed-hosts", "Invalid Host header"}},
		{name: "moved", status: 302, header: http.Header{"Location": {"http://elsewhere"}}, says: []string{"MLFLOW_TRACKING_URI"}},
		{name: "refused", status: 400, body: `{"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}`, permanent: true, says: []string{"too long"}},
		{name: "refused for what is there", status: 400, body: `{"error_code": "RESOURCE_ALREADY_EXISTS", "message": "taken"}`, permanent: true, says: []string{"taken"}},
		{name: "a database that can't be written", status: 400, body: `{"error_code": "BAD_REQUEST", "message": "(psycopg2.errors.ReadOnlySqlTransaction)"}`, says: []string{"BAD_REQUEST", "ReadOnly"}},
		{name: "too large", status: 413, body: "too large", permanent: true},
		{name: "gone", status: 404, body: `{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run"}`, says: []string{"no run"}},
		{name: "another server", status: 404, body: "404 page not found", says: []string{"MLFLOW_TRACKING_URI", "404 page not found"}},
		{name: "a page", status: 200, body: "<html>", says: []string{"MLFLOW_TRACKING_URI", "JSON"}},
		{name: "half", status: 200, body: `{"run": {"info"`, says: []string{"JSON"}},
		{name: "too much", status: 200, body: strings.Repeat(" ", maxAnswer+1), says: []string{"more than"}},
		{name: "odd", status: 400, body: "\xff\xfe" + strings.Repeat("x", 5000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := client(t, Options{URL: answering(t, c.status, c.header, c.body).URL}).getRun(t.Context(), "r")
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Permanent() != c.permanent || e.RetryAfter() != c.retry || len(e.Error()) > 800 || !strings.Contains(e.Error(), "runs/get") {
				t.Errorf("permanent %v, again after %v: %v", e.Permanent(), e.RetryAfter(), e)
			}
			for _, word := range c.says {
				if !strings.Contains(e.Error(), word) {
					t.Errorf("%q is not in: %v", word, e)
				}
			}
		})
	}
}

func TestAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"run": {}}`))
	}))
	defer s.Close()
	_, err := client(t, Options{URL: s.URL}).getRun(t.Context(), "r")
	var e *Error
	if !errors.As(err, &e) || e.Permanent() || !strings.Contains(e.Error(), "unexpected EOF") {
		t.Errorf("got %v", err)
	}
}

func TestServerIsSlow(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-free }))
	defer s.Close()
	defer close(free)
	_, err := client(t, Options{URL: s.URL, Timeout: 20 * time.Millisecond}).Version(t.Context())
	if e := (*Error)(nil); !errors.As(err, &e) || e.Permanent() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, Options{URL: s.URL}).Version(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Who we are is told to the server and to nobody else.
func TestCredentials(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"token":    {Options{Token: token}, "Bearer " + token},
		"basic":    {Options{Username: username, Password: password}, "Basic " + basic},
		"in URL":   {Options{URL: "http://tracker:p%26ss%2Fw0rd%20secret@"}, "Basic " + basic},
		"settings": {Options{URL: "http://other:one@", Token: token}, "Bearer " + token},
		"none":     {Options{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			var mu sync.Mutex
			var got, path string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				got, path = r.Header.Get("Authorization"), r.URL.Path
				w.WriteHeader(http.StatusUnauthorized)
				_, sent, _ := r.BasicAuth()
				_, _ = w.Write([]byte("you are " + got + " " + sent)) // a server that repeats what it heard
			}))
			defer s.Close()
			o := c.o
			o.URL = cmp.Or(o.URL, "http://") + strings.TrimPrefix(s.URL, "http://") + "/base/"
			o.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
			cl := client(t, o)
			_, first := cl.Version(t.Context())
			s.Close()
			_, second := cl.Version(t.Context())
			if got != c.want || path != "/base/version" {
				t.Errorf("the server saw %q at %s, want %q", got, path, c.want)
			}
			told := first.Error() + second.Error() + said.String()
			for _, secret := range []string{token, basic, password, "p%26ss"} {
				if c.want != "" && strings.Contains(told, secret) {
					t.Errorf("%q is told: %s", secret, told)
				}
			}
		})
	}
}

// A secret that an answer repeats where it is cut off does not keep its beginning.
func TestSecretsAreTakenOutBeforeAnAnswerIsCut(t *testing.T) {
	t.Parallel()
	for form, cut := range map[string]int{`{"error_code": "INTERNAL_ERROR", "message": "%s"}`: 400, "%s": 200} {
		body := strings.Replace(form, "%s", strings.Repeat("x", cut-12)+token, 1)
		_, err := client(t, Options{URL: answering(t, http.StatusInternalServerError, nil, body).URL, Token: token}).getRun(t.Context(), "r")
		if err == nil || strings.Contains(err.Error(), token[:4]) || !strings.Contains(err.Error(), "xxx") {
			t.Errorf("told: %v", err)
		}
	}
}

// failing is a line that fails.
type failing struct{ error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.error }

// A proxy's answer that makes no sense is part of net/http's error, and may repeat what we sent.
func TestSecretsAreTakenOutOfErrorsOfTheLine(t *testing.T) {
	t.Parallel()
	_, err := client(t, Options{URL: "http://m", Token: token, Transport: failing{errors.New("malformed answer " + token)}}).Version(t.Context())
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), token) {
			t.Errorf("told: %v", e)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "malformed answer [redacted]") {
		t.Errorf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"Options.URL":              {URL: "ftp://secret@host"},
		"Options.Token":            {URL: "http://m", Token: token, Username: username},
		"Options.Password":         {URL: "http://m", Password: password},
		"Options.Timeout":          {URL: "http://m", Timeout: -1},
		"Options.CAFile":           {URL: "http://m", CAFile: empty},
		"Options.CAFile: open":     {URL: "http://m", CAFile: "not/there"},
		"Options.ClientCertFile: ": {URL: "http://m", ClientCertFile: empty},
	} {
		if _, err := NewClient(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("3.17.2\n")) }))
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, Options{URL: s.URL}).Version(t.Context()); err == nil || !strings.Contains(err.Error(), "MLFLOW_TRACKING_SERVER_CERT_PATH") {
		t.Errorf("got %v", err)
	}
	for _, o := range []Options{{URL: s.URL, CAFile: ca}, {URL: s.URL, Insecure: true}} {
		if version, err := client(t, o).Version(t.Context()); err != nil || version != "3.17.2" {
			t.Errorf("got %q, %v", version, err)
		}
	}
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := answering(t, http.StatusOK, nil, "3.17.2")
	c := client(t, Options{URL: s.URL, Registerer: registry})
	_, _ = c.Version(t.Context())
	_, _ = c.getRun(t.Context(), "r")
	s.Close()
	_, _ = c.Version(t.Context())
	want := `
# HELP iacontinu_mlflow_requests_total Requests to MLflow by what was asked for and what became of it.
# TYPE iacontinu_mlflow_requests_total counter
iacontinu_mlflow_requests_total{operation="runs/get",outcome="failed"} 1
iacontinu_mlflow_requests_total{operation="version",outcome="no_answer"} 1
iacontinu_mlflow_requests_total{operation="version",outcome="ok"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "iacontinu_mlflow_requests_total"); err != nil {
		t.Error(err)
	}
	if _, err := NewClient(Options{URL: s.URL, Registerer: registry}); err == nil {
		t.Error("the metrics are registered twice")
	}
}

// What listens and is no MLflow server must not hold a delivery up for good.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, err = client(t, Options{URL: "http://" + address}).Version(t.Context())
	if e := (*Error)(nil); !errors.As(err, &e) || e.Permanent() || e.Status != 0 {
		t.Errorf("got %v", err)
	}
}

func TestArtifactsElsewhere(t *testing.T) {
	t.Parallel()
	c := client(t, Options{URL: "http://127.0.0.1:1"})
	err := c.upload(t.Context(), "s3://bucket/1/r/artifacts", file{name: "a"})
	if e := (*Error)(nil); !errors.As(err, &e) || e.Permanent() || !strings.Contains(err.Error(), "--serve-artifacts") {
		t.Errorf("got %v", err)
	}
}

// Every number that is sent is read again as it was.
func TestNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Float64().Draw(t, "number")
		text, err := json.Marshal(number(want))
		if err != nil {
			t.Fatal(err)
		}
		var got number
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if float64(got) != want && !math.IsNaN(want) && math.Abs(want) != math.MaxFloat64 {
			t.Errorf("%s is read as %v, want %v", text, got, want)
		}
	})
	for text, want := range map[string]float64{`"Infinity"`: math.Inf(1), `"-Infinity"`: math.Inf(-1), "1.7976931348623157e+308": math.Inf(1)} {
		var got number
		if err := json.Unmarshal([]byte(text), &got); err != nil || float64(got) != want {
			t.Errorf("%s is read as %v (%v)", text, got, err)
		}
	}
	var n number
	if json.Unmarshal([]byte(`"word"`), &n) == nil || json.Unmarshal([]byte(`true`), &n) == nil {
		t.Error("a word is read as a number")
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "text"), rapid.IntRange(3, 50).Draw(t, "bytes")
		if got := truncate(s, n); len(got) > n || strings.ToValidUTF8(got, "") != got || len(s) <= n && got != s {
			t.Errorf("%q cut to %d is %q", s, n, got)
		}
	})
}
