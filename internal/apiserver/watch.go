package apiserver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"iacontinu/internal/bounds"
	"iacontinu/internal/ml"
)

// How many requests may wait for retrainings: of one caller, and in all.
const (
	callerWaiters = 32
	maxWaiters    = 256
)

// watches let any number of requests wait for a job at the cost of one that looks at it.
type watches struct {
	follow func(ctx context.Context, job int64) (*ml.RetrainResult, error)
	going  sync.WaitGroup

	places *bounds.Places

	mu     sync.Mutex
	jobs   map[int64]*watch
	closed bool
}

// watch is the wait for one job.
type watch struct {
	cancel  context.CancelFunc
	waiters int // guarded by watches.mu

	done   chan struct{} // closed when result and err are set
	result *ml.RetrainResult
	err    error
}

func newWatches(follow func(context.Context, int64) (*ml.RetrainResult, error)) *watches {
	return &watches{follow: follow, places: bounds.NewPlaces(maxWaiters, callerWaiters), jobs: map[int64]*watch{}}
}

// join is the wait for a job, which begins with its first waiter and ends with its last. It is nil if
// too many wait already. Whoever has joined must call leave.
func (m *watches) join(job int64, caller string) (w *watch, leave func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil
	}
	giveBack, _ := m.places.Take(caller)
	if giveBack == nil {
		return nil, nil
	}
	w = m.jobs[job]
	if w == nil {
		w = m.start(job)
	}
	w.waiters++
	return w, func() {
		m.leave(w, job)
		giveBack()
	}
}

// start begins to look at a job. No request's context is used: each may end before the others.
func (m *watches) start(job int64) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{cancel: cancel, done: make(chan struct{})}
	m.jobs[job] = w
	m.going.Go(func() {
		defer cancel()
		m.run(ctx, w, job)
		m.forget(w, job) // first: who comes now needs a fresh look
		close(w.done)
	})
	return w
}

func (m *watches) run(ctx context.Context, w *watch, job int64) {
	defer func() {
		if p := recover(); p != nil {
			w.err = fmt.Errorf("apiserver: panic: %v\n%s", p, debug.Stack())
		}
	}()
	w.result, w.err = m.follow(ctx, job)
}

func (m *watches) forget(w *watch, job int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.jobs[job] == w {
		delete(m.jobs, job)
	}
}

func (m *watches) leave(w *watch, job int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.waiters--; w.waiters > 0 {
		return
	}
	w.cancel()
	if m.jobs[job] == w {
		delete(m.jobs, job)
	}
}

// close ends all looking, and waits for it. Nobody can join any more.
func (m *watches) close() {
	m.mu.Lock()
	m.closed = true
	for _, w := range m.jobs {
		w.cancel()
	}
	m.mu.Unlock()
	m.going.Wait()
}
