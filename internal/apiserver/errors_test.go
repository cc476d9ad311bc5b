package apiserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func TestFailureOf(t *testing.T) {
	t.Parallel()
	wrap := func(err error) error { return fmt.Errorf("store: do what: %w", err) }
	for _, tt := range []struct {
		name   string
		err    error
		status int
		header string // that must be there
	}{
		{"invalid", ml.Errorf(ml.CodeInvalid, "x"), 422, ""},
		{"unauthorized", ml.Errorf(ml.CodeUnauthorized, "x"), 401, "WWW-Authenticate"},
		{"forbidden", ml.Errorf(ml.CodeForbidden, "x"), 403, ""},
		{"not found", ml.Errorf(ml.CodeNotFound, "x"), 404, ""},
		{"conflict", ml.Errorf(ml.CodeConflict, "x"), 409, ""},
		{"too large", ml.Errorf(ml.CodeTooLarge, "x"), 413, ""},
		{"unprocessable", ml.Errorf(ml.CodeUnprocessed, "x"), 422, ""},
		{"unavailable", ml.Errorf(ml.CodeUnavailable, "x"), 503, "Retry-After"},
		{"storage full", ml.Errorf(ml.CodeStorageFull, "x"), 507, ""},
		{"not writable", ml.Errorf(ml.CodeNotWritable, "x"), 507, ""},
		{"unknown code", ml.Errorf("strange", "secret detail"), 500, ""},
		{"no code", errors.New("secret detail"), 500, ""},
		{"disk full", &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, 507, ""},
		{"over quota", syscall.EDQUOT, 507, ""},
		{"body over a limit", &http.MaxBytesError{Limit: 10}, 413, ""},
		{"body too slow", os.ErrDeadlineExceeded, 408, ""},
		{"body cut off", io.ErrUnexpectedEOF, 400, ""},
		{"client gone", context.Canceled, 499, ""},
		{"took too long", context.DeadlineExceeded, 503, "Retry-After"},
	} {
		for _, err := range []error{tt.err, wrap(tt.err)} {
			f := failureOf(err)
			if f.Status != tt.status || f.Title == "" || f.Code == "" || f.Detail == "" {
				t.Errorf("%s: %+v, want status %d", tt.name, f.Problem, tt.status)
			}
			if tt.header != "" && f.header.Get(tt.header) == "" {
				t.Errorf("%s: no %s", tt.name, tt.header)
			}
			if strings.Contains(f.Detail, "secret") || strings.Contains(f.Detail, "store:") {
				t.Errorf("%s: tells %q", tt.name, f.Detail)
			}
			if !errors.Is(f, tt.err) && !errors.Is(f.cause, tt.err) {
				t.Errorf("%s: the cause is lost", tt.name)
			}
		}
	}
}

// What went wrong inside is in the log, with the id that the client is told, and not in the answer.
func TestInternalErrorIsToldToTheLogOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fail = errors.New("no such table: users")
	for _, path := range []string{"/auth/me", "/datasets/list"} {
		p := problem(t, b.send(t, "GET", path, "user", ""), 500)
		if p.Code != "internal" || strings.Contains(p.Detail, "table") {
			t.Errorf("%s: %+v", path, p)
		}
		line := lineWith(b.log.String(), p.RequestID)
		if !strings.Contains(line, "no such table: users") || !strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("%s: log line %q", path, line)
		}
	}
}

// lineWith is the first line of a log with a text.
func lineWith(log, text string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

func TestErrorsOfHandlersAreProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fail = ml.Errorf(ml.CodeStorageFull, "the disk is full")
	for _, path := range []string{"/generate", "/retrain", "/retrain/conditional?x"} {
		body := ""
		if strings.HasPrefix(path, "/retrain/") {
			body = `{"force_retrain":true}`
		}
		problem(t, b.send(t, "POST", path, "user", body), 507)
	}
	problem(t, b.send(t, "POST", "/predict", "user", `{"features":[1,2]}`), 507)
	b.fail = ml.Errorf(ml.CodeUnavailable, "the database is locked by another process")
	r := b.send(t, "POST", "/predict", "user", `{"features":[1,2]}`)
	if p := problem(t, r, 503); p.Code != "unavailable" || r.Header.Get("Retry-After") != "1" {
		t.Errorf("%+v, Retry-After %q", p, r.Header.Get("Retry-After"))
	}
}

func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "late" {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
			}
			panic("very secret")
		})
	})
	r := b.send(t, "GET", "/metrics", "", "")
	if p := problem(t, r, 500); strings.Contains(r.body, "secret") || p.Code != "internal" {
		t.Errorf("answer %s", r.body)
	}
	if log := b.log.String(); !strings.Contains(log, "very secret") || !strings.Contains(log, "serve.go") {
		t.Error("the log has no panic or no stack")
	}
	// Half an answer is cut off, so that nobody takes it for a whole one.
	resp, err := http.Get(b.server.URL() + "/metrics?late")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("an answer that panicked half way looks whole")
	}
	if b.send(t, "GET", "/health", "", "").StatusCode != 200 {
		t.Error("the server is gone")
	}
}

func TestShownKeepsSecretsAndLongValuesBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		location string
		value    any
		shown    bool
	}{
		{"body.samples", 0.0, true},
		{"body.drift", "x", true},
		{"body.drift", strings.Repeat("x", 101), false},
		{"body.password", "abc", false},
		{"body.old_password", "abc", false},
		{"body", map[string]any{"password": "abc"}, false},
		{"body.list", []any{1.0}, false},
		{"body.c", unmarshalTree(t, `1e400`), false}, // JSON has no infinity
	} {
		if got := shown(tt.location, tt.value); (got != nil) != tt.shown {
			t.Errorf("shown(%s, %v) = %v, want shown %v", tt.location, tt.value, got, tt.shown)
		}
	}
}

func unmarshalTree(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// An answer has words of JSON, not of this program, and never the body that could not be read.
func TestErrorsOfDecodingAreWorded(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"username":5}`: "username is of a wrong kind: number",
		`[]`:             "it is of a wrong kind: array",
		`{"username":`:   "has a value of a wrong kind", // the check of the syntax comes first
	} {
		err := unmarshal([]byte(body), new(api.LoginRequest))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
			continue
		}
		if got := fieldOf(&huma.ErrorDetail{Location: "body", Message: err.Error(), Value: body}); got.Value != nil {
			t.Errorf("%s is repeated: %+v", body, got)
		}
	}
}

func TestFieldOf(t *testing.T) {
	t.Parallel()
	got := fieldOf(&huma.ErrorDetail{Location: "body", Message: "expected required property password to be present", Value: map[string]any{"username": "x"}})
	if got.Location != "body.password" || got.Message != "is required" || got.Value != nil {
		t.Errorf("%+v", got)
	}
}

func TestEveryFieldIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct {
		path, who, body string
		want            []string
	}{
		{"/auth/login", "", `{}`, []string{"body.password", "body.username"}},
		{"/auth/login", "", `{"username":1,"password":["x"]}`, []string{"body.password", "body.username"}},
		{"/auth/login", "", `{"username":"","password":""}`, []string{"body.password", "body.username"}},
		{"/auth/register", "admin", `{"username":"a b","email":"no","password":"short","role":"service"}`, []string{"body.email", "body.password", "body.role", "body.username"}},
		{"/auth/password", "user", `{"old_password":"x","new_password":"short"}`, []string{"body.new_password"}},
		{"/generate", "user", `{"samples":0,"seed":-1,"drift":"x","magnitude":11}`, []string{"body.drift", "body.magnitude", "body.samples", "body.seed"}},
		{"/generate", "user", `{"samples":-1}`, []string{"body.samples"}},
		{"/generate", "user", `{"samples":1e9}`, []string{"body.samples"}},
		{"/generate", "user", `{"samples":1e400}`, []string{"body.samples"}},
		{"/generate", "user", `{"samples":1.5}`, []string{"body.samples"}},
		{"/generate", "user", `{"samples":"many"}`, []string{"body.samples"}},
		{"/generate", "user", `{"samples":"NaN"}`, []string{"body.samples"}},
		{"/generate", "user", `{"samples":null}`, []string{"body.samples"}},
		{"/generate", "user", `{"samples":true}`, []string{"body.samples"}},
		{"/generate", "user", `{"magnitude":1e400}`, []string{"body.magnitude"}},
		{"/generate", "user", `[]`, []string{"body"}},
		{"/retrain", "user", `{"c":0,"dataset_id":0,"seed":1e300,"balanced":"yes","trigger_reason":"whim"}`, []string{"body.balanced", "body.c", "body.dataset_id", "body.seed", "body.trigger_reason"}},
		{"/retrain", "user", `{"c":1e400}`, []string{"body.c"}},
		{"/retrain", "user", `{"dataset_id":99}`, []string{"body.dataset_id"}},
		{"/retrain/conditional", "user", `{"accuracy_threshold":1.5,"force_retrain":1}`, []string{"body.accuracy_threshold", "body.force_retrain"}},
		{"/predict", "user", `{"features":[1e400,"x"]}`, []string{"body.features[0]", "body.features[1]"}},
	} {
		p := problem(t, b.send(t, "POST", tt.path, tt.who, tt.body), 422)
		got := fields(p)
		slices.Sort(got)
		if !slices.Equal(got, tt.want) || p.Code != "invalid" {
			t.Errorf("POST %s %s: fields %v, want %v", tt.path, tt.body, got, tt.want)
		}
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=-5", "limit=x", "limit=1.5"} {
		if got := fields(problem(t, b.send(t, "GET", "/predictions/history?"+query, "user", ""), 422)); !slices.Equal(got, []string{"query.limit"}) {
			t.Errorf("%s: fields %v", query, got)
		}
	}
	if len(b.generated)+len(b.enqueued) != 0 {
		t.Error("something was done all the same")
	}
}
