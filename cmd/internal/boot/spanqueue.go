package boot

import (
	"context"
	"log/slog"
	"sync"
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

// spanQueue keeps spans until there are enough of them, or some time has passed, and sends them. The
// library's own queue wakes its sender at each span, which costs a busy process more than the span. It would hand
// errors to a handler that is global, too; here they are logged.
type spanQueue struct {
	exporter sdktrace.SpanExporter
	log      *slog.Logger
	enough   chan struct{} // has one when a batch is full
	cancel   context.CancelFunc
	stop     chan struct{} // closed at the stop
	done     chan struct{} // closed after it

	mu      sync.Mutex
	waiting []sdktrace.ReadOnlySpan
	lost    int // since it was said
	stopped bool

	quiet time.Time // until then nothing is said of lost spans; the sender's alone
}

func newSpanQueue(exporter sdktrace.SpanExporter, log *slog.Logger) *spanQueue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &spanQueue{
		exporter: exporter, log: log, cancel: cancel,
		enough: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go func() {
		defer close(q.done)
		q.run(ctx)
	}()
	return q
}

// OnStart implements sdktrace.SpanProcessor.
func (q *spanQueue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (q *spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	q.mu.Lock()
	if q.stopped || len(q.waiting) == queuedSpans {
		q.lost++
		q.mu.Unlock()
		return
	}
	q.waiting = append(q.waiting, s)
	enough := len(q.waiting)%spanBatch == 0
	q.mu.Unlock()
	if enough {
		select {
		case q.enough <- struct{}{}:
		default:
		}
	}
}

// ForceFlush implements sdktrace.SpanProcessor. Nobody asks for it.
func (q *spanQueue) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdktrace.SpanProcessor: it sends what waits as long as ctx lives.
func (q *spanQueue) Shutdown(ctx context.Context) error {
	q.mu.Lock()
	again := q.stopped
	q.stopped = true
	q.mu.Unlock()
	if again {
		return nil
	}
	close(q.stop)
	select {
	case <-q.done:
	case <-ctx.Done():
		q.cancel()
		<-q.done
	}
	q.cancel()
	return q.exporter.Shutdown(ctx)
}

func (q *spanQueue) run(ctx context.Context) {
	tick := time.NewTicker(spanDelay)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-q.enough:
		case <-q.stop:
			q.send(ctx)
			return
		}
		q.send(ctx)
	}
}

// send sends all that waits, a batch at a time. A batch that is not taken is lost, and no later one waits
// for it.
func (q *spanQueue) send(ctx context.Context) {
	for {
		q.mu.Lock()
		n := min(len(q.waiting), spanBatch)
		batch := q.waiting[:n:n]
		if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
			q.waiting = nil
		}
		q.mu.Unlock()
		if n == 0 {
			return
		}
		sending, cancel := context.WithTimeout(ctx, exportTimeout)
		err := q.exporter.ExportSpans(sending, batch)
		cancel()
		q.complain(ctx, err, n)
	}
}

// complain tells of spans that were lost, once a minute.
func (q *spanQueue) complain(ctx context.Context, err error, batch int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.lost += batch
	}
	if q.lost == 0 || time.Now().Before(q.quiet) {
		return
	}
	q.quiet = time.Now().Add(complainEvery)
	q.log.WarnContext(ctx, "spans are lost: the collector does not take them, or not fast enough", "spans", q.lost, "error", err)
	q.lost = 0
}
