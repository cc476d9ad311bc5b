package prefect

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"iacontinu/internal/flowrun"
)

const heartbeatEvent = "prefect.flow-run.heartbeat"

// beatTimeout is how long the end of a run waits for a heartbeat under way, at most.
const beatTimeout = 5 * time.Second

// heartbeat says that the worker lives, and that its runs do.
func (r *Runner) heartbeat(ctx context.Context) error {
	_, err := r.c.do(ctx, request{
		operation: "worker_heartbeat", method: http.MethodPost, path: r.poolPath("/workers/heartbeat"),
		in: object{"name": r.o.Identity, "heartbeat_interval_seconds": int(heartbeatEvery.Seconds())},
	})
	if err != nil {
		return err
	}
	return r.beat(ctx, r.running()...)
}

// beat says that runs go on which still do. None is said to after its end: the server would take it for
// one that falls silent.
func (r *Runner) beat(ctx context.Context, ids ...string) error {
	var beats []object
	r.mu.Lock()
	for _, id := range ids {
		if a := r.active[id]; a != nil && a.running {
			a.beats.Add(1)
			defer a.beats.Done()
			beats = append(beats, r.c.beat(a.run))
		}
	}
	r.mu.Unlock()
	if len(beats) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	return r.c.emit(ctx, beats)
}

// quiet ends the heartbeats of a run, and waits for one that is under way.
func (r *Runner) quiet(id string) {
	r.mu.Lock()
	a := r.active[id]
	if a != nil {
		a.running = false
	}
	r.mu.Unlock()
	if a != nil {
		a.beats.Wait()
	}
}

// beat is the event that a run goes on.
func (c *Client) beat(run serverRun) object {
	return object{
		"id": c.o.NewID(), "occurred": stamp(c.o.Clock()), "event": heartbeatEvent, "payload": object{},
		"resource": object{"prefect.resource.id": "prefect.flow-run." + run.ID, "prefect.resource.name": run.Name},
		"related":  []object{},
	}
}

// running are the ids of the runs that go on here.
func (r *Runner) running() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for id, a := range r.active {
		if a.running {
			out = append(out, id)
		}
	}
	return out
}

// watch does what operators ask: it cancels runs that go on here, and ends those that nobody has.
func (r *Runner) watch(ctx context.Context) error {
	cancelling, err := r.c.find(ctx, "find_cancelling", object{
		"work_pools": object{"name": anyOf(r.o.Pool)}, "flow_runs": object{"state": object{"type": anyOf(typeCancelling)}},
	})
	if err != nil {
		return err
	}
	var nobodys []serverRun
	for _, run := range cancelling {
		if r.cancel(run.ID) {
			continue
		}
		if gone, err := r.ownerGone(run); err != nil {
			return err
		} else if gone || run.owner() == "" {
			nobodys = append(nobodys, run)
		}
	}
	if err := r.endNobodys(ctx, nobodys); err != nil {
		return err
	}
	return r.watchForced(ctx)
}

// endNobodys ends cancelled runs that no process has, at the second look: at the first, one may be
// about to say that the run is its own.
func (r *Runner) endNobodys(ctx context.Context, runs []serverRun) error {
	now := map[string]struct{}{}
	for _, run := range runs {
		if _, again := r.seen[run.ID]; !again {
			now[run.ID] = struct{}{}
			continue
		}
		if err := r.bury(ctx, run, typeCancelled, "cancelled; no worker had it"); err != nil {
			return err
		}
	}
	r.seen = now
	return nil
}

// watchForced cancels runs here that somebody has put into the state Cancelled at once.
func (r *Runner) watchForced(ctx context.Context) error {
	ids := r.running()
	if len(ids) == 0 {
		return nil
	}
	runs, err := r.c.find(ctx, "find_cancelled", object{
		"flow_runs": object{"id": anyOf(ids...), "state": object{"type": anyOf(typeCancelled)}},
	})
	for _, run := range runs {
		r.cancel(run.ID)
	}
	return err
}

// cancel cancels a run that goes on here and reports whether there is one.
func (r *Runner) cancel(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.active[id]
	if a == nil {
		return false
	}
	a.cancel(flowrun.ErrCancelled)
	return true
}

// ownerGone reports whether a run belongs to a process that does not live, or to this one, which
// does not have it.
func (r *Runner) ownerGone(run serverRun) (bool, error) {
	switch owner := run.owner(); owner {
	case "":
		return false, nil
	case r.o.Identity:
		r.mu.Lock()
		defer r.mu.Unlock()
		_, owed := r.owed[run.ID]
		return !owed && r.active[run.ID] == nil, nil
	default:
		alive, err := r.o.Alive(owner)
		return err == nil && !alive, err
	}
}

