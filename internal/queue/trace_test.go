package queue

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

// asked is a context within a trace.
func asked(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

// TestAJobIsPartOfTheTraceOfWhoAsked: the job's row carries it, whichever way the job was asked for.
func TestAJobIsPartOfTheTraceOfWhoAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := asked(t.Context())
	_, _, err := b.q.EnqueueRetrain(ctx, ml.RetrainArgs{RequestedBy: "ann"})
	must(t, err)
	must(t, b.q.EnqueueNotify(ctx, ml.Event{Topic: "notify"}))
	_, err = b.q.EnqueueTest(ctx, ml.Event{Topic: "test"}, "ann")
	must(t, err)
	tx, err := b.db.BeginTx(ctx, nil)
	must(t, err)
	must(t, b.q.EnqueueNotifyTx(ctx, tx, ml.Event{Topic: "with others"}))
	must(t, tx.Commit())
	must(t, b.q.EnqueueNotify(t.Context(), ml.Event{Topic: "outside"}))
	type done struct{ job, carried string }
	jobs := make(chan done, 5)
	work(t, b.q, Handlers{
		Retrain: func(ctx context.Context, _ int64, _ time.Time, _ ml.RetrainArgs) error {
			jobs <- done{"retrain", tracing.Carried(ctx)}
			return nil
		},
		Notify: func(ctx context.Context, e ml.Event) (time.Duration, error) {
			jobs <- done{string(e.Topic), tracing.Carried(ctx)}
			return 0, nil
		},
	})
	for range cap(jobs) {
		want := tracing.Carried(ctx)
		job := receive(t, jobs, "a job")
		if job.job == "outside" {
			want = ""
		}
		if job.carried != want {
			t.Errorf("%s is done at %q of a trace, want %q", job.job, job.carried, want)
		}
	}
}

// TestLateAttemptsAreTracesOfTheirOwn: a trace that grew for days could not be looked at.
func TestLateAttemptsAreTracesOfTheirOwn(t *testing.T) {
	t.Parallel()
	carried := tracing.Carried(asked(t.Context()))
	for _, c := range []struct {
		attempt, failures int
		within            bool
	}{{1, 0, true}, {maxTraced, 0, true}, {maxTraced + 1, 0, false}, {1, maxTraced - 1, true}, {1, maxTraced, false}} {
		row := &rivertype.JobRow{Attempt: c.attempt, Metadata: fmt.Appendf(nil, `{"trace":%q,"failures":%d}`, carried, c.failures)}
		if got := tracing.Carried(inTrace(t.Context(), row)) == carried; got != c.within {
			t.Errorf("attempt %d after %d failures is part of the trace: %t, want %t", c.attempt, c.failures, got, c.within)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
