package prefect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"iacontinu/internal/flowrun"
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
	reporter, ok := r.started(ctx, run)
	if !ok {
		return
	}
	if run.scheduled() {
		r.metrics.lateness.Observe(r.o.Clock().Sub(run.due()).Seconds())
	}
	r.runs.Go(func() { // so that a run that is killed at once falls silent, too
		if err := r.c.emit(ctx, []object{r.c.beat(run)}); err != nil {
			r.o.Logger.DebugContext(ctx, "the first heartbeat of a run is missing", "run", run.Name, "error", err)
		}
	})
	rec := flowrun.NewRecorder(r.record(run), r.o.Clock)
	follower := r.c.follow(ctx, rec, reporter)
	r.end(ctx, rec, r.check(ctx, run, rec))
	ended, err := follower.Finish(ctx)
	r.metrics.runs.WithLabelValues(string(ended.State)).Inc()
	if err != nil {
		r.owe(ctx, ended, err)
	}
}

// claim makes a run this process's, unless it is another's already or may not run now.
func (r *Runner) claim(ctx context.Context, run serverRun) bool {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	v, err := r.c.claim(asking, run.ID, proposal{
		// A pending state by any other name would be granted to a second runner.
		Type: typePending, Name: "Pending", Message: claimedBy + r.pid(), Transition: r.c.o.NewID(),
	})
	r.claims(err == nil || ctx.Err() != nil)
	if err != nil {
		r.o.Logger.WarnContext(ctx, "a run could not be claimed", "run", run.Name, "error", err)
		return false
	}
	if !v.accepted() || v.State.Type != typePending {
		r.o.Logger.DebugContext(ctx, "a run was not given to this worker", "run", run.Name, "status", v.Status, "reason", v.Details.Reason)
		if v.Status == waiting {
			sleep(ctx, v.wait()) // and it is offered again
		}
		return false
	}
	return true
}

// claims takes down whether a claim was answered.
func (r *Runner) claims(answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unclaimed = time.Time{}
	if !answered {
		r.unclaimed = r.o.Clock()
	}
}

// claimsFail reports whether the server answers no claims.
func (r *Runner) claimsFail() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.unclaimed.IsZero() && r.o.Clock().Sub(r.unclaimed) < claimsCount
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
		v, err = r.c.propose(ctx, run.ID, proposal{Type: typeRunning, Name: "Running", Transition: derived("running", run.ID, r.o.Identity)})
		return err
	})
	err := telling.Wait()
	if v.Status != "" && !v.accepted() {
		r.o.Logger.InfoContext(ctx, "a claimed run may not run", "run", run.Name, "status", v.Status, "reason", v.Details.Reason)
		return nil, false
	}
	r.mark(run.ID)
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
