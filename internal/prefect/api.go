package prefect

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// object is a JSON object of a request.
type object = map[string]any

// The types of states that the server knows.
const (
	typeScheduled  = "SCHEDULED"
	typePending    = "PENDING"
	typeRunning    = "RUNNING"
	typeCompleted  = "COMPLETED"
	typeFailed     = "FAILED"
	typeCancelled  = "CANCELLED"
	typeCrashed    = "CRASHED"
	typeCancelling = "CANCELLING"
)

// state is a state as the server keeps it.
type state struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Message string `json:"message"`
	Details struct {
		TransitionID string `json:"transition_id"`
	} `json:"state_details"`
}

func (s state) final() bool {
	return s.Type == typeCompleted || s.Type == typeFailed || s.Type == typeCancelled || s.Type == typeCrashed
}

// serverRun is a flow run as the server keeps it.
type serverRun struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	Parameters    map[string]any `json:"parameters"`
	Expected      time.Time      `json:"expected_start_time"`
	Next          time.Time      `json:"next_scheduled_start_time"`
	AutoScheduled bool           `json:"auto_scheduled"`
	RunCount      int            `json:"run_count"`
	PID           string         `json:"infrastructure_pid"`
	Parent        string         `json:"parent_task_run_id"`
	State         state          `json:"state"`
}

// scheduled reports whether the schedule asks for the run. One that ran before is asked for by
// somebody, who had it retried.
func (s serverRun) scheduled() bool { return s.AutoScheduled && s.RunCount == 0 }

func (s serverRun) whole() bool { return s.ID != "" }

// made is what is known of a thing that was just made.
type made struct {
	ID string `json:"id"`
}

func (m made) whole() bool { return m.ID != "" }

// serverTask is a task run as the server keeps it.
type serverTask struct {
	ID         string    `json:"id"`
	FlowRunID  string    `json:"flow_run_id"`
	Name       string    `json:"name"`
	TaskKey    string    `json:"task_key"`
	DynamicKey string    `json:"dynamic_key"`
	RunCount   int       `json:"run_count"`
	Start      time.Time `json:"start_time"`
	State      state     `json:"state"`
}

// The server's words on a proposed state.
const (
	accepted = "ACCEPT"
	rejected = "REJECT"
	aborted  = "ABORT"
	waiting  = "WAIT"
)

// proposal is a state that a flow run is to have.
type proposal struct {
	Type, Name, Message string
	// Transition tells this transition from all others: proposing it twice makes it once.
	Transition string
	// Force goes past the server's rules.
	Force bool
	At    time.Time // of a scheduled state
}

// verdict is the server's word on a proposal.
type verdict struct {
	Status  string `json:"status"`
	State   state  `json:"state"`
	Details struct {
		Reason string  `json:"reason"`
		Delay  float64 `json:"delay_seconds"`
	} `json:"details"`
}

func (v verdict) accepted() bool { return v.Status == accepted }

func (v verdict) whole() bool {
	return v.Status == accepted || v.Status == rejected || v.Status == aborted || v.Status == waiting
}

// verdicts are the server's words on a proposal for several runs, none for those that it does not fit.
type verdicts struct {
	Results []verdict `json:"results"`
}

func (v verdicts) whole() bool {
	return !slices.ContainsFunc(v.Results, func(one verdict) bool { return !one.whole() })
}

func (p proposal) state() object {
	details := object{"transition_id": p.Transition}
	if !p.At.IsZero() {
		details["scheduled_time"] = stamp(p.At)
	}
	s := object{"type": p.Type, "name": p.Name, "state_details": details}
	if p.Message != "" {
		s["message"] = p.Message
	}
	return s
}

// wait is how long the server asks to wait, within reason.
func (v verdict) wait() time.Duration {
	return time.Duration(min(max(v.Details.Delay, 0.1), maxRetryAfter.Seconds()) * float64(time.Second))
}

