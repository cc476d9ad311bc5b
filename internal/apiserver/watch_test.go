package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"iacontinu/internal/ml"
)

// However many wait for a job, one looks at it; whoever comes beyond the limit gets its address at once.
func TestManyWaitForOneRetraining(t *testing.T) {
	t.Parallel()
	gate := &gatedProgress{open: make(chan struct{})}
	b := setup(t, func(w *world, o *Options) { gate.world, o.Progress = w, gate })
	answers := make(chan reply, callerWaiters+1)
	for range callerWaiters {
		go func() { answers <- b.send(t, "POST", "/retrain", "user", "") }()
	}
	for b.waiting() < callerWaiters {
	}
	if n := gate.looks.Load(); n > 1 {
		t.Errorf("%d look at one job", n)
	}
	close(gate.open)
	r := b.send(t, "POST", "/retrain", "user", "")
	if r.StatusCode != http.StatusAccepted || r.Header.Get("Location") != "/jobs/5" || r.Header.Get("Retry-After") == "" {
		t.Errorf("one more: %d %s", r.StatusCode, r.body)
	}
	go func() { answers <- b.send(t, "POST", "/retrain", "other", "") }() // another caller may still wait
	for b.waiting() < callerWaiters+1 {
	}
	b.finish(better())
	for range callerWaiters + 1 {
		if r := <-answers; r.StatusCode != http.StatusOK {
			t.Errorf("answer %d %s", r.StatusCode, r.body)
		}
	}
	if n := b.waiting(); n != 0 {
		t.Errorf("%d wait after the end", n)
	}
}

// gatedProgress counts the looks, each of which waits until it is open.
type gatedProgress struct {
	*world
	looks atomic.Int64
	open  chan struct{}
}

func (g *gatedProgress) Progress(ctx context.Context, id int64) (ml.JobProgress, error) {
	g.looks.Add(1)
	<-g.open
	return g.world.Progress(ctx, id)
}

// waiting is the number of requests that wait for retrainings.
func (b *testBundle) waiting() int {
	return b.server.watches.places.InUse()
}

func untilStopped(ctx context.Context, _ int64) (*ml.RetrainResult, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTheLastToLeaveEndsTheLooking(t *testing.T) {
	t.Parallel()
	m := newWatches(untilStopped)
	first, leaveFirst := m.join(5, "a")
	second, leaveSecond := m.join(5, "b")
	if first != second {
		t.Fatal("two looks at one job")
	}
	leaveFirst()
	select {
	case <-first.done:
		t.Error("ended with one waiting")
	default:
	}
	leaveSecond()
	<-first.done
	if again, leave := m.join(5, "a"); again == first {
		t.Error("who comes later is given a look that has ended")
	} else {
		leave()
	}
	m.close()
}

func TestWaitersAreBoundedInAll(t *testing.T) {
	t.Parallel()
	m := newWatches(untilStopped)
	for i := range maxWaiters {
		if w, _ := m.join(int64(i), fmt.Sprint(i)); w == nil {
			t.Fatalf("waiter %d refused", i)
		}
	}
	if w, _ := m.join(1, "one more"); w != nil {
		t.Error("one more was let in")
	}
	m.close() // ends all, and waits for it
	if w, _ := m.join(1, "late"); w != nil {
		t.Error("joined after the close")
	}
}

func TestPanicOfALookIsAnErrorToThoseWhoWait(t *testing.T) {
	t.Parallel()
	m := newWatches(func(context.Context, int64) (*ml.RetrainResult, error) { panic("oh") })
	w, leave := m.join(5, "a")
	<-w.done
	leave()
	if w.err == nil || !strings.Contains(w.err.Error(), "panic: oh") {
		t.Errorf("error %v", w.err)
	}
	m.close()
}
