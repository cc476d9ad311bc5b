package prefect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// watchdog looks at what the server is for: that checks are made. It does not matter why none is, unless
// an operator wants it so.
type watchdog struct {
	mode   Mode
	paused bool // at the last look
	// sign is when a check of the schedule was last begun or ended, here or by another process, or was
	// not wanted.
	sign time.Time
	// newest is when the newest run of the schedule was due that has been begun.
	newest time.Time
	looked time.Time // for a pause
	warned time.Time // of what the sign was when it was last warned
	// trouble is why the last claim came to nothing.
	trouble error
}

// lookAfter is how late a check is when it is asked whether somebody has paused.
const lookAfter = 5 * time.Second

// Mode tells who says when to check.
func (r *Runner) Mode() Mode {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mode
}

// enter changes the mode and reports whether it was another.
func (r *Runner) enter(m Mode) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode == m {
		return false
	}
	r.mode = m
	r.metrics.setMode(m)
	r.note()
	return true
}

// note says who says when to check.
func (r *Runner) note() {
	switch {
	case r.paused:
		r.o.Note("part.prefect_paused")
	case r.mode == LocalMode:
		r.o.Note("part.without_prefect")
	default:
		r.o.Note("")
	}
}

// reset begins to wait for a check.
func (r *Runner) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sign = r.o.Clock()
}

// lives takes down that a run was begun or ended, here or elsewhere. While the process checks by itself
// a run that somebody asked for says nothing of the schedule.
func (r *Runner) lives(run serverRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run.scheduled() && run.due().After(r.newest) {
		r.newest = run.due()
	}
	if run.scheduled() || r.mode == ServerMode {
		r.sign, r.trouble = r.o.Clock(), nil
	}
	if run.scheduled() && r.paused {
		r.paused = false
		r.note()
	}
}

// idle is for how long no check has been begun or gone on.
func (r *Runner) idle() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.active {
		if a.running && (a.run.scheduled() || r.mode == ServerMode) {
			return 0
		}
	}
	return r.o.Clock().Sub(r.sign)
}

// fails takes down why a run could not be claimed.
func (r *Runner) fails(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = err
}

// claimTrouble is why the last claim came to nothing, nil if a check was begun since.
func (r *Runner) claimTrouble() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble
}

// decide has the process check by itself, or not any more.
func (r *Runner) decide(ctx context.Context, local *localTicks, err error) {
	idle, limit := r.idle(), afterIntervals*r.o.Interval
	if err != nil {
		r.warn(ctx, err)
	}
	r.mu.Lock()
	paused := r.paused
	r.mu.Unlock()
	switch {
	case idle < limit || paused: // a pause stays one while the server is away
		r.back(ctx, local)
	case err != nil || idle >= limit+patience:
		r.away(ctx, local, err)
	}
}

// warn tells once of what keeps checks from being begun.
func (r *Runner) warn(ctx context.Context, err error) {
	r.mu.Lock()
	again := r.warned.Equal(r.sign)
	r.warned = r.sign
	r.mu.Unlock()
	if !again {
		r.o.Logger.WarnContext(ctx, "prefect does not answer, or lets nothing be claimed", "error", err)
	}
}

// back ends the checks by itself.
func (r *Runner) back(ctx context.Context, local *localTicks) {
	local.finish()
	if r.enter(ServerMode) {
		r.o.Logger.InfoContext(ctx, "prefect is back and says when to check")
	}
}

// away begins the checks by itself, or again if they ended. What is missing on a server that answers is
// made anew.
func (r *Runner) away(ctx context.Context, local *localTicks, err error) {
	if r.enter(LocalMode) {
		if err == nil {
			r.ready.Store(false)
			err = fmt.Errorf("the schedule is on, and no check was begun for %s", r.idle().Round(time.Second))
		}
		r.o.Logger.WarnContext(ctx, "prefect stays away: checking without it", "error", err)
	}
	local.start(ctx, r.o.Local, func(err error) {
		r.o.Logger.ErrorContext(ctx, "checking without prefect ended", "error", err)
	})
}

// look asks, when a check is late, whether an operator wants none, and has made anew what somebody deleted.
func (r *Runner) look(ctx context.Context) error {
	now, late := r.o.Clock(), r.o.Interval+lookAfter
	if r.idle() < late || now.Sub(r.looked) < late {
		return nil
	}
	r.looked = now
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	paused, err := r.pausedThere(ctx)
	if answered(err, http.StatusNotFound) {
		r.ready.Store(false)
		return nil
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if paused {
		r.sign, r.trouble = now, nil
	}
	if paused != r.paused {
		r.paused = paused
		r.note()
	}
	return nil
}

// pausable is what of a pool or a queue keeps runs back.
type pausable struct {
	Paused bool `json:"is_paused"`
	Limit  *int `json:"concurrency_limit"`
}

func (p pausable) holds() bool { return p.Paused || (p.Limit != nil && *p.Limit == 0) }

// pausedThere reports whether an operator has paused the deployment, its schedule, its pool or its queue.
func (r *Runner) pausedThere(ctx context.Context) (bool, error) {
	d, err := r.readDeployment(ctx)
	if err != nil || d.paused() {
		return err == nil, err
	}
	var queue string
	if err := json.Unmarshal(d.fields["work_queue_name"], &queue); err != nil || queue == "" {
		queue = "default"
	}
	for _, path := range []string{"", "/queues/" + url.PathEscape(queue)} {
		var p pausable
		_, err := r.c.do(ctx, request{operation: "read_pause", method: http.MethodGet, path: r.poolPath(path), out: &p})
		if err != nil || p.holds() {
			return err == nil, err
		}
	}
	return false, nil
}
