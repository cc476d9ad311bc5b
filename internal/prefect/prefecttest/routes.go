package prefecttest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

func (s *Server) routes() {
	for pattern, f := range map[string]http.HandlerFunc{
		"GET /api/csrf-token":                                 s.csrfToken,
		"GET /api/work_pools/{name}":                          s.readPool,
		"GET /api/work_pools/{name}/queues/{queue}":           s.readQueue,
		"POST /api/work_pools/{$}":                            s.createPool,
		"POST /api/flows/{$}":                                 s.createFlow,
		"GET /api/deployments/name/{flow}/{name}":             s.readDeployment,
		"POST /api/deployments/{$}":                           s.createDeployment,
		"PATCH /api/deployments/{id}":                         s.updateDeployment,
		"PATCH /api/deployments/{id}/schedules/{s}":           s.updateDeployment,
		"POST /api/automations/filter":                        s.readAutomations,
		"POST /api/automations/{$}":                           s.createAutomation,
		"POST /api/work_pools/{name}/workers/heartbeat":       s.heartbeat,
		"POST /api/work_pools/{name}/workers/filter":          s.readWorkers,
		"DELETE /api/work_pools/{name}/workers/{worker}":      s.deleteWorker,
		"POST /api/work_pools/{name}/get_scheduled_flow_runs": s.poll,
		"POST /api/flow_runs/{$}":                             s.createRun,
		"GET /api/flow_runs/{id}":                             s.readRun,
		"PATCH /api/flow_runs/{id}":                           s.updateRun,
		"POST /api/flow_runs/filter":                          s.filterRuns,
		"POST /api/flow_runs/bulk_set_state":                  s.setStates,
		"POST /api/flow_runs/{id}/set_state":                  s.setState,
		"POST /api/task_runs/filter":                          s.filterTasks,
		"POST /api/events":                                    s.takeEvents,
		"POST /api/logs/{$}":                                  s.takeLines,
		"POST /api/logs/filter":                               s.readLines,
		"POST /api/artifacts/{$}":                             s.createArtifact,
		"PATCH /api/artifacts/{id}":                           s.updateArtifact,
		"POST /api/artifacts/filter":                          s.readArtifacts,
	} {
		s.mux.HandleFunc(pattern, f)
	}
}

type object = map[string]any

// anyOf is a filter of the values that a field may have; nil lets all pass.
type anyOf struct {
	Any []string `json:"any_"`
}

func (a *anyOf) pass(v string) bool { return a == nil || a.Any == nil || slices.Contains(a.Any, v) }

func (s *Server) csrfToken(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusUnprocessableEntity, object{"detail": "CSRF protection is disabled."})
}

func (s *Server) readPool(w http.ResponseWriter, _ *http.Request) { found(w, s.pool) }

func (s *Server) readQueue(w http.ResponseWriter, _ *http.Request) {
	found(w, object{"is_paused": false})
}

func (s *Server) createPool(w http.ResponseWriter, r *http.Request) {
	s.pool = read[object](r)
	write(w, http.StatusCreated, s.pool)
}

func (s *Server) createFlow(w http.ResponseWriter, r *http.Request) {
	write(w, http.StatusCreated, object{"id": uuid.NewSHA1(uuid.NameSpaceURL, []byte(read[object](r)["name"].(string)))})
}

func found(w http.ResponseWriter, o object) {
	if o == nil {
		write(w, http.StatusNotFound, object{"detail": "not found"})
		return
	}
	write(w, http.StatusOK, o)
}

func (s *Server) readDeployment(w http.ResponseWriter, _ *http.Request) { found(w, s.deployment) }

func (s *Server) createDeployment(w http.ResponseWriter, r *http.Request) {
	s.deployment = read[object](r)
	s.deployment["id"] = uuid.NewString()
	write(w, http.StatusCreated, s.deployment)
}

func (s *Server) updateDeployment(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) readAutomations(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, make([]object, s.automation))
}

func (s *Server) createAutomation(w http.ResponseWriter, _ *http.Request) {
	s.automation++
	write(w, http.StatusCreated, object{})
}

