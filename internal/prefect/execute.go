package prefect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/tracing"
)

// pidPrefix begins the infrastructure_pid of a run of ours, which ends by the identity of its process.
const pidPrefix = "ia-continu:"

// claimedBy begins the message of a claim.
const claimedBy = "claimed by "

func (r *Runner) pid() string { return pidPrefix + r.o.Identity }

// owner is the identity of the process that has a run, empty if none is known.
func (s serverRun) owner() string {
	pid := s.PID
	if pid == "" && strings.HasPrefix(s.State.Message, claimedBy) {
		pid = strings.TrimPrefix(s.State.Message, claimedBy) // it died before it wrote its pid
	}
	identity, ok := strings.CutPrefix(pid, pidPrefix)
	if !ok {
		return ""
	}
	return identity
}

// execute claims a run, runs it and tells how it ended.
func (r *Runner) execute(ctx context.Context, run serverRun) {
	if !r.claim(ctx, run) {
		return
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, flowrun.ErrCancelled) {
		r.handBack(ctx, run, "its worker stopped")
		return
	}
	ctx, span := tracing.Root(ctx, r.o.Tracer, "flow run")
	defer span.End()
	reporter, ok := r.started(ctx, run)
	if !ok {
		return
	}
	if run.scheduled() {
		r.metrics.lateness.Observe(r.o.Clock().Sub(run.due()).Seconds())
	}
	r.runs.Go(func() { // so that a run that is killed at once falls silent, too
		if err := r.beat(ctx, run.ID); err != nil {
			r.o.Logger.DebugContext(ctx, "the first heartbeat of a run is missing", "run", run.Name, "error", err)
		}
	})
	rec := flowrun.NewRecorder(r.record(run), r.o.Clock)
	follower := r.c.follow(ctx, rec, reporter)
	r.end(ctx, rec, r.check(ctx, run, rec))
	r.lives(run)
	r.quiet(run.ID)
	ended, err := follower.Finish(ctx)
	r.metrics.runs.WithLabelValues(string(ended.State)).Inc()
	if err != nil {
		r.owe(ctx, ended, err)
	}
}

// outliving is a context that ends d after ctx does: what was begun is not left half done by a stop.
func outliving(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		sleep(out, d)
		cancel()
	})
	return out, func() { stop(); cancel() }
}

// claim makes a run this process's, unless it is another's already or may not run now.
func (r *Runner) claim(ctx context.Context, run serverRun) bool {
	asking, cancel := outliving(ctx, stopTimeout)
	defer cancel()
	asking, end := context.WithTimeout(asking, askTimeout)
	defer end()
	v, err := r.c.claim(asking, run.ID, proposal{
		// A pending state by any other name would be granted to a second runner.
		Type: typePending, Name: "Pending", Message: claimedBy + r.pid(), Transition: r.c.o.NewID(),
	})
	switch {
	case errors.Is(err, errDeleted): // whether checks are paused is seen by who watches
		r.o.Logger.DebugContext(ctx, "a run was deleted before it was claimed", "run", run.Name)
		return false
	case err != nil:
		err = fmt.Errorf("run %s could not be claimed: %w", run.Name, err)
	case v.accepted() && v.State.Type == typePending:
		return true
	case v.Status != waiting && v.State.Type != typeScheduled: // another's
		r.o.Logger.DebugContext(ctx, "a run was not given to this worker", "run", run.Name, "status", v.Status, "reason", v.Details.Reason)
		r.lives(run)
		return false
	default:
		err = fmt.Errorf("run %s may not run now: %s", run.Name, v.Details.Reason)
	}
	r.fails(err)
	r.o.Logger.DebugContext(ctx, "prefect: will be tried again", "error", err)
	if v.Status == waiting {
		sleep(ctx, min(v.wait(), r.o.Interval)) // and it is offered again
	}
	return false
}

// handBack has a claimed run wait again for a worker.
func (r *Runner) handBack(ctx context.Context, run serverRun, why string) {
	ctx, cancel := outliving(ctx, stopTimeout)
	defer cancel()
	_, err := r.c.propose(ctx, run.ID, proposal{
		Type: typeScheduled, Name: "Scheduled", Message: "handed back: " + why, At: run.due(), Transition: r.c.o.NewID(),
	})
	if err != nil {
		r.o.Logger.WarnContext(ctx, "a claimed run could not be handed back", "run", run.Name, "error", err)
	}
}

// started says that a claimed run runs, and whether it may. A server that went away since is no
// reason not to check.
func (r *Runner) started(ctx context.Context, run serverRun) (*Reporter, bool) {
	var v verdict
	var telling errgroup.Group
	telling.Go(func() error {
		_, err := r.c.do(ctx, request{
			operation: "set_pid", method: http.MethodPatch, path: "/flow_runs/" + url.PathEscape(run.ID),
			in: object{"infrastructure_pid": r.pid()},
		})
		return err
	})
	telling.Go(func() (err error) {
		// Who has it is said here, too: a process may be killed before the other request arrives.
		v, err = r.c.propose(ctx, run.ID, proposal{
			Type: typeRunning, Name: "Running", Message: claimedBy + r.pid(), Transition: derived("running", run.ID, r.o.Identity),
		})
		return err
	})
	err := telling.Wait()
	if v.Status != "" && !v.accepted() {
		r.o.Logger.InfoContext(ctx, "a claimed run may not run", "run", run.Name, "status", v.Status, "reason", v.Details.Reason)
		if v.Status == waiting {
			r.handBack(ctx, run, "the server has it wait")
		}
		return nil, false
	}
	r.mark(run.ID)
	r.lives(run)
	if err != nil {
		r.o.Logger.WarnContext(ctx, "prefect could not be told that a run began", "run", run.Name, "error", err)
		return r.c.NewReporter(), true
	}
	return r.c.claimed(run.ID, v.State), true
}

// mark says that a run goes on.
func (r *Runner) mark(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.active[id]; a != nil {
		a.running = true
	}
}

// check does the work of a run.
func (r *Runner) check(ctx context.Context, run serverRun, rec *flowrun.Recorder) error {
	parameters, err := parse(run.Parameters)
	if err != nil {
		return err
	}
	return r.o.Check(ctx, Request{Parameters: parameters, Slot: r.slot(run), Due: run.due()}, rec)
}

// end ends the record of a run, unless the check did.
func (r *Runner) end(ctx context.Context, rec *flowrun.Recorder, err error) {
	cause := context.Cause(ctx)
	switch {
	case rec.Snapshot().State.Final():
	case errors.Is(err, ErrTaken):
		rec.End(flowrun.Skipped, err.Error())
	case err == nil:
		rec.End(flowrun.Completed, "")
	case errors.Is(cause, flowrun.ErrCancelled):
		rec.End(flowrun.Cancelled, flowrun.ErrCancelled.Error())
	case cause != nil:
		rec.End(flowrun.Cancelled, errStopped.Error())
	default:
		rec.End(flowrun.Failed, err.Error())
	}
}

// owe hands over a run that the server was not told of. The sweep leaves it alone from now on.
func (r *Runner) owe(ctx context.Context, run flowrun.Run, cause error) {
	r.mu.Lock()
	r.owed[run.ServerID] = struct{}{}
	r.mu.Unlock()
	r.o.Logger.InfoContext(ctx, "prefect will be told of a run later", "run", run.Name, "error", cause)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), oweTimeout)
	defer cancel()
	if err := r.o.Owe(ctx, run); err != nil {
		r.o.Logger.ErrorContext(ctx, "the report of a run is lost", "run", run.Name, "error", err)
	}
}
