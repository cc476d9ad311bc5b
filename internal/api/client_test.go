package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// request is what a fake server was sent.
type request struct {
	Line, Body, Auth, Type, Prefer, Agent string
}

// fake answers every request with a status, headers and a body.
func fake(t *testing.T, status int, header, body string) (*Client, *request) {
	t.Helper()
	got := &request{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*got = request{
			r.Method + " " + r.URL.RequestURI(), string(b), r.Header.Get("Authorization"), r.Header.Get("Content-Type"),
			r.Header.Get("Prefer"), r.Header.Get("User-Agent"),
		}
		for line := range strings.SplitSeq(header, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				w.Header().Set(name, value)
			}
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", Options{Token: func(context.Context) (string, error) { return "tok", nil }, UserAgent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c, got
}

// Each call by the request that it makes.
func TestCalls(t *testing.T) {
	t.Parallel()
	seed := uint64(3)
	const json = "application/json"
	for _, tt := range []struct {
		call func(context.Context, *Client) error
		want request
	}{
		{func(ctx context.Context, c *Client) error { _, err := c.Health(ctx); return err }, request{Line: "GET /health"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Ready(ctx); return err }, request{Line: "GET /health/ready"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Login(ctx, "ann", "pw"); return err }, request{Line: "POST /auth/login", Body: `{"username":"ann","password":"pw"}`, Type: json}},
		{func(ctx context.Context, c *Client) error { return c.Logout(ctx) }, request{Line: "POST /auth/logout"}},
		{func(ctx context.Context, c *Client) error { _, err := c.ChangePassword(ctx, "a", "b"); return err }, request{Line: "POST /auth/password", Body: `{"old_password":"a","new_password":"b"}`, Type: json}},
		{func(ctx context.Context, c *Client) error { _, err := c.Predict(ctx, []float64{1, 2}); return err }, request{Line: "POST /predict", Body: `{"features":[1,2]}`, Type: json}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.PredictByName(ctx, map[string]float64{"a": 1})
			return err
		}, request{Line: "POST /predict", Body: `{"features":{"a":1}}`, Type: json}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.PredictBatch(ctx, [][]float64{{1}, {2}})
			return err
		}, request{Line: "POST /predict/batch", Body: `{"instances":[[1],[2]]}`, Type: json}},
		{func(ctx context.Context, c *Client) error { _, err := c.Generate(ctx, GenerateRequest{}); return err }, request{Line: "POST /generate", Body: `{}`, Type: json}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.Generate(ctx, GenerateRequest{Samples: 5, Seed: &seed, Drift: "label"})
			return err
		}, request{Line: "POST /generate", Body: `{"samples":5,"seed":3,"drift":"label"}`, Type: json}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.Retrain(ctx, RetrainRequest{}, true)
			return err
		}, request{Line: "POST /retrain", Body: `{}`, Type: json}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.Retrain(ctx, RetrainRequest{C: 0.5, TriggerReason: "drift"}, false)
			return err
		}, request{Line: "POST /retrain", Body: `{"c":0.5,"trigger_reason":"drift"}`, Type: json, Prefer: "respond-async"}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.RetrainConditional(ctx, ConditionalRequest{ForceRetrain: true}, true)
			return err
		}, request{Line: "POST /retrain/conditional", Body: `{"force_retrain":true}`, Type: json}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.RetrainConditional(ctx, ConditionalRequest{ForceRetrain: true}, false)
			return err
		}, request{Line: "POST /retrain/conditional", Body: `{"force_retrain":true}`, Type: json, Prefer: "respond-async"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Job(ctx, 7); return err }, request{Line: "GET /jobs/7"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Models(ctx, 5); return err }, request{Line: "GET /models?limit=5"}},
		{func(ctx context.Context, c *Client) error { _, err := c.ModelsBefore(ctx, 7, 5); return err }, request{Line: "GET /models?before=7&limit=5"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Activate(ctx, "v1/x y"); return err }, request{Line: "POST /models/v1%2Fx%20y/activate"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Rollback(ctx); return err }, request{Line: "POST /models/rollback"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Datasets(ctx, 0); return err }, request{Line: "GET /datasets/list"}},
		{func(ctx context.Context, c *Client) error { _, err := c.DatasetsBefore(ctx, 7, 0); return err }, request{Line: "GET /datasets/list?before=7"}},
		{func(ctx context.Context, c *Client) error { return c.DeleteDataset(ctx, 8) }, request{Line: "DELETE /datasets/8"}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.Import(ctx, strings.NewReader("a,y\n"), Upload{Name: "f.csv", Target: "y", Decimal: ",", SkipBad: true})
			return err
		}, request{Line: "POST /datasets?decimal=%2C&name=f.csv&skip_bad=true&target=y", Body: "a,y\n", Type: "text/csv"}},
		{func(ctx context.Context, c *Client) error { _, err := c.History(ctx, 10); return err }, request{Line: "GET /predictions/history?limit=10"}},
		{func(ctx context.Context, c *Client) error { _, err := c.HistoryBefore(ctx, 7, 10); return err }, request{Line: "GET /predictions/history?before=7&limit=10"}},
		{func(ctx context.Context, c *Client) error { _, err := c.HistoryAll(ctx, 0); return err }, request{Line: "GET /predictions/history/all"}},
		{func(ctx context.Context, c *Client) error { _, err := c.HistoryAllBefore(ctx, 7, 10); return err }, request{Line: "GET /predictions/history/all?before=7&limit=10"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Stats(ctx); return err }, request{Line: "GET /predictions/stats"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Trainings(ctx, 0); return err }, request{Line: "GET /training/history"}},
		{func(ctx context.Context, c *Client) error { _, err := c.TrainingsBefore(ctx, 7, 10); return err }, request{Line: "GET /training/history?before=7&limit=10"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Drift(ctx, 0); return err }, request{Line: "GET /drift/history"}},
		{func(ctx context.Context, c *Client) error { _, err := c.SystemLogs(ctx, 0); return err }, request{Line: "GET /logs/system"}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.FilteredLogs(ctx, LogFilter{Level: "INFO", Before: 7, Limit: 10})
			return err
		}, request{Line: "GET /logs/system?before=7&level=INFO&limit=10"}},
		{func(ctx context.Context, c *Client) error { _, err := c.Me(ctx); return err }, request{Line: "GET /auth/me"}},
		{func(ctx context.Context, c *Client) error { _, err := c.ModelInfo(ctx); return err }, request{Line: "GET /model/info"}},
		{func(ctx context.Context, c *Client) error {
			_, err := c.Register(ctx, RegisterRequest{Username: "ann", Email: "a@x.example", Password: "pw"})
			return err
		}, request{Line: "POST /auth/register", Body: `{"username":"ann","email":"a@x.example","password":"pw"}`, Type: json}},
	} {
		c, got := fake(t, 200, "", "{}")
		if err := tt.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", tt.want.Line, err)
		}
		tt.want.Auth, tt.want.Agent = "Bearer tok", "test"
		if diff := cmp.Diff(tt.want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.want.Line, diff)
		}
	}
}

