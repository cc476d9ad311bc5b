package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter is one whose errors and delays are the test's.
type exporter struct {
	export func(spans int) error
	stop   func()
}

func (e exporter) ExportSpans(_ context.Context, batch []sdktrace.ReadOnlySpan) error {
	return e.export(len(batch))
}

func (e exporter) Shutdown(context.Context) error {
	if e.stop != nil {
		e.stop()
	}
	return nil
}

// loss is a line of the log that tells of lost spans.
type loss struct {
	Spans      int
	Msg, Error string
}

// queueOf gives what ends n spans, and what stops the queue and reads what was logged of lost spans.
func queueOf(t *testing.T, export func(spans int) error) (end func(n int), stop func() (lost []loss)) {
	t.Helper()
	var out bytes.Buffer
	queue := newSpanQueue(exporter{export: export}, slog.New(slog.NewJSONHandler(&out, nil)))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(queue))
	end = func(n int) {
		for range n {
			_, span := provider.Tracer("test").Start(t.Context(), "span")
			span.End()
		}
	}
	stop = func() (lost []loss) {
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for lines := json.NewDecoder(&out); lines.More(); {
			var line loss
			if err := lines.Decode(&line); err != nil {
				t.Fatal(err)
			}
			lost = append(lost, line)
		}
		return lost
	}
	return end, stop
}

// TestLostSpansAreLoggedOnceAMinute: the library itself would tell a handler that is global, of each batch.
func TestLostSpansAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		end, stop := queueOf(t, func(int) error { return errors.New("broken") })
		for range 100 { // in one minute and two thirds
			end(1)
			<-time.After(time.Second)
		}
		lost := stop()
		if len(lost) != 2 || lost[0].Spans < 1 || lost[0].Spans+lost[1].Spans < 60 || lost[0].Spans+lost[1].Spans > 100 {
			t.Errorf("logged as lost: %+v, want twice, and those of a minute", lost)
		}
	})
}

// TestTheLastErrorOfAQuietMinuteIsTold: with the next line, though all goes well by then.
func TestTheLastErrorOfAQuietMinuteIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := []error{errors.New("first"), errors.New("second"), errors.New("third"), nil}
		end, stop := queueOf(t, func(int) error {
			defer func() { answers = answers[1:] }()
			return answers[0]
		})
		for _, wait := range []time.Duration{complainEvery / 3, complainEvery / 3, complainEvery, 0} {
			end(1)
			<-time.After(wait)
		}
		lost := stop()
		if len(lost) != 2 || lost[0].Error != "first" || lost[1].Error != "third" || lost[1].Spans != 2 {
			t.Errorf("logged as lost: %+v, want the first, then two by the third", lost)
		}
	})
}

// TestSpansThatFindTheQueueFullAreLogged: the library says nothing of them.
func TestSpansThatFindTheQueueFullAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken := make(chan struct{})
		end, stop := queueOf(t, func(int) error { <-taken; return nil })
		end(spanBatch)
		synctest.Wait()      // these are on their way
		end(queuedSpans + 7) // if one waited for the collector, that would be for good
		close(taken)
		<-time.After(2 * complainEvery)
		end(1)
		if lost := stop(); len(lost) != 1 || lost[0].Spans != 7 || lost[0].Error != errQueueFull.Error() {
			t.Errorf("logged as lost: %+v, want 7 for want of room", lost)
		}
	})
}

// TestNoSpanThatWaitsIsLost: a queue that is just full has lost nothing.
func TestNoSpanThatWaitsIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken, sent := make(chan struct{}), 0
		end, stop := queueOf(t, func(spans int) error { <-taken; sent += spans; return nil })
		end(spanBatch)
		synctest.Wait()
		end(queuedSpans)
		close(taken)
		if lost := stop(); len(lost) != 0 || sent != spanBatch+queuedSpans {
			t.Errorf("%d spans were sent, logged as lost: %+v, want all and none", sent, lost)
		}
	})
}

// TestTheStopLeavesNobodySending: the library by itself goes on with what it has begun.
func TestTheStopLeavesNobodySending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stopped, sent := make(chan struct{}), false
		queue := newSpanQueue(exporter{
			export: func(int) error {
				<-stopped
				<-time.After(time.Second)
				sent = true
				return nil
			},
			stop: sync.OnceFunc(func() { close(stopped) }),
		}, slog.New(slog.DiscardHandler))
		_, span := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(queue)).Tracer("test").Start(t.Context(), "span")
		span.End()
		ctx, cancel := context.WithTimeout(t.Context(), flushTimeout)
		defer cancel()
		start := time.Now()
		if err := queue.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !sent {
			t.Errorf("error %v, sent %t: want one of time, and nothing under way", err, sent)
		}
		if took := time.Since(start); took != flushTimeout+time.Second {
			t.Errorf("the stop took %v, want what it has and what the exporter takes to give up", took)
		}
	})
}
