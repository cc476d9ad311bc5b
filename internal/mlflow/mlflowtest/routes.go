package mlflowtest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

func (s *Server) routes() {
	s.mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "3.17.2") })
	s.mux.HandleFunc("PUT /api/2.0/mlflow-artifacts/artifacts/", s.putFile)

	s.handle("GET experiments/get-by-name", s.findExperiment)
	s.handle("POST experiments/create", s.createExperiment)
	s.handle("POST experiments/restore", s.restoreExperiment)
	s.handle("POST experiments/set-experiment-tag", s.tagExperiment)

	s.handle("POST runs/create", s.createRun)
	s.handle("GET runs/get", s.getRun)
	s.handle("POST runs/search", s.searchRuns)
	s.handle("POST runs/update", s.updateRun)
	s.handle("POST runs/log-batch", s.logBatch)
	s.handle("POST runs/log-inputs", s.logInputs)
	s.handle("POST runs/outputs", s.logOutputs)

	s.handle("POST logged-models", s.createModel)
	s.handle("POST logged-models/search", s.searchModels)
	s.handle("PATCH logged-models/{id}", s.endModel)

	s.handle("POST registered-models/create", s.createRegistered)
	s.handle("GET registered-models/get", s.getRegistered)
	s.handle("POST registered-models/set-tag", s.tagRegistered)
	s.handle("POST registered-models/alias", s.setAlias)
	s.handle("DELETE registered-models/alias", s.deleteAlias)
	s.handle("POST model-versions/create", s.createVersion)
	s.handle("GET model-versions/search", s.searchVersions)
}

// putFile keeps an artifact: /EXPERIMENT/OWNER/artifacts/NAME, or models/OWNER.
func (s *Server) putFile(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	_, path, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow-artifacts/artifacts/"), "/")
	if err != nil || !ok {
		reply(w, invalid.status, map[string]string{"error_code": invalid.code})
		return
	}
	s.state.files[strings.Replace(path, "/artifacts/", "/", 1)] = content
	reply(w, http.StatusOK, none{})
}

func (s *Server) findExperiment(q question) (any, *refusal) {
	for _, e := range s.state.experiments {
		if e.Name == q.text("experiment_name") {
			return map[string]any{"experiment": e}, nil
		}
	}
	return nil, missing
}

func (s *Server) createExperiment(q question) (any, *refusal) {
	if _, no := s.findExperiment(question{r: q.r, body: map[string]json.RawMessage{"experiment_name": q.body["name"]}}); no == nil {
		return nil, exists
	}
	e := &Experiment{ID: s.id(""), Name: q.text("name"), Stage: "active"}
	q.into("tags", &e.Tags)
	s.state.experiments = append(s.state.experiments, e)
	return map[string]string{"experiment_id": e.ID}, nil
}

