package boot

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Bounds of the sending of spans. What does not fit into the queue is dropped: no request waits for a
// collector.
const (
	queuedSpans   = 4096
	spanBatch     = 512
	spanDelay     = 2 * time.Second
	exportTimeout = 5 * time.Second
	complainEvery = time.Minute
)

// spanQueue is the library's queue, with a count of what it is given and a stop that ends.
type spanQueue struct {
	sdktrace.SpanProcessor
	sender *spanSender
}

func newSpanQueue(exporter sdktrace.SpanExporter, log *slog.Logger) *spanQueue {
	s := &spanSender{SpanExporter: exporter, log: log, done: make(chan struct{})}
	// Each bound is given, so that none comes from the environment past our settings.
	return &spanQueue{sender: s, SpanProcessor: sdktrace.NewBatchSpanProcessor(s,
		sdktrace.WithMaxQueueSize(queuedSpans), sdktrace.WithMaxExportBatchSize(spanBatch),
		sdktrace.WithBatchTimeout(spanDelay), sdktrace.WithExportTimeout(exportTimeout),
	)}
}

// OnEnd implements sdktrace.SpanProcessor.
func (q *spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	q.SpanProcessor.OnEnd(s)
	q.sender.ended.Add(1) // only now, or a span that is about to wait would be held lost
}

// Shutdown implements sdktrace.SpanProcessor: it sends what waits as long as ctx lives. The library alone would
// return then, and go on sending with nobody waiting for it.
func (q *spanQueue) Shutdown(ctx context.Context) error {
	err := q.SpanProcessor.Shutdown(ctx)
	_ = q.sender.SpanExporter.Shutdown(ctx) // calls off what is under way; the library has done it if all was sent
	<-q.sender.done
	return err
}

// spanSender is an exporter that logs what is lost. The library tells a handler that is global of batches that were not
// taken, and nobody of spans that found the queue full. Its methods are the queue's alone, one at a time.
type spanSender struct {
	sdktrace.SpanExporter
	log   *slog.Logger
	done  chan struct{} // closed at the end of the queue
	ended atomic.Int64  // spans that were given to the queue

	tried, failed, dropped int64     // spans that left the queue; those that were not taken; those that never got into it
	told                   int64     // of the lost ones
	cause                  error     // of the last that were lost and not told of
	quiet                  time.Time // until then nothing is said of lost spans
}

var errQueueFull = errors.New("the queue was full: the collector does not take them fast enough")

// ExportSpans implements sdktrace.SpanExporter. It gives no error, for that would go to the global handler.
func (s *spanSender) ExportSpans(ctx context.Context, batch []sdktrace.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, batch)
	s.tried += int64(len(batch))
	if err != nil {
		s.failed += int64(len(batch))
		s.cause = err
	}
	// No more can wait than fit: that is exact while the queue is full, and too few later.
	if dropped := s.ended.Load() - s.tried - queuedSpans; dropped > s.dropped {
		s.dropped = dropped
		s.cause = cmp.Or(s.cause, errQueueFull) // what was refused may be why it is full
	}
	s.complain(ctx)
	return nil
}

// complain tells of spans that were lost, once a minute. Whether the collector or this process is to blame is the
// error's to say.
func (s *spanSender) complain(ctx context.Context) {
	lost := s.failed + s.dropped
	if lost == s.told || time.Now().Before(s.quiet) {
		return
	}
	s.log.WarnContext(ctx, "spans are lost", "spans", lost-s.told, "error", s.cause)
	s.told, s.cause, s.quiet = lost, nil, time.Now().Add(complainEvery)
}

// Shutdown implements sdktrace.SpanExporter.
func (s *spanSender) Shutdown(ctx context.Context) error {
	defer close(s.done)
	return s.SpanExporter.Shutdown(ctx)
}