func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request) {
	if name := read[object](r)["name"].(string); !slices.Contains(s.workers, name) {
		s.workers = append(s.workers, name)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) readWorkers(w http.ResponseWriter, _ *http.Request) {
	out := []object{}
	for _, name := range s.workers {
		out = append(out, object{"name": name})
	}
	write(w, http.StatusOK, out)
}

func (s *Server) deleteWorker(w http.ResponseWriter, r *http.Request) {
	s.workers = slices.DeleteFunc(s.workers, func(name string) bool { return name == r.PathValue("worker") })
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) poll(w http.ResponseWriter, r *http.Request) {
	ask := read[struct {
		Before time.Time `json:"scheduled_before"`
	}](r)
	out := []object{}
	for _, run := range s.runs {
		if s.limit > 0 && len(out) == s.limit {
			break // oldest first, as they were added
		}
		if run.State.Type == "SCHEDULED" && !run.Next.After(ask.Before) {
			out = append(out, object{"flow_run": run})
		}
	}
	write(w, http.StatusOK, out)
}

func (s *Server) createRun(w http.ResponseWriter, r *http.Request) {
	ask := read[Run](r)
	for _, run := range s.runs {
		if run.Key == ask.Key {
			write(w, http.StatusOK, run)
			return
		}
	}
	known := func(t *Task) bool { return t.ID == ask.Parent }
	if ask.Parent != "" && !slices.ContainsFunc(s.tasks, known) {
		write(w, http.StatusConflict, object{"detail": "Data integrity conflict."})
		return
	}
	if at, ok := ask.State.Details["scheduled_time"].(string); ok {
		ask.Expected, _ = time.Parse(time.RFC3339Nano, at)
	}
	write(w, http.StatusCreated, s.add(ask))
}

func (s *Server) readRun(w http.ResponseWriter, r *http.Request) {
	run := s.find(r.PathValue("id"))
	if run == nil {
		found(w, nil)
		return
	}
	write(w, http.StatusOK, run)
}

func (s *Server) updateRun(w http.ResponseWriter, r *http.Request) {
	if run := s.find(r.PathValue("id")); run != nil {
		run.PID, _ = read[object](r)["infrastructure_pid"].(string)
	}
	w.WriteHeader(http.StatusNoContent)
}

// runFilter is the part of the real filter that a worker uses.
type runFilter struct {
	ID    *anyOf `json:"id"`
	Key   *anyOf `json:"idempotency_key"`
	State *struct {
		Type *anyOf `json:"type"`
	} `json:"state"`
	Expected *struct {
		Before time.Time `json:"before_"`
	} `json:"expected_start_time"`
}

func (f runFilter) pass(run *Run) bool {
	if !f.ID.pass(run.ID) || !f.Key.pass(run.Key) || (f.State != nil && !f.State.Type.pass(run.State.Type)) {
		return false
	}
	return f.Expected == nil || !run.Expected.After(f.Expected.Before)
}

func (s *Server) filterRuns(w http.ResponseWriter, r *http.Request) {
	ask := read[struct {
		Runs runFilter `json:"flow_runs"`
		Sort string    `json:"sort"`
	}](r)
	out := []*Run{}
	for _, run := range s.runs {
		if ask.Runs.pass(run) {
			out = append(out, run)
		}
	}
	if strings.HasSuffix(ask.Sort, "DESC") {
		slices.SortFunc(out, func(a, b *Run) int { return b.Expected.Compare(a.Expected) })
	}
	write(w, http.StatusOK, out)
}

func (s *Server) setStates(w http.ResponseWriter, r *http.Request) {
	ask := read[struct {
		Runs  runFilter `json:"flow_runs"`
		State State     `json:"state"`
	}](r)
	results := []object{}
	for _, run := range s.runs {
		if ask.Runs.pass(run) {
			results = append(results, run.propose(ask.State, false))
		}
	}
	write(w, http.StatusOK, object{"results": results})
}

func (s *Server) setState(w http.ResponseWriter, r *http.Request) {
	run := s.find(r.PathValue("id"))
	if run == nil {
		found(w, nil)
		return
	}
	ask := read[struct {
		State State `json:"state"`
		Force bool  `json:"force"`
	}](r)
	write(w, http.StatusOK, run.propose(ask.State, ask.Force))
}

// propose takes a state, if the rules are for it, and says so.
func (r *Run) propose(to State, force bool) object {
	id := to.Details["transition_id"]
	switch {
	case !force && id != nil && id == r.State.Details["transition_id"]:
		return object{"status": "REJECT", "state": r.State, "details": object{"reason": "This run has already made this state transition."}}
	case !force && against(r.State.Type, to.Type):
		return object{"status": "ABORT", "state": nil, "details": object{"reason": "This run is in a " + r.State.Type + " state."}}
	}
	r.set(to)
	return object{"status": "ACCEPT", "state": r.State, "details": object{}}
}

// against reports whether the server aborts a transition.
func against(from, to string) bool {
	switch to {
	case "PENDING":
		return slices.Contains([]string{"PENDING", "RUNNING", "CANCELLING", "CANCELLED"}, from)
	case "CRASHED", "CANCELLING":
		return slices.Contains([]string{"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}, from)
	}
	return false
}

func (s *Server) filterTasks(w http.ResponseWriter, r *http.Request) {
	ask := read[struct {
		Runs  runFilter `json:"flow_runs"`
		Tasks runFilter `json:"task_runs"`
	}](r)
	out := []*Task{}
	for _, t := range s.tasks {
		if ask.Runs.ID.pass(t.FlowRunID) && (ask.Tasks.State == nil || ask.Tasks.State.Type.pass(t.State.Type)) {
			out = append(out, t)
		}
	}
	write(w, http.StatusOK, out)
}

type event struct {
	ID       string `json:"id"`
	Occurred string `json:"occurred"`
	Event    string `json:"event"`
	Resource object `json:"resource"`
	Related  []object
	Payload  struct {
		State State `json:"validated_state"`
		Task  Task  `json:"task_run"`
	} `json:"payload"`
}

func (s *Server) takeEvents(w http.ResponseWriter, r *http.Request) {
	for _, e := range read[[]event](r) {
		if s.events[e.ID] != nil {
			continue
		}
		s.events[e.ID] = object{"event": e.Event}
		if e.Event == "prefect.flow-run.heartbeat" {
			id, _ := e.Resource["prefect.resource.id"].(string)
			if run := s.find(strings.TrimPrefix(id, "prefect.flow-run.")); run != nil && against(run.State.Type, "CRASHED") {
				s.silent++
			}
		}
		if strings.HasPrefix(e.Event, "prefect.task-run.") && e.Resource["prefect.orchestration"] == "client" {
			s.record(e)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// record takes a state of a task run. A state that is not later than the one it has changes nothing.
func (s *Server) record(e event) {
	id := strings.TrimPrefix(e.Resource["prefect.resource.id"].(string), "prefect.task-run.")
	i := slices.IndexFunc(s.tasks, func(t *Task) bool { return t.ID == id })
	if i < 0 {
		i = len(s.tasks)
		run := strings.TrimPrefix(e.Related[0]["prefect.resource.id"].(string), "prefect.flow-run.")
		s.tasks = append(s.tasks, &Task{ID: id, FlowRunID: run})
	}
	t := s.tasks[i]
	t.History = append(t.History, e.Payload.State)
	if e.Occurred <= t.at {
		return
	}
	t.at, t.State = e.Occurred, e.Payload.State
	t.Name, t.TaskKey, t.DynamicKey, t.RunCount = e.Payload.Task.Name, e.Payload.Task.TaskKey, e.Payload.Task.DynamicKey, e.Payload.Task.RunCount
}

func (s *Server) takeLines(w http.ResponseWriter, r *http.Request) {
	s.lines = append(s.lines, read[[]Line](r)...)
	w.WriteHeader(http.StatusCreated)
}

func (s *Server) readLines(w http.ResponseWriter, r *http.Request) {
	ask := read[struct {
		Logs struct {
			Run *anyOf `json:"flow_run_id"`
		} `json:"logs"`
		Limit  int `json:"limit"`
		Offset int `json:"offset"`
	}](r)
	out := []Line{}
	for _, l := range s.lines {
		if ask.Logs.Run.pass(l.FlowRunID) {
			out = append(out, l)
		}
	}
	from := min(ask.Offset, len(out))
	write(w, http.StatusOK, out[from:min(from+ask.Limit, len(out))])
}

func (s *Server) createArtifact(w http.ResponseWriter, r *http.Request) {
	a := read[Artifact](r)
	a.ID = uuid.NewString()
	s.artifacts = append(s.artifacts, &a)
	write(w, http.StatusCreated, a)
}

func (s *Server) updateArtifact(w http.ResponseWriter, r *http.Request) {
	ask := read[Artifact](r)
	for _, a := range s.artifacts {
		if a.ID == r.PathValue("id") {
			a.Data, a.Description = ask.Data, ask.Description
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) readArtifacts(w http.ResponseWriter, r *http.Request) {
	ask := read[struct {
		Artifacts struct {
			Run *anyOf `json:"flow_run_id"`
		} `json:"artifacts"`
	}](r)
	out := []*Artifact{}
	for _, a := range s.artifacts {
		if ask.Artifacts.Run.pass(a.FlowRunID) {
			out = append(out, a)
		}
	}
	write(w, http.StatusOK, out)
}
