package prefect

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"iacontinu/internal/flowrun"
)

// due is when a run is to start. A run that waits for a concurrency slot keeps its first due time.
func (s serverRun) due() time.Time { return s.Expected }

// poll gives the runs that are due now or in a moment, the earliest first.
func (r *Runner) poll(ctx context.Context) ([]serverRun, error) {
	var offered []struct {
		Run serverRun `json:"flow_run"`
	}
	_, err := r.c.do(ctx, request{
		operation: "poll", method: http.MethodPost, path: r.poolPath("/get_scheduled_flow_runs"), out: &offered,
		in: object{"limit": pageSize, "scheduled_before": stamp(r.o.Clock().Add(prefetch))},
	})
	if answered(err, http.StatusNotFound) {
		r.ready.Store(false) // somebody deleted the pool
	}
	if err != nil {
		return nil, err
	}
	runs := make([]serverRun, 0, len(offered))
	for _, o := range offered {
		runs = append(runs, o.Run)
	}
	slices.SortStableFunc(runs, func(a, b serverRun) int { return cmp.Compare(a.due().UnixNano(), b.due().UnixNano()) })
	return runs, nil
}

// take begins the runs that are to be run: all that somebody asked for, and of those of the schedule
// that are due the newest alone, one at a time.
func (r *Runner) take(ctx context.Context, offered []serverRun) {
	var due, ahead []serverRun
	for _, run := range offered {
		switch {
		case !run.scheduled():
			r.begin(ctx, run)
		case r.has(run.ID):
		case run.due().After(r.o.Clock()):
			ahead = append(ahead, run)
		default:
			due = append(due, run)
		}
	}
	if len(due) > 0 && r.o.Clock().Sub(due[len(due)-1].due()) >= r.o.Interval {
		due = r.backlog(ctx, due)
	}
	begun := r.newestBegun()
	replaced := slices.IndexFunc(due, func(run serverRun) bool { return !run.due().Before(begun) })
	if replaced < 0 {
		replaced = len(due)
	}
	r.skip(ctx, due[:replaced], begun)
	switch due = due[replaced:]; {
	case len(due) > 0:
		r.beginScheduled(ctx, due[len(due)-1])
	case len(ahead) > 0:
		r.beginScheduled(ctx, ahead[0])
	}
}

// newestBegun is when the newest run of the schedule was due that was begun. None that was due before is
// run any more, and not until then is any given up.
func (r *Runner) newestBegun() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest
}

// beginScheduled begins a run of the schedule, unless one goes on here: the next one waits for its
// end, or is replaced by the one after it.
func (r *Runner) beginScheduled(ctx context.Context, run serverRun) {
	if !r.checks() {
		r.begin(ctx, run)
	}
}

// backlog gives all runs of the schedule that are due, of which a pool with a limit offers the oldest
// only. It is asked for when what is offered is older than an interval.
func (r *Runner) backlog(ctx context.Context, offered []serverRun) []serverRun {
	found, err := r.c.find(ctx, "find_backlog", object{
		"work_pools": object{"name": anyOf(r.o.Pool)}, "sort": "EXPECTED_START_TIME_DESC",
		"flow_runs": object{
			"state": object{"type": anyOf(typeScheduled)}, "expected_start_time": object{"before_": stamp(r.o.Clock())},
		},
	})
	found = slices.DeleteFunc(found, func(run serverRun) bool { return !run.scheduled() || r.has(run.ID) })
	if err != nil || len(found) == 0 {
		return offered
	}
	slices.Reverse(found)
	return found
}

// skipBatch is the most runs whose states the server sets at once.
const skipBatch = 50

// skip ends runs of a backlog. Only those that nobody has claimed are touched.
func (r *Runner) skip(ctx context.Context, late []serverRun, newest time.Time) {
	if len(late) == 0 {
		return
	}
	message := fmt.Sprintf("late, and replaced by the check due at %s; one that was made without this server has a run of its own", told(newest))
	for batch := range slices.Chunk(late, skipBatch) {
		ids := make([]string, 0, len(batch))
		for _, run := range batch {
			ids = append(ids, run.ID)
		}
		var answer verdicts
		_, err := r.c.do(ctx, request{
			operation: "skip", method: http.MethodPost, path: "/flow_runs/bulk_set_state", out: &answer,
			in: object{
				"flow_runs": object{"id": anyOf(ids...), "state": object{"type": anyOf(typeScheduled)}}, "limit": skipBatch,
				"state": object{"type": typeCompleted, "name": "Skipped", "message": message},
			},
		})
		if err != nil {
			r.o.Logger.WarnContext(ctx, "late runs could not be skipped", "error", err)
			return
		}
		r.metrics.runs.WithLabelValues(string(flowrun.Skipped)).Add(float64(len(answer.Results)))
	}
	r.o.Logger.InfoContext(ctx, "skipped late runs", "runs", len(late), "newest", newest)
}

// has reports whether a run waits or goes on here.
func (r *Runner) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.active[id] != nil
}

// checks reports whether a run of the schedule waits or goes on here.
func (r *Runner) checks() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.active {
		if a.run.scheduled() {
			return true
		}
	}
	return false
}

// begin has a run wait for its time and run then. Its goroutine is waited for by Run.
func (r *Runner) begin(ctx context.Context, run serverRun) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active[run.ID] != nil || len(r.active) >= maxActive {
		cancel(nil)
		return
	}
	r.active[run.ID] = &active{run: run, cancel: cancel}
	r.runs.Go(func() {
		defer cancel(nil)
		if sleep(ctx, run.Next.Sub(r.o.Clock())) {
			r.execute(ctx, run)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.active, run.ID)
	})
}