func TestUsersIsAList(t *testing.T) {
	t.Parallel()
	c, _ := fake(t, 200, "", `[{"id":3}]`)
	if got, err := c.Users(t.Context()); err != nil || len(got) != 1 || got[0].ID != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRetrainReplies(t *testing.T) {
	t.Parallel()
	c, _ := fake(t, 202, "Location: /jobs/5", `{"id":5,"state":"running"}`)
	if got, err := c.Retrain(t.Context(), RetrainRequest{}, true); err != nil || got.Done != nil || got.Job.ID != 5 {
		t.Errorf("202: %+v, %v", got, err)
	}
	c, _ = fake(t, 200, "", `{"status":"rejected","champion_accuracy":0.9,"candidate_accuracy":0.8,"job_id":5}`)
	got, err := c.Retrain(t.Context(), RetrainRequest{}, false)
	if err != nil || got.Job != nil || got.Done.Status != StatusRejected || *got.Done.ChampionAccuracy != 0.9 || got.Done.CandidateAccuracy != 0.8 {
		t.Errorf("200: %+v, %v", got, err)
	}
	c, _ = fake(t, 500, "", `no`)
	if got, err := c.Retrain(t.Context(), RetrainRequest{}, true); err == nil || got.Done != nil || got.Job != nil {
		t.Errorf("500: %+v, %v", got, err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		status       int
		header, body string
		want         Problem
	}{
		{
			"a problem", 422, "Content-Type: application/problem+json; charset=utf-8",
			`{"title":"Unprocessable Entity","status":422,"detail":"validation failed","code":"invalid","request_id":"r1","errors":[{"location":"body.samples","message":"must be 1 to 10"}]}`,
			Problem{Title: "Unprocessable Entity", Status: 422, Detail: "validation failed", Code: "invalid", RequestID: "r1", Errors: []FieldError{{Location: "body.samples", Message: "must be 1 to 10"}}},
		},
		{
			"when to come back", 503, "Content-Type: application/problem+json\nRetry-After: 7", `{"title":"Service Unavailable","status":503}`,
			Problem{Title: "Service Unavailable", Status: 503, RetryAfter: 7 * time.Second},
		},
		{
			"a proxy's page", 502, "Content-Type: text/html\nX-Request-ID: r2", "<h1>Bad Gateway</h1>" + strings.Repeat(" x", 500),
			Problem{Title: "Bad Gateway", Status: 502, Detail: ("<h1>Bad Gateway</h1>" + strings.Repeat(" x", 500))[:200], RequestID: "r2"},
		},
		{"a broken problem", 500, "Content-Type: application/problem+json", `{"title":`, Problem{Title: "Internal Server Error", Status: 500, Detail: `{"title":`}},
		{"nothing", 404, "", "", Problem{Title: "Not Found", Status: 404}},
	} {
		c, _ := fake(t, tt.status, tt.header, tt.body)
		_, err := c.ModelInfo(t.Context())
		got := AsProblem(err)
		if got == nil {
			t.Fatalf("%s: %v is no problem", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestProblemInWords(t *testing.T) {
	t.Parallel()
	p := Problem{Status: 422, Title: "Unprocessable Entity", Detail: "validation failed", RequestID: "r1", Errors: []FieldError{{Location: "body.x", Message: "is required"}}}
	if got, want := p.Error(), "422 Unprocessable Entity: validation failed; body.x: is required (request r1)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "-5": 0, "soon": 0, "99999999999": 24 * time.Hour,
		"Mon, 23 Nov 2026 17:01:00 GMT": time.Minute, "Mon, 23 Nov 2026 16:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", header, got, want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost:8000", "ftp://x", "http://", "://", "http://user:hunter2@/x"} {
		if _, err := New(bad, Options{}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("New(%q) = %v, want an error without the password", bad, err)
		}
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	want := errors.New("no secret yet")
	c, err := New(server.URL, Options{Token: func(context.Context) (string, error) { return "", want }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Health(t.Context()); !errors.Is(err, want) {
		t.Errorf("%v, want the token's error", err)
	}
	anonymous, _ := New(server.URL, Options{})
	server.Close()
	if _, err := anonymous.Health(t.Context()); err == nil || AsProblem(err) != nil {
		t.Errorf("a server that is gone: %v", err)
	}
}
