package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

// maxBatch bounds the rows of one transaction of the prediction log, and with them how long others
// wait for the lock.
const maxBatch = 1024

var errClosed = errors.New("closed")

// predictionLog commits predictions in groups: while one transaction is under way the next
// predictions queue up, and go into one transaction together.
type predictionLog struct {
	db    *sql.DB
	opt   Options
	queue chan *logEntry
	pool  sync.Pool
	done  chan struct{} // closed when the last batch is committed
	// mu keeps close from closing the queue under a sender.
	mu     sync.RWMutex
	closed bool
}

// logEntry is a prediction that waits for its commit.
type logEntry struct {
	p    *ml.Prediction
	done chan error // holds the one answer
	// span is the request's, nil unless it is traced. commit is set before done, if the span
	// of the transaction belongs to another request's trace.
	span   trace.Span
	commit trace.SpanContext
}

func newPredictionLog(db *sql.DB, o Options) *predictionLog {
	return &predictionLog{
		db:    db,
		opt:   o,
		queue: make(chan *logEntry, o.QueueSize),
		pool:  sync.Pool{New: func() any { return &logEntry{done: make(chan error, 1)} }},
		done:  make(chan struct{}),
	}
}

func (l *predictionLog) start(m *metrics) {
	go func() {
		defer close(l.done)
		l.run(m)
	}()
}

// close refuses what comes from now on and waits until what came before is committed.
func (l *predictionLog) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
}

// Log appends a prediction to the log and returns when its row is committed. It waits while the
// queue is full, at most as long as ctx lives. Once queued it waits for the commit whatever ctx
// says, for the row can't be taken back.
func (s *Store) Log(ctx context.Context, p *ml.Prediction) error {
	e := s.log.pool.Get().(*logEntry)
	e.p, e.span = p, tracing.Recorded(ctx)
	if err := s.log.enqueue(ctx, e); err != nil {
		return fmt.Errorf("store: log prediction: %w", coded(err))
	}
	err := <-e.done
	if e.commit.IsValid() {
		e.span.AddLink(trace.Link{SpanContext: e.commit})
	}
	e.p, e.span, e.commit = nil, nil, trace.SpanContext{}
	s.log.pool.Put(e)
	if err != nil {
		return fmt.Errorf("store: log prediction: %w", coded(err))
	}
	return nil
}

func (l *predictionLog) enqueue(ctx context.Context, e *logEntry) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return errClosed
	}
	select {
	case l.queue <- e:
		return nil
	default:
	}
	select {
	case l.queue <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run commits batch after batch until the queue is closed and empty.
func (l *predictionLog) run(m *metrics) {
	entries := make([]*logEntry, 0, maxBatch)
	batch := predictionBatch{
		rows: make([]*ml.Prediction, 0, maxBatch),
		errs: make([]error, 0, maxBatch),
	}
	callers := 0 // that are expected to come back together
	for first := range l.queue {
		start := time.Now()
		callers = max(len(entries), callers*7/8)
		l.gather(callers)
		entries = l.collect(append(entries[:0], first))
		batch.reset()
		for _, e := range entries {
			batch.rows = append(batch.rows, e.p)
		}
		span := commitSpan(entries)
		err := batch.commit(context.Background(), l.db, &l.opt)
		tracing.End(span, err)
		m.batchRows.Observe(float64(len(entries)))
		m.commit.Observe(time.Since(start).Seconds())
		for i, e := range entries {
			e.done <- batch.errorOf(i, err)
		}
	}
}

// maxLinks bounds the requests that the span of a commit names.
const maxLinks = 32

// commitSpan begins the span of a transaction that serves traced requests: as part of the first one's
// trace, and linked with the others.
func commitSpan(entries []*logEntry) trace.Span {
	span := trace.SpanFromContext(context.Background())
	links := 0
	for _, e := range entries {
		switch {
		case e.span == nil:
		case !span.IsRecording():
			_, span = tracing.Start(trace.ContextWithSpan(context.Background(), e.span), commitName)
			span.SetAttributes(attribute.Int("rows", len(entries)))
		case links < maxLinks:
			span.AddLink(trace.Link{SpanContext: e.span.SpanContext()})
			e.commit = span.SpanContext()
			links++
		}
	}
	return span
}

const commitName = "commit predictions"

// How long a batch waits for the callers of the one before, and how often it looks for them.
const (
	gatherLimit = 200 * time.Microsecond
	gatherStep  = 5 * time.Microsecond
)

// gather gives the callers of the last batches, who were answered together and will mostly ask again
// together, a moment to come back: a commit costs as much as thirty rows, and the wait less than a
// commit. How many they are is forgotten slowly, or one early caller, committed alone, would start a
// series of small batches that never ends. A single caller never waits. PostgreSQL's commit_delay with
// commit_siblings is the same bargain.
func (l *predictionLog) gather(callers int) {
	for end := time.Now().Add(gatherLimit); len(l.queue)+1 < callers && time.Now().Before(end); {
		time.Sleep(gatherStep)
	}
}

// collect adds to entries what has queued up meanwhile.
func (l *predictionLog) collect(entries []*logEntry) []*logEntry {
	for len(entries) < maxBatch {
		select {
		case e, ok := <-l.queue:
			if !ok {
				return entries
			}
			entries = append(entries, e)
		default:
			return entries
		}
	}
	return entries
}

// LogBatch appends predictions to the log in one transaction: all of them or none.
func (s *Store) LogBatch(ctx context.Context, ps []ml.Prediction) error {
	if len(ps) == 0 {
		return nil
	}
	batch := predictionBatch{rows: make([]*ml.Prediction, len(ps)), atomic: true}
	for i := range ps {
		batch.rows[i] = &ps[i]
	}
	err := tracing.Do(ctx, commitName, func(ctx context.Context) error { return batch.commit(ctx, s.writer, &s.opt) })
	if err != nil {
		return fmt.Errorf("store: log %d predictions: %w", len(ps), coded(err))
	}
	return nil
}
