package prefect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	poolType     = "ia-continu"
	scheduleSlug = "interval"
	// zombies is the automation that crashes runs whose heartbeats stopped. Operators may change or
	// disable it: it is made where it is missing, and left alone else.
	zombies = "crash-zombie-flow-runs"
	// silence is how long a run's heartbeats may stop.
	silence = 30
)

// setUp brings the server to have what the runner works on. What is there and right is not touched,
// so that a pause made by an operator stays.
func (r *Runner) setUp(ctx context.Context) error {
	r.c.forgetFlows()
	if err := r.setUpPool(ctx); err != nil {
		return err
	}
	if err := r.setUpDeployment(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.setUpAutomation, r.heartbeat, r.sweep} {
		if err := step(ctx); err != nil { // checks run without these
			r.o.Logger.WarnContext(ctx, "prefect is set up in part", "error", err)
		}
	}
	r.ready.Store(true)
	r.o.Logger.InfoContext(ctx, "prefect says when to check", "pool", r.o.Pool, "deployment", r.o.Flow+"/"+r.o.Deployment)
	return nil
}

func (r *Runner) poolPath(more string) string {
	return "/work_pools/" + url.PathEscape(r.o.Pool) + more
}

func (r *Runner) setUpPool(ctx context.Context) error {
	var pool struct {
		Type string `json:"type"`
	}
	read := request{operation: "read_pool", method: http.MethodGet, path: r.poolPath(""), out: &pool}
	_, err := r.c.do(ctx, read)
	if answered(err, http.StatusNotFound) {
		_, err = r.c.do(ctx, request{operation: "create_pool", method: http.MethodPost, path: "/work_pools/", in: r.pool(), out: &pool})
		if answered(err, http.StatusConflict) { // another replica was faster
			_, err = r.c.do(ctx, read)
		}
	}
	if err == nil && pool.Type != poolType {
		return fmt.Errorf("prefect: the work pool %s is of type %s and not %s: choose another name or delete it", r.o.Pool, pool.Type, poolType)
	}
	return err
}

func (r *Runner) pool() object {
	return object{
		"name": r.o.Pool, "type": poolType, "description": "Runs that the IA Continu worker executes in its own process.",
		"base_job_template": object{ // the server takes an empty one for missing
			"job_configuration": object{"runner": "{{ runner }}"},
			"variables": object{"type": "object", "properties": object{
				"runner": object{"type": "string", "title": "Runner", "default": "go"},
			}},
		},
	}
}

// deployment is a deployment as the server keeps it, and what of it is ours.
type deployment struct {
	ID        string     `json:"id"`
	Paused    bool       `json:"paused"`
	Schedules []schedule `json:"schedules"`
	fields    map[string]json.RawMessage
}

