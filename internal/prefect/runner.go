package prefect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/flowrun"
)

// ErrTaken is what Options.Check returns for a slot that another runner has checked or is checking.
var ErrTaken = errors.New("another runner has taken this slot")

// errStopped is why a run ended that the process did not wait for.
var errStopped = errors.New("stopped with the process")

// Names on the server that people and scripts know.
const (
	defaultPool       = "ia-continu"
	defaultFlow       = "periodic_check"
	defaultDeployment = "random-check-flow"
)

const (
	pollEvery      = time.Second
	probeEvery     = 3 * time.Second
	prefetch       = 2 * time.Second
	watchEvery     = 1500 * time.Millisecond
	heartbeatEvery = 10 * time.Second
	sweepEvery     = time.Minute
	askTimeout     = 15 * time.Second
	// maxActive bounds the runs that wait or go on at once. Others stay on the server.
	maxActive = 8
	// afterIntervals is how long no check may have been begun before the process checks by itself.
	afterIntervals = 2
	// patience is given in addition to a server that answers: it makes runs some seconds after a
	// schedule was made or a pause ended.
	patience   = 20 * time.Second
	oweTimeout = 2 * time.Second
	// stopTimeout bounds what is said of a run when the process stops.
	stopTimeout = 3 * time.Second
)

// Request is what the server asks a check to do.
type Request struct {
	Parameters Parameters
	// Slot is the number of the interval since 1970 that the run is for, 0 for a run at no fixed time.
	Slot int64
	Due  time.Time
}

// RunnerOptions configure a Runner.
type RunnerOptions struct {
	Client *Client
	// Pool, Flow and Deployment are names on the server: ia-continu, periodic_check and
	// random-check-flow if empty.
	Pool, Flow, Deployment string
	// Interval is the time between two scheduled runs, at least a second. Required.
	Interval time.Duration
	// Identity is the id of this process, used by no other before or after. Required.
	Identity string
	// Alive tells whether the process of that identity lives. Required.
	Alive func(identity string) (bool, error)
	// Check does the work of a run and takes it down. Its context ends with flowrun.ErrCancelled as
	// cause when an operator cancels. It may leave it to the Runner to end the record. Required.
	Check func(context.Context, Request, *flowrun.Recorder) error
	// Local checks by itself, slot by slot, until enough is closed, which no check is broken off for, or
	// its context ends: while the server has no check made. Required.
	Local func(ctx context.Context, enough <-chan struct{}) error
	// Owe keeps the report of a run that the server could not be told of. Required.
	Owe func(context.Context, flowrun.Run) error
	// Note is told who says when to check, at each change, by a code of package wording; empty while the server does. Nil
	// tells nobody.
	Note       func(string)
	Tracer     trace.Tracer // nil makes no spans
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil registers nothing
	Clock      func() time.Time      // time.Now if nil
}

func (o RunnerOptions) withDefaults() RunnerOptions {
	o.Pool = cmp.Or(o.Pool, defaultPool)
	o.Flow = cmp.Or(o.Flow, defaultFlow)
	o.Deployment = cmp.Or(o.Deployment, defaultDeployment)
	if o.Note == nil {
		o.Note = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func (o RunnerOptions) validate() error {
	switch {
	case o.Client == nil:
		return errors.New("RunnerOptions.Client is missing")
	case o.Interval < time.Second || o.Interval%time.Second != 0:
		return fmt.Errorf("RunnerOptions.Interval is %s, must be whole seconds and at least one", o.Interval)
	case o.Identity == "":
		return errors.New("RunnerOptions.Identity is missing")
	case o.Alive == nil || o.Check == nil || o.Local == nil || o.Owe == nil:
		return errors.New("RunnerOptions.Alive, Check, Local and Owe are all required")
	}
	return nil
}

// Mode tells who says when to check.
type Mode string

// The modes of a Runner.
const (
	ServerMode Mode = "server"
	LocalMode  Mode = "local" // the server has no check made
)

// Runner is a worker of a pool of the server: it claims runs, checks, and does what operators ask.
// While the server has no check made, for whatever reason, it has the process check by itself.
type Runner struct {
	o       RunnerOptions
	c       *Client
	metrics *runnerMetrics
	ready   atomic.Bool // the pool and the deployment are there

	runs sync.WaitGroup // of active runs

	mu     sync.Mutex
	active map[string]*active  // by the ids of their flow runs
	owed   map[string]struct{} // ended here, and the server was not told
	seen   map[string]struct{} // cancelling and nobody's at the last look

	watchdog
}

// active is a run that waits for its time or goes on.
type active struct {
	run     serverRun
	cancel  context.CancelCauseFunc
	running bool
	beats   sync.WaitGroup // heartbeats that are being sent
}

// NewRunner returns a worker that does nothing until Run.
func NewRunner(o RunnerOptions) (*Runner, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("prefect: %w", err)
	}
	m, err := newRunnerMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("prefect: register metrics: %w", err)
	}
	r := &Runner{
		o: o, c: o.Client, metrics: m,
		active: map[string]*active{}, owed: map[string]struct{}{}, seen: map[string]struct{}{},
		watchdog: watchdog{mode: ServerMode},
	}
	r.metrics.setMode(ServerMode)
	return r, nil
}

// Run works until the context ends, then ends its runs and tells of them. It never fails: a server
// that is away, or refuses, is tried again for ever.
func (r *Runner) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { r.every(ctx, heartbeatEvery, r.heartbeat) })
	loops.Go(func() { r.every(ctx, watchEvery, r.watch) })
	loops.Go(func() { r.every(ctx, sweepEvery, r.sweep) })
	r.rounds(ctx)
	loops.Wait()
	r.runs.Wait()
	r.leave(ctx)
	return nil
}

// every calls f again and again while the server has what it works on.
func (r *Runner) every(ctx context.Context, d time.Duration, f func(context.Context) error) {
	for sleep(ctx, d) {
		if !r.ready.Load() {
			continue
		}
		if err := f(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.DebugContext(ctx, "prefect: will be tried again", "error", err)
		}
	}
}

// rounds asks the server for runs again and again, and has the process check by itself while none of
// them is begun.
func (r *Runner) rounds(ctx context.Context) {
	var local localTicks
	defer func() { local.stop(ctx.Err()) }()
	for r.reset(); ctx.Err() == nil; {
		err := r.round(ctx)
		if ctx.Err() != nil {
			return
		}
		r.decide(ctx, &local, err)
		if err == nil {
			sleep(ctx, pollEvery)
			continue
		}
		sleep(ctx, probeEvery)
	}
}

// round begins what the server offers. An error says why no check is begun.
func (r *Runner) round(ctx context.Context) error {
	offered, err := r.ask(ctx)
	if err != nil {
		return err
	}
	r.take(ctx, offered)
	if err := r.look(ctx); err != nil {
		return err
	}
	return r.claimTrouble()
}

// ask sets the server up if need be and gives the runs that it offers.
func (r *Runner) ask(ctx context.Context) ([]serverRun, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if !r.ready.Load() {
		if err := r.setUp(ctx); err != nil {
			return nil, err
		}
	}
	return r.poll(ctx)
}