// sweep ends the runs of processes that are gone, and forgets their workers.
func (r *Runner) sweep(ctx context.Context) error {
	runs, err := r.c.find(ctx, "find_orphans", object{
		"work_pools": object{"name": anyOf(r.o.Pool)},
		"flow_runs":  object{"state": object{"type": anyOf(typePending, typeRunning, typeCancelling)}},
	})
	if err != nil {
		return err
	}
	for _, run := range runs {
		gone, err := r.ownerGone(run)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		as, message := typeCrashed, "its worker "+run.owner()+" is gone"
		if run.State.Type == typeCancelling {
			as, message = typeCancelled, "cancelled; "+message
		}
		if err := r.bury(ctx, run, as, message); err != nil {
			return err
		}
		r.o.Logger.WarnContext(ctx, "ended the run of a process that is gone", "run", run.Name, "owner", run.owner(), "state", as)
	}
	r.forgetOwed(runs)
	return r.sweepWorkers(ctx)
}

// forgetOwed keeps of the runs that are owed only those that the server still has open.
func (r *Runner) forgetOwed(open []serverRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := map[string]struct{}{}
	for _, run := range open {
		if _, owed := r.owed[run.ID]; owed {
			kept[run.ID] = struct{}{}
		}
	}
	r.owed = kept
}

// bury ends a run that no process has, and before it what of its steps goes on: after it nobody would
// look for them again.
func (r *Runner) bury(ctx context.Context, run serverRun, as, message string) error {
	name := terminalName(as)
	if err := r.buryTasks(ctx, run, as, name, message); err != nil {
		return err
	}
	// Refused, it ended meanwhile.
	_, err := r.c.propose(ctx, run.ID, proposal{Type: as, Name: name, Message: message, Transition: derived("bury", run.ID, as)})
	return err
}

func (r *Runner) buryTasks(ctx context.Context, run serverRun, as, name, message string) error {
	var tasks []serverTask
	_, err := r.c.do(ctx, request{
		operation: "find_tasks", method: http.MethodPost, path: "/task_runs/filter", out: &tasks,
		in: object{
			"flow_runs": object{"id": anyOf(run.ID)}, "limit": pageSize, "sort": "ID_DESC",
			"task_runs": object{"state": object{"type": anyOf(typePending, typeRunning, typeScheduled)}},
		},
	})
	if err != nil || len(tasks) == 0 {
		return err
	}
	var events []object
	for _, t := range tasks {
		events = append(events, t.ended(run.ID, as, name, message, r.o.Clock()))
	}
	return r.c.emit(ctx, events)
}

func terminalName(t string) string {
	if t == typeCancelled {
		return "Cancelled"
	}
	return "Crashed"
}

// ended is the event that a task run ended with its flow run.
func (t serverTask) ended(flowRunID, as, name, message string, now time.Time) object {
	task := object{
		"name": t.Name, "task_key": t.TaskKey, "dynamic_key": t.DynamicKey, "run_count": t.RunCount, "end_time": stamp(now),
	}
	if !t.Start.IsZero() {
		task["total_run_time"] = max(now.Sub(t.Start), 0).Seconds()
	}
	return taskEvent(taskState{
		ID: derived("bury", t.ID, as), TaskRunID: t.ID, FlowRunID: flowRunID, Name: t.Name,
		Type: as, State: name, Message: message, At: now, Details: object{}, Task: task,
	})
}

// sweepWorkers forgets the workers of processes that are gone.
func (r *Runner) sweepWorkers(ctx context.Context) error {
	var workers []struct {
		Name string `json:"name"`
	}
	_, err := r.c.do(ctx, request{
		operation: "find_workers", method: http.MethodPost, path: r.poolPath("/workers/filter"), out: &workers,
		in: object{"limit": pageSize},
	})
	if err != nil {
		return err
	}
	for _, w := range workers {
		if w.Name == r.o.Identity {
			continue
		}
		if alive, err := r.o.Alive(w.Name); err != nil {
			return err
		} else if alive {
			continue
		}
		if err := r.forget(ctx, w.Name); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) forget(ctx context.Context, worker string) error {
	_, err := r.c.do(ctx, request{
		operation: "delete_worker", method: http.MethodDelete, path: r.poolPath("/workers/" + url.PathEscape(worker)),
	})
	if answered(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// leave says that the worker is gone, so that nobody waits for it.
func (r *Runner) leave(ctx context.Context) {
	if !r.ready.Load() || r.Mode() == LocalMode {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := r.forget(ctx, r.o.Identity); err != nil {
		r.o.Logger.DebugContext(ctx, "prefect was not told that the worker stopped", "error", err)
	}
}
