package prefect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"iacontinu/internal/flowrun"
)

const (
	// late is how long after something happened a state must tell of the true times: the server
	// dates a flow run's states by itself, when it is told of them.
	late       = 5 * time.Second
	eventBatch = 100
	// parentPatience is how long after its end a run waits for the step that it is part of.
	parentPatience = 2 * time.Minute
	maxText        = 32 << 10 // runes of a message or a line
)

// Report brings the server to what the run says and gives the id of the run there. It may be called
// again, by any process, and ends in the same result.
func (c *Client) Report(ctx context.Context, run flowrun.Run) (string, error) {
	return c.NewReporter().Report(ctx, run)
}

// Reporter brings the server to what one run says, again and again while the run grows, sending only
// what changed. It is for one goroutine at a time.
type Reporter struct {
	c *Client
	// known says that the fields below are what the server has. After an error nobody knows, and the
	// server is asked again.
	known     bool
	id        string
	state     state
	fresh     bool      // the server has nothing but the run itself
	seen      time.Time // when the server was last sure to have the run
	events    map[string]bool
	lines     int // of the run's, how many are there
	artifacts map[string]shown
}

// shown is an artifact that the server has.
type shown struct{ id, data, description string }

// NewReporter returns the reporter of a run that the server may or may not know.
func (c *Client) NewReporter() *Reporter { return &Reporter{c: c} }

// claimed is the reporter of a run that was just put in that state here.
func (c *Client) claimed(id string, s state) *Reporter {
	r := c.NewReporter()
	r.begin(id, s, true)
	r.known, r.events = true, map[string]bool{}
	return r
}

func (r *Reporter) begin(id string, s state, fresh bool) {
	r.id, r.state, r.fresh, r.seen = id, s, fresh, r.c.o.Clock()
	r.lines, r.artifacts = 0, map[string]shown{}
}

// Report brings the server to what the run says and gives the id of the run there.
func (r *Reporter) Report(ctx context.Context, run flowrun.Run) (string, error) {
	if err := r.bring(ctx, run); err != nil {
		r.known = false
		return r.id, fmt.Errorf("prefect: report %s %s: %w", run.Flow, run.Key, err)
	}
	return r.id, nil
}

func (r *Reporter) bring(ctx context.Context, run flowrun.Run) error {
	if !r.known {
		if err := r.learn(ctx, run); err != nil {
			return err
		}
	}
	if err := r.start(ctx, run); err != nil {
		return err
	}
	// None of these waits for another: the server takes lines and artifacts of steps that it records later.
	// Nor does one that fails break the others off: what arrived of them would not be known.
	var parts errgroup.Group
	for _, send := range []func(context.Context, flowrun.Run) error{r.sendSteps, r.sendLines, r.sendArtifacts} {
		parts.Go(func() error { return r.pass(ctx, run, send(ctx, run)) })
	}
	if err := parts.Wait(); err != nil {
		return err
	}
	return r.finish(ctx, run)
}

// pass passes over what the server will never take, so that how the run ended is told all the same.
func (r *Reporter) pass(ctx context.Context, run flowrun.Run, err error) error {
	if !unfit(err) {
		return err
	}
	r.c.o.Logger.WarnContext(ctx, "prefect does not take a part of a run", "run", run.Name, "error", err)
	return nil
}

// learn finds out what the server has of the run, which it makes if it has nothing.
func (r *Reporter) learn(ctx context.Context, run flowrun.Run) error {
	r.events = map[string]bool{}
	if err := r.resolve(ctx, run); err != nil {
		return err
	}
	if !r.fresh {
		if err := r.learnLines(ctx, run); err != nil {
			return err
		}
		if err := r.learnArtifacts(ctx); err != nil {
			return err
		}
	}
	r.known = true
	return nil
}

// resolve finds the run by its id on the server, else by its key.
func (r *Reporter) resolve(ctx context.Context, run flowrun.Run) error {
	if run.ServerID != "" {
		var found serverRun
		_, err := r.c.do(ctx, request{
			operation: "read_run", method: http.MethodGet, path: "/flow_runs/" + url.PathEscape(run.ServerID), out: &found,
		})
		if err == nil {
			r.begin(found.ID, found.State, false)
			return nil
		}
		if !answered(err, http.StatusNotFound) {
			return err
		}
		// It was deleted, or the server lost its data. The run is told all the same.
	}
	return r.create(ctx, run)
}

// create makes the run, or finds it by its key.
func (r *Reporter) create(ctx context.Context, run flowrun.Run) error {
	flow, err := r.c.flowID(ctx, run.Flow)
	if err != nil {
		return err
	}
	body := object{
		"name": run.Name, "flow_id": flow, "parameters": orEmpty(run.Parameters),
		"idempotency_key": r.c.keyOf(run.Flow, run.Key), "state": firstState(run),
	}
	parent, err := r.c.parentTask(ctx, run)
	if err != nil {
		return err
	}
	var created serverRun
	ask := request{operation: "create_run", method: http.MethodPost, path: "/flow_runs/", in: body, out: &created}
	if parent != "" {
		body["parent_task_run_id"] = parent
		ask.patient = true // it may be reported by another process, a moment later
	}
	status, err := r.c.do(ctx, ask)
	if answered(err, http.StatusConflict) && parent != "" && r.c.early(run) {
		return errEarly
	}
	if answered(err, http.StatusConflict) || answered(err, http.StatusNotFound) {
		// The server has lost the flow or never hears of the parent: the run stands by itself.
		r.c.forgetFlows()
		delete(body, "parent_task_run_id")
		if body["flow_id"], err = r.c.flowID(ctx, run.Flow); err != nil {
			return err
		}
		ask.patient = false
		status, err = r.c.do(ctx, ask)
	}
	if err != nil {
		return err
	}
	r.begin(created.ID, created.State, status == http.StatusCreated)
	return nil
}