// propose proposes a state of a flow run, and again some times if the server asks to wait.
func (c *Client) propose(ctx context.Context, id string, p proposal) (verdict, error) {
	for try := 1; ; try++ {
		var v verdict
		_, err := c.do(ctx, request{
			operation: "set_" + strings.ToLower(p.Type), method: http.MethodPost, path: "/flow_runs/" + url.PathEscape(id) + "/set_state",
			in: object{"state": p.state(), "force": p.Force}, out: &v,
		})
		if err != nil {
			return v, err
		}
		if v.Status == rejected && v.State.Details.TransitionID == p.Transition {
			v.Status = accepted // an earlier try arrived, and its answer was lost
		}
		v.Details.Reason = c.redact.Replace(v.Details.Reason)
		if v.Status != waiting || try == maxTries {
			return v, nil
		}
		if !sleep(ctx, v.wait()) {
			return v, context.Cause(ctx)
		}
	}
}

// errDeleted is for a run that was deleted after it was offered, as a pause does with what is ahead.
var errDeleted = errors.New("prefect: the run was deleted")

// claim proposes a state of a flow run that is still scheduled; errDeleted if it is not there any more. Where another made it run and end
// meanwhile the rules alone would let it run again.
func (c *Client) claim(ctx context.Context, id string, p proposal) (verdict, error) {
	var answer verdicts
	_, err := c.do(ctx, request{
		operation: "claim", method: http.MethodPost, path: "/flow_runs/bulk_set_state", out: &answer,
		in: object{"flow_runs": object{"id": anyOf(id), "state": object{"type": anyOf(typeScheduled)}}, "state": p.state(), "limit": 1},
	})
	if err != nil {
		return verdict{}, err
	}
	if len(answer.Results) > 0 {
		v := answer.Results[0]
		v.Details.Reason = c.redact.Replace(v.Details.Reason)
		return v, nil
	}
	// It is not scheduled any more: by an earlier try, whose answer was lost, or by another's claim.
	var now serverRun
	_, err = c.do(ctx, request{operation: "read_run", method: http.MethodGet, path: "/flow_runs/" + url.PathEscape(id), out: &now})
	v := verdict{Status: rejected, State: now.State}
	switch {
	case answered(err, http.StatusNotFound):
		err = errDeleted
	case err != nil:
	case now.State.Details.TransitionID == p.Transition:
		v.Status = accepted
	case now.State.Type == typeScheduled:
		err = errors.New("prefect: claim: the server took it and did nothing")
	default:
		v.Details.Reason = "another worker has it"
	}
	return v, err
}

// pageSize is the most that the server gives at once.
const pageSize = 200

// find lists the flow runs of a filter, the first page of them.
func (c *Client) find(ctx context.Context, operation string, filter object) ([]serverRun, error) {
	filter["limit"] = pageSize
	var out []serverRun
	_, err := c.do(ctx, request{operation: operation, method: http.MethodPost, path: "/flow_runs/filter", in: filter, out: &out})
	return out, err
}

// findByKey gives the run of a flow that has a key, none without an id if the server has none.
func (c *Client) findByKey(ctx context.Context, operation, flow, key string) (run serverRun, err error) {
	found, err := c.find(ctx, operation, object{"flow_runs": object{"idempotency_key": anyOf(c.keyOf(flow, key))}})
	if len(found) > 0 {
		run = found[0]
	}
	return run, err
}

// flowID finds or makes a flow.
func (c *Client) flowID(ctx context.Context, name string) (string, error) {
	c.mu.Lock()
	id := c.flows[name]
	c.mu.Unlock()
	if id != "" {
		return id, nil
	}
	var flow made
	if _, err := c.do(ctx, request{operation: "create_flow", method: http.MethodPost, path: "/flows/", in: object{"name": name}, out: &flow}); err != nil {
		return "", err
	}
	c.mu.Lock()
	c.flows[name] = flow.ID
	c.mu.Unlock()
	return flow.ID, nil
}

// forgetFlows is for a server that may have lost them.
func (c *Client) forgetFlows() {
	c.mu.Lock()
	clear(c.flows)
	c.mu.Unlock()
}

// Version is the version of the server.
func (c *Client) Version(ctx context.Context) (string, error) {
	var v string
	_, err := c.do(ctx, request{operation: "version", method: http.MethodGet, path: "/admin/version", out: &v})
	return v, err
}

// anyOf is the filter of a field that may have one of several values.
func anyOf(values ...string) object { return object{"any_": values} }

// stamp writes a time as the server keeps it, to the microsecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
