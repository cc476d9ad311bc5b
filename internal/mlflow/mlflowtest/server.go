// Package mlflowtest is an MLflow server in memory: as much of the REST interface as the platform uses,
// with the refusals of the real one that matter to it.
package mlflowtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// Server answers as an MLflow server does.
type Server struct {
	mux *http.ServeMux

	mu    sync.Mutex
	state state
}

// state is what a server forgets when it is restarted empty.
type state struct {
	ids         int
	experiments []*Experiment
	runs        []*Run
	models      []*Model
	registered  bool
	name        string
	versions    []*Version
	aliases     map[string]string
	files       map[string][]byte
	// registeredTags are those of the registered model.
	registeredTags []Pair
}

// Pair is a tag or a parameter.
type Pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Experiment is an experiment.
type Experiment struct {
	ID    string `json:"experiment_id"`
	Name  string `json:"name"`
	Stage string `json:"lifecycle_stage"`
	Tags  []Pair `json:"tags"`
}

// Run is a run with all that was logged of it.
type Run struct {
	ID, Experiment, Name, Status string
	Deleted                      bool
	Start, End                   int64
	Tags, Params                 map[string]string
	Metrics                      map[string]json.RawMessage
	Datasets                     []string
	Outputs                      []string
}

// Model is a logged model.
type Model struct {
	ID, Experiment, Run, Status string
}

// Version is a registered version.
type Version struct {
	Number      string `json:"version"`
	Model       string `json:"model_id"`
	Run         string `json:"run_id"`
	Description string `json:"description"`
	Tags        []Pair `json:"tags"`
}

// New returns an empty server.
func New() *Server {
	s := &Server{mux: http.NewServeMux()}
	s.Empty()
	s.routes()
	return s
}

// Empty forgets everything, as a server does that lost its disk.
func (s *Server) Empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state{ids: s.state.ids, aliases: map[string]string{}, files: map[string][]byte{}}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mux.ServeHTTP(w, r)
}

// Runs are the runs, oldest first.
func (s *Server) Runs() []Run {
	out := copies(s, &s.state.runs)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range out {
		r := &out[i]
		r.Tags, r.Params, r.Metrics = maps.Clone(r.Tags), maps.Clone(r.Params), maps.Clone(r.Metrics)
	}
	return out
}

// Models are the logged models, oldest first.
func (s *Server) Models() []Model { return copies(s, &s.state.models) }

// Versions are the registered versions, oldest first.
func (s *Server) Versions() []Version { return copies(s, &s.state.versions) }

// Experiments are the experiments, oldest first.
func (s *Server) Experiments() []Experiment { return copies(s, &s.state.experiments) }

// Aliases are the numbers of versions by alias.
func (s *Server) Aliases() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]string)
	for alias, number := range s.state.aliases {
		out[alias] = number
	}
	return out
}

// Files are the artifacts by path below the root of a run or model.
func (s *Server) Files(owner string) map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string][]byte)
	for path, content := range s.state.files {
		if name, ok := strings.CutPrefix(path, owner+"/"); ok {
			out[name] = content
		}
	}
	return out
}

func copies[T any](s *Server, list *[]*T) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]T, len(*list))
	for i, v := range *list {
		out[i] = *v
	}
	return out
}

// id is a new one.
func (s *Server) id(prefix string) string {
	s.state.ids++
	return fmt.Sprintf("%s%d", prefix, s.state.ids)
}

// refusal is an answer in MLflow's form.
type refusal struct {
	status int
	code   string
}

var (
	missing = &refusal{http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST"}
	exists  = &refusal{http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS"}
	invalid = &refusal{http.StatusBadRequest, "INVALID_PARAMETER_VALUE"}
	broken  = &refusal{http.StatusInternalServerError, "INTERNAL_ERROR"}
)

// question is a request's query or JSON body.
type question struct {
	r    *http.Request
	body map[string]json.RawMessage
}

func (q question) text(key string) string {
	if q.r.Method == http.MethodGet {
		return q.r.URL.Query().Get(key)
	}
	var s string
	_ = json.Unmarshal(q.body[key], &s)
	return s
}

func (q question) into(key string, v any) { _ = json.Unmarshal(q.body[key], v) }

// handle routes an operation; the answer is encoded as JSON.
func (s *Server) handle(pattern string, answer func(question) (any, *refusal)) {
	method, path, _ := strings.Cut(pattern, " ")
	s.mux.HandleFunc(method+" /api/2.0/mlflow/"+path, func(w http.ResponseWriter, r *http.Request) {
		q := question{r: r}
		text, err := io.ReadAll(r.Body)
		if err != nil || len(text) > 0 && json.Unmarshal(text, &q.body) != nil {
			reply(w, invalid.status, map[string]string{"error_code": invalid.code})
			return
		}
		v, no := answer(q)
		if no != nil {
			reply(w, no.status, map[string]string{"error_code": no.code, "message": "refused by the test server"})
			return
		}
		reply(w, http.StatusOK, v)
	})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a caller who went away
}

// none is the answer of an operation that has nothing to say.
type none struct{}
