package queue

import (
	"context"
	"strconv"

	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/tracing"
)

// maxTraced is how many attempts of a job belong to the trace of who asked for it. A message to a Discord
// that is away for days is tried each half minute, and each later try is a trace of its own.
const maxTraced = 8

// traced is the metadata of a job that is asked for in a trace, nil outside of one.
func traced(ctx context.Context) []byte {
	carried := tracing.Carried(ctx)
	if carried == "" {
		return nil
	}
	return []byte(`{"trace":` + strconv.Quote(carried) + `}`)
}

// inTrace puts the attempt of a job into the trace of who asked for it.
func inTrace(ctx context.Context, row *rivertype.JobRow) context.Context {
	m := readMetadata(row)
	if row.Attempt > maxTraced || m.Failures >= maxTraced {
		return ctx
	}
	return tracing.Continue(ctx, m.Trace)
}

// begin begins the span of an attempt.
func (q *Queue) begin(ctx context.Context, row *rivertype.JobRow) (context.Context, trace.Span) {
	ctx, span := tracing.Root(ctx, q.options.Tracer, "job "+row.Kind, trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(attribute.Int64("job.id", row.ID), attribute.Int("job.attempt", row.Attempt))
	}
	return ctx, span
}