// keyOf is the key by which the server tells a run from all others. A job's number or a tick's would not: a
// new database counts anew, and every installation has the same ticks.
func (c *Client) keyOf(flow, key string) string {
	return path.Join(flow, c.o.Installation, key)
}

// errEarly is why a run is not shown yet.
var errEarly = errors.New("the run that it is part of is not there yet")

// early reports whether the step that a run is part of may still come to be known. The server records
// steps some time after it was told of them: usually within a second, a slow one within minutes.
func (c *Client) early(run flowrun.Run) bool {
	return !run.State.Final() || c.o.Clock().Sub(run.Ended) < parentPatience
}

// parentTask is the id on the server of the step that a run is part of. A run that ended some time ago
// stands by itself if there is none: it never will be.
func (c *Client) parentTask(ctx context.Context, run flowrun.Run) (string, error) {
	p := run.Parent
	switch {
	case p == nil:
		return "", nil
	case p.ServerID != "":
		return taskRunID(p.ServerID, p.Step), nil
	}
	found, err := c.findByKey(ctx, "find_parent", p.Flow, p.Key)
	switch {
	case err != nil:
		return "", err
	case found.ID != "":
		return taskRunID(found.ID, p.Step), nil
	case c.early(run):
		return "", errEarly
	}
	return "", nil
}

// firstState is one that tells when the run was to start.
func firstState(run flowrun.Run) object {
	at := run.Due
	if at.IsZero() {
		at = run.Started
	}
	if at.IsZero() {
		return object{"type": typePending}
	}
	return object{"type": typeScheduled, "state_details": object{"scheduled_time": stamp(at)}}
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// start says that the run began, if it did and the server doesn't know. A run that had failed and was
// begun again by a later process goes on.
func (r *Reporter) start(ctx context.Context, run flowrun.Run) error {
	unknown := r.state.Type == typeScheduled || r.state.Type == typePending
	again := !run.State.Final() && (r.state.Type == typeFailed || r.state.Type == typeCrashed)
	if run.Started.IsZero() || (!unknown && !again) {
		return nil
	}
	p := proposal{Type: typeRunning, Name: "Running", Transition: derived("running", r.id, stamp(run.Started))}
	if r.c.o.Clock().Sub(run.Started) > late {
		p.Message = "began at " + told(run.Started)
	}
	v, err := r.c.propose(ctx, r.id, p)
	if err != nil {
		return err
	}
	if v.accepted() || v.State.Type != "" {
		r.state = v.State
	}
	return nil
}

// finish says how the run ended, if it did, past the server's rules if they are against it: what
// happened has happened.
func (r *Reporter) finish(ctx context.Context, run flowrun.Run) error {
	if !run.State.Final() {
		return nil
	}
	p := terminal(run.State)
	message := clip(run.Message, maxText)
	if r.state.Type == p.Type && r.state.Name == p.Name && strings.HasPrefix(r.state.Message, message) {
		return nil
	}
	p.Message = message
	if now := r.c.o.Clock(); now.Sub(run.Ended) > late {
		p.Message += fmt.Sprintf(" (%s to %s, reported at %s)", told(run.Started), told(run.Ended), told(now))
	}
	p.Transition = derived("end", r.id, p.Type, p.Name, message)
	v, err := r.c.propose(ctx, r.id, p)
	if err == nil && !v.accepted() {
		p.Force = true
		v, err = r.c.propose(ctx, r.id, p)
	}
	if err != nil {
		return err
	}
	if !v.accepted() {
		return &refused{state: p.Name, verdict: v}
	}
	r.state = v.State
	return nil
}

// refused is a state that the server does not take, not even by force.
type refused struct {
	state string
	verdict
}

// Error implements error.
func (e *refused) Error() string {
	return fmt.Sprintf("the server refuses the state %s: %s %s", e.state, e.Status, e.Details.Reason)
}

// Permanent reports whether it will never take it.
func (e *refused) Permanent() bool { return e.Status != waiting }

// told writes a time for people.
func told(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// sendSteps sends the states of the steps that were not sent. An event that was is no harm.
func (r *Reporter) sendSteps(ctx context.Context, run flowrun.Run) error {
	var batch []object
	for _, s := range run.Steps {
		s.Message = clip(s.Message, maxText)
		for _, c := range history(run, s) {
			if e := c.event(r.id, run, s); !r.events[e["id"].(string)] {
				batch = append(batch, e)
			}
		}
	}
	if len(batch) > 0 {
		if err := r.confirm(ctx); err != nil {
			return err
		}
	}
	for len(batch) > 0 {
		n := min(len(batch), eventBatch)
		if err := r.c.emit(ctx, batch[:n]); err != nil {
			return err
		}
		for _, e := range batch[:n] {
			r.events[e["id"].(string)] = true
		}
		batch = batch[n:]
	}
	return nil
}

// confirm makes sure that nobody has deleted the run: the server takes events of a run that it does
// not have, fails to record them, and is slow to record those of all others for minutes.
func (r *Reporter) confirm(ctx context.Context) error {
	now := r.c.o.Clock()
	if now.Sub(r.seen) <= time.Second {
		return nil
	}
	_, err := r.c.do(ctx, request{operation: "read_run", method: http.MethodGet, path: "/flow_runs/" + url.PathEscape(r.id)})
	if err == nil {
		r.seen = now
	}
	return err
}

// emit sends events, which the server tells apart by their ids.
func (c *Client) emit(ctx context.Context, events []object) error {
	_, err := c.do(ctx, request{operation: "send_events", method: http.MethodPost, path: "/events", in: events})
	return err
}
