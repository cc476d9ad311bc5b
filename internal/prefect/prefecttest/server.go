// Package prefecttest stands in for a Prefect server in tests: it keeps runs and follows those of the
// real server's rules that a worker relies on, and it can be made to fail in ways that the real one
// can't be asked to. It serves over HTTP, or as a transport without a network, and so also where the
// time is virtual.
package prefecttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// State is a state of a run.
type State struct {
	Type    string         `json:"type"`
	Name    string         `json:"name"`
	Message string         `json:"message"`
	Details map[string]any `json:"state_details"`
}

// Run is a flow run.
type Run struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	Key           string         `json:"idempotency_key"`
	Parent        string         `json:"parent_task_run_id"`
	Parameters    map[string]any `json:"parameters"`
	Expected      time.Time      `json:"expected_start_time"`
	Next          time.Time      `json:"next_scheduled_start_time"`
	AutoScheduled bool           `json:"auto_scheduled"`
	RunCount      int            `json:"run_count"`
	PID           string         `json:"infrastructure_pid"`
	State         State          `json:"state"`
	History       []State        `json:"-"`
}

// Task is a task run.
type Task struct {
	ID         string `json:"id"`
	FlowRunID  string `json:"flow_run_id"`
	Name       string `json:"name"`
	TaskKey    string `json:"task_key"`
	DynamicKey string `json:"dynamic_key"`
	RunCount   int    `json:"run_count"`
	State      State  `json:"state"`
	History    []State
	at         string
}

// Line is a line of a log.
type Line struct {
	Level     int    `json:"level"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	FlowRunID string `json:"flow_run_id"`
	TaskRunID string `json:"task_run_id"`
}

// Artifact is an artifact.
type Artifact struct {
	ID          string `json:"id"`
	Key         string `json:"key"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Data        any    `json:"data"`
	FlowRunID   string `json:"flow_run_id"`
	TaskRunID   string `json:"task_run_id"`
}

// Fault is what goes wrong with a request.
type Fault struct {
	Status int         // answered instead of doing it
	Header http.Header // of that answer
	Lost   bool        // it is done, and the connection breaks before the answer
	Hang   bool        // no answer before the caller gives up
	Refuse bool        // no connection
}

// Server is a fake Prefect server.
type Server struct {
	// Fault says what goes wrong with a request, nil for nothing. Set it before the first request, or
	// by SetFault.
	fault func(*http.Request) *Fault

	mu         sync.Mutex
	mux        *http.ServeMux
	requests   []string
	runs       []*Run
	tasks      []*Task
	lines      []Line
	artifacts  []*Artifact
	events     map[string]map[string]any
	workers    []string
	pool       map[string]any
	deployment map[string]any
	automation int
	limit      int
	silent     int
}

// New returns a server that has nothing.
func New() *Server {
	s := &Server{mux: http.NewServeMux(), events: map[string]map[string]any{}}
	s.routes()
	return s
}

var errLost = errors.New("prefecttest: connection reset")

// RoundTrip implements http.RoundTripper.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	var f *Fault
	if s.fault != nil {
		f = s.fault(r)
	}
	s.mu.Unlock()
	switch {
	case f == nil:
		return s.serve(r), nil
	case f.Refuse:
		return nil, errLost
	case f.Hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case f.Lost:
		s.serve(r)
		return nil, errLost
	}
	w := httptest.NewRecorder()
	for k, v := range f.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(f.Status)
	return w.Result(), nil
}

func (s *Server) serve(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mux.ServeHTTP(w, r)
}

// SetFault says what goes wrong from now on.
func (s *Server) SetFault(f func(*http.Request) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// SetLimit has the pool offer no more than n runs at a time.
func (s *Server) SetLimit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = n
}

// Pause pauses the deployment, or ends the pause.
func (s *Server) Pause(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deployment["paused"] = paused
}

// DeleteDeployment deletes the deployment, and what of its schedule is ahead.
func (s *Server) DeleteDeployment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deployment = nil
	s.runs = slices.DeleteFunc(s.runs, func(r *Run) bool { return r.AutoScheduled && r.State.Type == "SCHEDULED" })
}

// Silent counts the heartbeats of runs that had ended, which the automation takes for ones that go on
// and fall silent.
func (s *Server) Silent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent
}

// Requests are the requests so far, as "METHOD /path".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Count is the number of requests whose "METHOD /path" holds part.
func (s *Server) Count(part string) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

// Add adds a flow run and gives its id.
func (s *Server) Add(run Run) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(run).ID
}

func (s *Server) add(run Run) *Run {
	run.ID = uuid.NewString()
	if run.State.Type == "" {
		run.State = State{Type: "SCHEDULED", Name: "Scheduled"}
	}
	if run.Next.IsZero() {
		run.Next = run.Expected
	}
	run.History = []State{run.State}
	s.runs = append(s.runs, &run)
	return &run
}

// Run reads a flow run.
func (s *Server) Run(id string) Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if run := s.find(id); run != nil {
		return *run
	}
	return Run{}
}

// Runs are all flow runs.
func (s *Server) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Run
	for _, r := range s.runs {
		out = append(out, *r)
	}
	return out
}

// SetState puts a flow run into a state, as somebody who forces it.
func (s *Server) SetState(id, kind, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if run := s.find(id); run != nil {
		run.set(State{Type: kind, Name: name})
	}
}

// Forget deletes all flow runs.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = nil
}

// Tasks are the task runs of a flow run by their names.
func (s *Server) Tasks(flowRunID string) map[string]Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Task{}
	for _, t := range s.tasks {
		if t.FlowRunID == flowRunID {
			out[t.Name] = *t
		}
	}
	return out
}

// Lines are the lines of a flow run.
func (s *Server) Lines(flowRunID string) []Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Line
	for _, l := range s.lines {
		if l.FlowRunID == flowRunID {
			out = append(out, l)
		}
	}
	return out
}

// Artifacts are the artifacts of a flow run.
func (s *Server) Artifacts(flowRunID string) []Artifact {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Artifact
	for _, a := range s.artifacts {
		if a.FlowRunID == flowRunID {
			out = append(out, *a)
		}
	}
	return out
}

// Workers are the names of the pool's workers.
func (s *Server) Workers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.workers)
}

// Events counts the events of a name.
func (s *Server) Events(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		if e["event"] == name {
			n++
		}
	}
	return n
}

func (s *Server) find(id string) *Run {
	for _, r := range s.runs {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (r *Run) set(state State) {
	if state.Details == nil {
		state.Details = map[string]any{}
	}
	if state.Type == "RUNNING" {
		r.RunCount++
	}
	r.State = state
	r.History = append(r.History, state)
}

func read[T any](r *http.Request) T {
	var v T
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &v); err != nil {
		panic(fmt.Sprintf("prefecttest: %s %s: %v: %s", r.Method, r.URL.Path, err, body))
	}
	return v
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // of maps and structs: cannot fail
}
