package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"iacontinu/internal/ml"
)

// TestStatementsAreShownWithoutTheirValues follows an account through gorm, the writer and the read pool.
func TestStatementsAreShownWithoutTheirValues(t *testing.T) {
	t.Parallel()
	s := setup(t)
	kept := tracetest.NewInMemoryExporter()
	ctx, root := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)).Tracer("test").Start(t.Context(), "root")
	made, err := s.CreateUser(ctx, ml.Credentials{
		User: ml.User{Username: "canary-name", Email: "canary@x.example", Role: ml.RoleUser, Active: true}, PasswordHash: "canary-hash",
	})
	ok(t, err)
	_, err = s.User(ctx, made.ID)
	ok(t, err)
	root.End()
	names := map[string]bool{}
	for _, span := range kept.GetSpans() {
		names[span.Name] = true
		for _, a := range span.Attributes {
			if strings.Contains(a.Value.String(), "canary") {
				t.Errorf("%s shows a value: %s=%s", span.Name, a.Key, a.Value.String())
			}
		}
	}
	for _, name := range []string{"sql INSERT users", "sql SELECT users"} {
		if !names[name] {
			t.Errorf("no span %q, but %v", name, names)
		}
	}
}

// TestStatementsAreCutAtACharacter: half of one would have the whole batch of spans refused.
func TestStatementsAreCutAtACharacter(t *testing.T) {
	t.Parallel()
	s := setup(t)
	kept := tracetest.NewInMemoryExporter()
	ctx, root := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)).Tracer("test").Start(t.Context(), "root")
	for _, before := range []string{"", "x"} { // one of both has a character across the bound, wherever it is
		var text string
		ok(t, s.Reader().QueryRowContext(ctx, "SELECT '"+before+strings.Repeat("é", 500)+"'").Scan(&text))
	}
	root.End()
	cut := 0
	for _, span := range kept.GetSpans() {
		for _, a := range span.Attributes {
			if !utf8.ValidString(a.Value.String()) {
				t.Errorf("%s shows half a character: %q", a.Key, a.Value.String())
			}
			if strings.Contains(a.Value.String(), "éé") {
				cut++
			}
		}
	}
	if cut != 2 {
		t.Errorf("%d statements were shown, want 2", cut)
	}
}

// TestCommitsAreTracedOnce: predictions that are committed together share one span of the commit, a part of one
// request and linked with the others.
func TestCommitsAreTracedOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	kept := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)).Tracer("test")
	const callers = 30 // fewer than a commit names
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			ctx, span := tracer.Start(context.Background(), "predict")
			defer span.End()
			if err := s.Log(ctx, &ml.Prediction{ModelVersion: "v", Features: []float64{1, 2}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	linked, commits := 0, map[string]bool{}
	for _, span := range kept.GetSpans() {
		if span.Name == "predict" {
			linked += len(span.Links)
			continue
		}
		commits[span.SpanContext.SpanID().String()] = true
		if !span.Parent.IsValid() {
			t.Errorf("the commit %v is no part of a request", span.SpanContext.SpanID())
		}
	}
	if len(commits) == 0 || linked+len(commits) != callers {
		t.Errorf("%d commits, and %d requests linked with one: want %d in all", len(commits), linked, callers)
	}
}