type schedule struct {
	ID       string `json:"id"`
	Slug     string `json:"slug"`
	Active   bool   `json:"active"`
	Schedule struct {
		Interval float64   `json:"interval"`
		Anchor   time.Time `json:"anchor_date"`
	} `json:"schedule"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *deployment) UnmarshalJSON(data []byte) error {
	type plain deployment
	if err := json.Unmarshal(data, (*plain)(d)); err != nil {
		return err
	}
	return json.Unmarshal(data, &d.fields)
}

// paused reports whether somebody has switched the deployment or its schedule off.
func (d deployment) paused() bool {
	off := slices.ContainsFunc(d.Schedules, func(s schedule) bool { return s.Slug == scheduleSlug && !s.Active })
	return d.Paused || off
}

func (r *Runner) readDeployment(ctx context.Context) (d deployment, err error) {
	path := fmt.Sprintf("/deployments/name/%s/%s", url.PathEscape(r.o.Flow), url.PathEscape(r.o.Deployment))
	_, err = r.c.do(ctx, request{operation: "read_deployment", method: http.MethodGet, path: path, out: &d})
	return d, err
}

func (r *Runner) setUpDeployment(ctx context.Context) error {
	d, err := r.readDeployment(ctx)
	if answered(err, http.StatusNotFound) {
		return r.createDeployment(ctx)
	}
	if err != nil {
		return err
	}
	if err := r.mendDeployment(ctx, d); err != nil {
		return err
	}
	return r.mendSchedule(ctx, d)
}

// deploymentFields are those that the server must have as they are here. The rest is the operators'.
func (r *Runner) deploymentFields() object {
	return object{
		"work_pool_name": r.o.Pool, "entrypoint": "cmd/flow:" + r.o.Flow, "enforce_parameter_schema": true,
		"parameter_openapi_schema": schema(),
	}
}

func (r *Runner) createDeployment(ctx context.Context) error {
	flow, err := r.c.flowID(ctx, r.o.Flow)
	if err != nil {
		return err
	}
	d := r.deploymentFields()
	d["name"], d["flow_id"], d["paused"], d["parameters"] = r.o.Deployment, flow, false, object{}
	d["tags"] = []string{"ia-continu"}
	d["description"] = "Checks whether the active model drifts and has it retrained. Parameters that are left empty are as the worker is set."
	d["schedules"] = []object{{"active": true, "slug": scheduleSlug, "schedule": r.interval()}}
	_, err = r.c.do(ctx, request{operation: "create_deployment", method: http.MethodPost, path: "/deployments/", in: d})
	return err
}

// interval begins in 1970, so that the number of a slot is that of the interval.
func (r *Runner) interval() object {
	return object{"interval": r.o.Interval.Seconds(), "anchor_date": stamp(time.Unix(0, 0)), "timezone": "UTC"}
}

// mendDeployment changes only what differs: the server forgets the runs ahead at each change.
func (r *Runner) mendDeployment(ctx context.Context, d deployment) error {
	change := object{}
	for name, want := range r.deploymentFields() {
		text, err := json.Marshal(want)
		if err != nil {
			return err
		}
		if canonical(text) != canonical(d.fields[name]) {
			change[name] = want
		}
	}
	if len(change) == 0 {
		return nil
	}
	_, err := r.c.do(ctx, request{operation: "update_deployment", method: http.MethodPatch, path: "/deployments/" + url.PathEscape(d.ID), in: change})
	return err
}

func (r *Runner) mendSchedule(ctx context.Context, d deployment) error {
	path := "/deployments/" + url.PathEscape(d.ID) + "/schedules"
	for _, s := range d.Schedules {
		if s.Slug != scheduleSlug {
			continue
		}
		if s.Schedule.Interval == r.o.Interval.Seconds() && s.Schedule.Anchor.Equal(time.Unix(0, 0)) {
			return nil
		}
		_, err := r.c.do(ctx, request{
			operation: "update_schedule", method: http.MethodPatch, path: path + "/" + url.PathEscape(s.ID),
			in: object{"schedule": r.interval()},
		})
		return err
	}
	_, err := r.c.do(ctx, request{
		operation: "create_schedule", method: http.MethodPost, path: path, once: true,
		in: []object{{"active": true, "slug": scheduleSlug, "schedule": r.interval()}},
	})
	return err
}

func (r *Runner) setUpAutomation(ctx context.Context) error {
	var found []struct {
		ID string `json:"id"`
	}
	_, err := r.c.do(ctx, request{
		operation: "read_automation", method: http.MethodPost, path: "/automations/filter", out: &found,
		in: object{"automations": object{"name": anyOf(zombies)}},
	})
	if err != nil || len(found) > 0 {
		return err
	}
	_, err = r.c.do(ctx, request{operation: "create_automation", method: http.MethodPost, path: "/automations/", in: automation(), once: true})
	return err
}

func automation() object {
	ends := []string{heartbeatEvent}
	for _, name := range []string{"Completed", "Skipped", "Failed", "Cancelled", "Crashed"} {
		ends = append(ends, "prefect.flow-run."+name)
	}
	return object{
		"name": zombies, "enabled": true, "description": fmt.Sprintf("A run that sent heartbeats and is silent for %d s has crashed.", silence),
		"trigger": object{
			"type": "event", "posture": "Proactive", "after": []string{heartbeatEvent}, "expect": ends,
			"match":    object{"prefect.resource.id": []string{"prefect.flow-run.*"}},
			"for_each": []string{"prefect.resource.id"}, "threshold": 1, "within": silence,
		},
		"actions": []object{{"type": "change-flow-run-state", "state": typeCrashed, "message": "the run's heartbeats stopped"}},
	}
}
