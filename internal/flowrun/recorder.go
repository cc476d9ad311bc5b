package flowrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrCancelled is the cause of a run's context that somebody cancelled. Its steps and the run itself
// end as cancelled then, and not as failed.
var ErrCancelled = errors.New("cancelled by an operator")

// Recorder takes down a run while it goes on. It may be used by several goroutines. The nil Recorder
// records nothing, and its steps run all the same.
type Recorder struct {
	clock   func() time.Time
	changed chan struct{}

	mu  sync.Mutex
	run Run
}

// NewRecorder returns the recorder of a run that has not started. A nil clock means time.Now.
func NewRecorder(run Run, clock func() time.Time) *Recorder {
	if clock == nil {
		clock = time.Now
	}
	run.State = Pending
	return &Recorder{run: run, clock: clock, changed: make(chan struct{}, 1)}
}

// Changed receives after the run has changed, once for any number of changes.
func (r *Recorder) Changed() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.changed
}

// Snapshot is the run as it stands.
func (r *Recorder) Snapshot() Run {
	if r == nil {
		return Run{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.run
	run.Parameters = maps.Clone(run.Parameters)
	run.Steps = slices.Clone(run.Steps)
	run.Lines = slices.Clone(run.Lines)
	run.Artifacts = slices.Clone(run.Artifacts)
	return run
}

// Start says that the run began, and which steps it is going to take.
func (r *Recorder) Start(steps ...Step) {
	r.change(func(run *Run) {
		run.State, run.Started = Running, r.clock()
		run.Steps = nil
		for _, s := range steps {
			s.State = Pending
			run.Steps = append(run.Steps, s)
		}
	})
}

// End says how the run ended. Steps that are under way end with it, those that were never begun are
// skipped.
func (r *Recorder) End(state State, message string) {
	r.change(func(run *Run) { run.end(state, message, r.clock()) })
}

// Ended is the run as if it ended now, for who has to write its end down before it is there.
func (r *Recorder) Ended(state State, message string) Run {
	run := r.Snapshot()
	if r != nil {
		run.end(state, message, r.clock())
	}
	return run
}

func (r *Run) end(state State, message string, at time.Time) {
	r.State, r.Message, r.Ended = state, message, at
	for i := range r.Steps {
		switch s := &r.Steps[i]; s.State {
		case Pending:
			s.State, s.Ended = Skipped, at
		case Running, Retrying:
			s.State, s.Ended = state, at
		}
	}
}

// Retries say how often and when a failed step is tried again.
type Retries struct {
	Times int
	Delay time.Duration
	// Worthwhile tells whether another try may help; nil means always.
	Worthwhile func(error) bool
}

// Step runs f as the step of that name, again after each failure as retries say, and returns the last
// error. If the context ended with ErrCancelled the step was cancelled.
func (r *Recorder) Step(ctx context.Context, name string, retries Retries, f func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		r.begin(name, attempt)
		err := f(ctx)
		again := err != nil && attempt <= retries.Times && ctx.Err() == nil &&
			(retries.Worthwhile == nil || retries.Worthwhile(err))
		if !again {
			r.end(ctx, name, err)
			return err
		}
		r.retry(name, retries.Delay, err)
		select {
		case <-ctx.Done():
		case <-time.After(retries.Delay):
		}
	}
}

// Skip says why a step is not needed.
func (r *Recorder) Skip(name, why string) {
	r.step(name, func(s *Step) { s.State, s.Message, s.Ended = Skipped, why, r.clock() })
}

// Note gives a step that goes well a message, and the log a line.
func (r *Recorder) Note(name, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	r.step(name, func(s *Step) { s.Message = message })
	r.Log(name, Info, "%s", message)
}

// Log adds a line; step is empty for the run as a whole.
func (r *Recorder) Log(step string, level Level, format string, args ...any) {
	r.change(func(run *Run) {
		run.Lines = append(run.Lines, Line{At: r.clock(), Step: step, Level: level, Text: fmt.Sprintf(format, args...)})
	})
}

// Show sets an artifact. data is what Kind says; what JSON can't say is not shown.
func (r *Recorder) Show(a Artifact, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		r.Log(a.Step, Warning, "%s can't be shown: %v", a.Key, err)
		return
	}
	a.Data = text
	r.change(func(run *Run) {
		i := slices.IndexFunc(run.Artifacts, func(b Artifact) bool { return b.Key == a.Key })
		if i < 0 {
			run.Artifacts = append(run.Artifacts, a)
			return
		}
		run.Artifacts[i] = a
	})
}

func (r *Recorder) begin(name string, attempt int) {
	r.step(name, func(s *Step) {
		if attempt == 1 {
			s.Started = r.clock()
		}
		s.State, s.Attempt, s.RetryAt, s.Message = Running, attempt, time.Time{}, ""
	})
}

func (r *Recorder) retry(name string, delay time.Duration, err error) {
	r.step(name, func(s *Step) {
		s.State, s.Message, s.RetryAt = Retrying, err.Error(), r.clock().Add(delay)
	})
	r.Log(name, Warning, "failed and will be tried again in %s: %v", delay, err)
}

func (r *Recorder) end(ctx context.Context, name string, err error) {
	r.step(name, func(s *Step) {
		s.Ended = r.clock()
		switch {
		case err == nil:
			s.State = Completed
		case errors.Is(context.Cause(ctx), ErrCancelled):
			s.State, s.Message = Cancelled, ErrCancelled.Error()
		default:
			s.State, s.Message = Failed, err.Error()
		}
	})
	if err != nil {
		r.Log(name, Error, "%v", err)
	}
}

// step changes the step of that name, which is added if the run did not say that it would come.
func (r *Recorder) step(name string, f func(*Step)) {
	r.change(func(run *Run) {
		i := slices.IndexFunc(run.Steps, func(s Step) bool { return s.Name == name })
		if i < 0 {
			i = len(run.Steps)
			run.Steps = append(run.Steps, Step{Name: name})
		}
		f(&run.Steps[i])
	})
}

func (r *Recorder) change(f func(*Run)) {
	if r == nil {
		return
	}
	r.mu.Lock()
	f(&r.run)
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}