func (s *Server) experiment(id string) *Experiment {
	for _, e := range s.state.experiments {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (s *Server) restoreExperiment(q question) (any, *refusal) {
	e := s.experiment(q.text("experiment_id"))
	if e == nil || e.Stage != "deleted" {
		return nil, missing
	}
	e.Stage = "active"
	return none{}, nil
}

// DeleteExperiment deletes an experiment as a user does: it can be restored.
func (s *Server) DeleteExperiment(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.state.experiments {
		if e.Name == name {
			e.Stage = "deleted"
		}
	}
}

// DeleteRun deletes a run as a user does.
func (s *Server) DeleteRun(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.state.runs {
		if r.ID == id {
			r.Deleted = true
		}
	}
}

func (s *Server) tagExperiment(q question) (any, *refusal) {
	e := s.experiment(q.text("experiment_id"))
	if e == nil {
		return nil, missing
	}
	e.Tags = append(e.Tags, Pair{q.text("key"), q.text("value")})
	return none{}, nil
}

func (s *Server) createRun(q question) (any, *refusal) {
	e := s.experiment(q.text("experiment_id"))
	if e == nil {
		return nil, missing
	}
	if e.Stage != "active" {
		return nil, invalid
	}
	r := &Run{
		ID: s.id("r"), Experiment: e.ID, Name: q.text("run_name"), Status: "RUNNING",
		Tags: map[string]string{}, Params: map[string]string{}, Metrics: map[string]json.RawMessage{},
	}
	q.into("start_time", &r.Start)
	var tags []Pair
	q.into("tags", &tags)
	put(r.Tags, tags)
	s.state.runs = append(s.state.runs, r)
	return map[string]any{"run": r.answer()}, nil
}

func put(into map[string]string, pairs []Pair) {
	for _, p := range pairs {
		into[p.Key] = p.Value
	}
}

func (r *Run) answer() any {
	outputs := []map[string]string{}
	for _, id := range r.Outputs {
		outputs = append(outputs, map[string]string{"model_id": id})
	}
	metrics := []map[string]any{}
	for key, value := range r.Metrics {
		metrics = append(metrics, map[string]any{"key": key, "value": value})
	}
	stage := "active"
	if r.Deleted {
		stage = "deleted"
	}
	return map[string]any{
		"info": map[string]string{
			"run_id": r.ID, "lifecycle_stage": stage, "status": r.Status, "artifact_uri": "mlflow-artifacts:/" + r.Experiment + "/" + r.ID + "/artifacts",
		},
		"data": map[string]any{"metrics": metrics}, "outputs": map[string]any{"model_outputs": outputs},
	}
}

func (s *Server) run(q question) *Run {
	for _, r := range s.state.runs {
		if r.ID == q.text("run_id") {
			return r
		}
	}
	return nil
}

func (s *Server) getRun(q question) (any, *refusal) {
	r := s.run(q)
	if r == nil {
		return nil, missing
	}
	return map[string]any{"run": r.answer()}, nil
}

// wanted is the value that a filter asks for.
func wanted(filter string) string {
	parts := strings.Split(filter, "'")
	return parts[max(0, len(parts)-2)]
}

func (s *Server) searchRuns(q question) (any, *refusal) {
	found := []any{}
	for _, r := range s.state.runs {
		if !r.Deleted && r.Tags["iacontinu.run"] == wanted(q.text("filter")) {
			found = append(found, r.answer())
		}
	}
	return map[string]any{"runs": found}, nil
}

func (s *Server) updateRun(q question) (any, *refusal) {
	r := s.run(q)
	if r == nil {
		return nil, missing
	}
	r.Status = q.text("status")
	q.into("end_time", &r.End)
	return none{}, nil
}

func (s *Server) logBatch(q question) (any, *refusal) {
	r := s.run(q)
	if r == nil {
		return nil, missing
	}
	var tags, params []Pair
	var metrics []struct {
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	}
	q.into("tags", &tags)
	q.into("params", &params)
	q.into("metrics", &metrics)
	for _, p := range params {
		if old, ok := r.Params[p.Key]; ok && old != p.Value {
			return nil, invalid
		}
	}
	put(r.Tags, tags)
	put(r.Params, params)
	for _, m := range metrics {
		r.Metrics[m.Key] = m.Value
	}
	return none{}, nil
}

func (s *Server) logInputs(q question) (any, *refusal) {
	r := s.run(q)
	if r == nil {
		return nil, missing
	}
	var inputs []struct {
		Dataset struct {
			Name string `json:"name"`
		} `json:"dataset"`
	}
	q.into("datasets", &inputs)
	r.Datasets = nil // the same ones again count once
	for _, in := range inputs {
		r.Datasets = append(r.Datasets, in.Dataset.Name)
	}
	return none{}, nil
}

func (s *Server) logOutputs(q question) (any, *refusal) {
	r := s.run(q)
	if r == nil {
		return nil, missing
	}
	var models []struct {
		ID string `json:"model_id"`
	}
	q.into("models", &models)
	for _, m := range models {
		for _, there := range r.Outputs {
			if there == m.ID {
				return nil, broken // so does the real one, by a key that is there already
			}
		}
		r.Outputs = append(r.Outputs, m.ID)
	}
	return none{}, nil
}

func (s *Server) createModel(q question) (any, *refusal) {
	if s.experiment(q.text("experiment_id")) == nil {
		return nil, missing
	}
	m := &Model{ID: s.id("m-"), Experiment: q.text("experiment_id"), Run: q.text("source_run_id"), Status: "LOGGED_MODEL_PENDING"}
	s.state.models = append(s.state.models, m)
	return map[string]any{"model": m.answer()}, nil
}

func (m *Model) answer() any {
	return map[string]any{"info": map[string]string{
		"model_id": m.ID, "status": m.Status, "artifact_uri": "mlflow-artifacts:/" + m.Experiment + "/models/" + m.ID + "/artifacts",
	}}
}

func (s *Server) searchModels(q question) (any, *refusal) {
	found := []any{}
	for _, m := range s.state.models {
		if m.Run == wanted(q.text("filter")) {
			found = append(found, m.answer())
		}
	}
	return map[string]any{"models": found}, nil
}

func (s *Server) model(id string) *Model {
	for _, m := range s.state.models {
		if m.ID == id {
			return m
		}
	}
	return nil
}

func (s *Server) endModel(q question) (any, *refusal) {
	m := s.model(q.r.PathValue("id"))
	if m == nil {
		return nil, missing
	}
	m.Status = q.text("status")
	return map[string]any{"model": m.answer()}, nil
}

func (s *Server) createRegistered(q question) (any, *refusal) {
	if s.state.registered {
		return nil, exists
	}
	s.state.registered, s.state.name = true, q.text("name")
	q.into("tags", &s.state.registeredTags)
	return none{}, nil
}

func (s *Server) tagRegistered(q question) (any, *refusal) {
	if !s.state.registered || q.text("name") != s.state.name {
		return nil, missing
	}
	s.state.registeredTags = append(s.state.registeredTags, Pair{q.text("key"), q.text("value")})
	return none{}, nil
}

// DeleteRegistered deletes the registered model with its versions and aliases, as a user does.
func (s *Server) DeleteRegistered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.registered, s.state.registeredTags, s.state.versions = false, nil, nil
	clear(s.state.aliases)
}

// TagRegistered makes the registered model one with just this tag.
func (s *Server) TagRegistered(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.registeredTags = []Pair{{key, value}}
}

// SetAlias moves an alias, as a user does; to no version, it is taken away.
func (s *Server) SetAlias(alias, number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.aliases[alias] = number; number == "" {
		delete(s.state.aliases, alias)
	}
}

func (s *Server) getRegistered(q question) (any, *refusal) {
	if !s.state.registered || q.text("name") != s.state.name {
		return nil, missing
	}
	aliases := []map[string]string{}
	for alias, number := range s.state.aliases {
		aliases = append(aliases, map[string]string{"alias": alias, "version": number})
	}
	return map[string]any{"registered_model": map[string]any{
		"name": s.state.name, "aliases": aliases, "tags": s.state.registeredTags,
	}}, nil
}

func (s *Server) setAlias(q question) (any, *refusal) {
	number, err := strconv.Atoi(q.text("version"))
	if err != nil || number < 1 || number > len(s.state.versions) {
		return nil, missing
	}
	s.state.aliases[q.text("alias")] = q.text("version")
	return none{}, nil
}

func (s *Server) deleteAlias(q question) (any, *refusal) {
	delete(s.state.aliases, q.text("alias"))
	return none{}, nil
}

func (s *Server) createVersion(q question) (any, *refusal) {
	id := q.text("model_id")
	switch m := s.model(id); {
	case q.text("source") != "models:/"+id:
		return nil, invalid
	case m == nil:
		return nil, broken
	case !s.state.registered || q.text("name") != s.state.name:
		return nil, missing
	}
	v := &Version{Number: strconv.Itoa(len(s.state.versions) + 1), Model: id, Run: q.text("run_id"), Description: q.text("description")}
	q.into("tags", &v.Tags)
	s.state.versions = append(s.state.versions, v)
	return map[string]any{"model_version": v}, nil
}

func (s *Server) searchVersions(q question) (any, *refusal) {
	name, tag, byTag := strings.Cut(q.text("filter"), " and ")
	found := []*Version{}
	for _, v := range s.state.versions {
		if wanted(name) == s.state.name && (!byTag || v.has(wanted(tag))) {
			found = append(found, v)
		}
	}
	most, err := strconv.Atoi(q.text("max_results"))
	from, _ := strconv.Atoi(q.text("page_token"))
	if err != nil || from > len(found) {
		return nil, invalid
	}
	page := found[from:min(from+most, len(found))]
	next := ""
	if from += len(page); from < len(found) {
		next = strconv.Itoa(from)
	}
	return map[string]any{"model_versions": page, "next_page_token": next}, nil
}

func (v *Version) has(value string) bool {
	for _, t := range v.Tags {
		if t.Key == "iacontinu.version" && t.Value == value {
			return true
		}
	}
	return false
}
