package webui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/api"
)

var now = time.Date(2026, 11, 25, 13, 0, 0, 0, time.UTC)

// fakeAPI answers as the API does: by the types of the contract, to known tokens, with problems. What it is
// asked that the contract has not is a failure of the test.
type fakeAPI struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	roles  map[string]string // by token
	name   string            // of who asks
	down   bool
	broken *api.Problem // what it answers everything with, if it is set
	away   string       // a path without an answer
	health api.Health
	model  api.ModelInfo
	checks []api.DriftDetection
	trains []api.Training
	models []api.Version
	logs   []api.LogEntry
	recent []api.LoggedPrediction
	sets   []api.DatasetDetail
	room   int // for datasets in one answer, unless it is 0

	detail   api.ModelDetail
	overview api.Overview
	events   []api.Event
	scores   api.DriftScores
	windows  *api.DriftDistributions
	services api.ServiceList
	kpis     api.KPIs
	job      api.Job
	refuse   *api.Problem        // answers every change
	then     func()              // what happens after it, unless it is nil
	seen     *api.DatasetPreview // in every file
	asked    []string            // changes
	features []map[string]any
	askedFor string         // by the last request
	traces   map[string]int // requests by the flags of their traceparent
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{t: t, name: "ann <b>", traces: map[string]int{}, roles: map[string]string{"tok-ann": "user", "tok-root": "admin"}, logs: loggedOnce, health: api.Health{Status: "ok", Checks: map[string]api.Check{"database": {Status: "ok"}}}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// withModel has a version serve that was trained after one that was not let in.
func (f *fakeAPI) withModel() *fakeAPI {
	accuracy, version := 0.953, "v2"
	at := now.Add(-time.Hour)
	f.model = api.ModelInfo{
		ModelVersion: &version, ModelLoaded: true, Accuracy: &accuracy, AccuracyInterval: []float64{0.94, 0.96}, Features: []string{"age", "dose"},
		Target: "ill", Classes: []string{"no", "yes"}, ActivatedAt: &at, Reason: "manual",
	}
	metrics := json.RawMessage(`{"n":200,"accuracy":0.953,"accuracy_low":0.94,"accuracy_high":0.96,"precision":0.9,"roc_auc":0.98,"confusion":[[97,3],[7,93]],
		"roc_curve":{"fpr":[0,0.1,1],"tpr":[0,0.9,1]},"calibration":[{"mean_predicted":0.2,"fraction_positive":0.1,"count":9},{"mean_predicted":0,"fraction_positive":0,"count":0}]}`)
	f.models = []api.Version{
		{ID: 2, Version: "v2", Accuracy: 0.953, CreatedAt: at, IsActive: true, Status: "ready", Reason: "manual", Features: []string{"age", "dose"}, Classes: []string{"no", "yes"}, Metrics: metrics},
		{ID: 1, Version: "v1", Accuracy: 0.5, CreatedAt: at.Add(-time.Hour), Status: "rejected", Reason: "bootstrap"},
	}
	f.trains = []api.Training{
		{ID: 2, ModelVersion: "v2", AccuracyAfter: 0.953, Verdict: "activated", CreatedAt: at},
		{ID: 1, ModelVersion: "v1", AccuracyAfter: 0.5, Verdict: "rejected", Details: "no better", CreatedAt: at.Add(-time.Hour)},
	}
	f.tellDrift(at)
	one, three, intercept := 1.0, 3.0, -4.0
	f.detail = api.ModelDetail{Version: f.models[0], MLflowURL: "http://mlflow/#/runs/7", Intercept: &intercept, Details: []api.ModelFeature{
		{Name: "age", Coefficient: 1, Min: &one, Max: &three, Mean: &one}, {Name: "dose", Coefficient: 1, Min: &one, Max: &three, Mean: &one},
	}}
	f.recent = []api.LoggedPrediction{{ModelVersion: "v2", Features: []float64{1, 1.5}, Prediction: 0, CreatedAt: now}, {ModelVersion: "v2", Features: []float64{2.5, 1234.75}, Prediction: 1, CreatedAt: now}}
	f.sets = []api.DatasetDetail{dataset2, dataset1}
	f.checks = []api.DriftDetection{measured(now, "retrained", true, 0.4), measured(now.Add(-time.Minute), "none", false, 0.02)}
	return f
}

// tellDrift has the latest check see a drift that a retraining dealt with.
func (f *fakeAPI) tellDrift(at time.Time) {
	low, high, share, rows, mean := 0.02, 0.4, 0.953, 5000.0, 2.5
	next := now.Add(time.Minute)
	f.overview = api.Overview{
		Level: api.LevelOK, Facts: []api.Fact{{Code: "well", Level: api.LevelOK}}, NextCheckAt: &next,
		Model:  &api.OverviewModel{Version: "v2", Accuracy: 0.953, AccuracyInterval: []float64{0.94, 0.96}, CreatedAt: at, ActivatedAt: &at, Reason: "manual"},
		Checks: []api.ShortCheck{{ID: 1, At: now.Add(-time.Minute), Method: "statistical", KS: &low}, {ID: 2, At: now, Method: "statistical", Drift: true, ActionTaken: "retrained", KS: &high}},
	}
	f.events = []api.Event{
		{At: now, Kind: "drift", ModelVersion: "v2"},
		{At: now.Add(-time.Second), Kind: "drift", ModelVersion: "v2"},
		{At: at.Add(time.Second), Kind: "swap", ModelVersion: "v2", Value: &share},
		{At: at, Kind: "verdict", Detail: "activated", ModelVersion: "v2", Value: &share},
		{At: at.Add(-time.Hour), Kind: "verdict", Detail: "rejected", ModelVersion: "v1"},
		{At: at.Add(-2 * time.Hour), Kind: "import", Detail: "a<b>.csv", Value: &rows},
	}
	score := func(ks float64) []api.FeatureScore { return []api.FeatureScore{{Feature: "age", KS: ks}} }
	f.scores = api.DriftScores{
		Thresholds: api.DriftThresholds{KS: 0.1}, Features: []string{"age"},
		Points: []api.ScorePoint{{At: now.Add(-time.Minute), Scores: score(0.02)}, {At: now, Drift: true, Scores: score(0.4)}},
	}
	f.windows = &api.DriftDistributions{
		Check: measured(now, "retrained", true, 0.4), ReferenceRows: 1000, CurrentRows: 500,
		Features: []api.FeatureDistribution{{Feature: "age", Edges: []float64{0, 1, 2}, Reference: []int{900, 100}, Current: []int{100, 400}, ReferenceMean: 1.5, CurrentMean: &mean}},
	}
}

// What the active version learned from can't be deleted; the other is an imported file.
var (
	dataset1 = api.DatasetDetail{
		Dataset: api.Dataset{
			GenerationID: 1, SamplesCount: 4, CreatedAt: now, Source: "generated", Features: []string{"age"}, Target: "ill", Classes: []string{"no", "yes"}, ClassCounts: []int{3, 1},
		},
		Seed: 42, SummarisedRows: 4, UsedBy: []string{"v2"}, NeededBy: "v2",
	}
	dataset2 = api.DatasetDetail{
		Dataset: api.Dataset{
			GenerationID: 2, SamplesCount: 5000, CreatedAt: now, Source: "imported", Name: "a<b>.csv", Features: []string{"age", "dose"}, Target: "ill", Classes: []string{"no", "yes"}, ClassCounts: []int{4000, 1000},
		},
		SummarisedRows: 3000,
		FeatureDetails: []api.DatasetFeature{
			{Name: "age", Min: 1, Max: 3, Mean: 2, Scale: 0.5, Edges: []float64{1, 2, 3}, Counts: [2][]int{{2000, 2000}, {900, 100}}},
			{Name: "dose", Min: 1, Max: 1, Mean: 1, Edges: []float64{1, 1, 1}, Counts: [2][]int{{4000, 0}, {1000, 0}}},
		},
	}
)

func measured(at time.Time, action string, drift bool, ks float64) api.DriftDetection {
	return api.DriftDetection{
		ModelVersion: "v2", DetectionMethod: "statistical", Threshold: 0.001, Drift: drift, ActionTaken: action, CreatedAt: at,
		Details: api.DriftDetails{Rows: 500, Scores: []api.FeatureScore{{Feature: "age", KS: ks, PValue: 0.2, Drift: drift}}},
	}
}

// described is a version in full; the artifact of one alone can be read.
func (f *fakeAPI) described(m api.Version) api.ModelDetail {
	d := api.ModelDetail{Version: m}
	if f.detail.Version.Version == m.Version {
		d = f.detail
	}
	_ = json.Unmarshal(m.Metrics, &d.Quality)
	if i := slices.IndexFunc(f.trains, func(t api.Training) bool { return t.ModelVersion == m.Version }); i >= 0 {
		d.Training = &f.trains[i]
	}
	return d
}

// set changes the API while it serves.
func (f *fakeAPI) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.askedFor = r.Header.Get("X-Forwarded-For")
	parent := r.Header.Get("Traceparent")
	f.traces[parent[max(0, len(parent)-2):]]++
	if f.down || r.URL.Path == f.away {
		panic(http.ErrAbortHandler)
	}
	switch b := f.broken; {
	case b != nil && b.Code == "":
		http.Error(w, b.Detail, b.Status)
		return
	case b != nil:
		f.problem(w, *b)
		return
	}
	role := f.roles[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	open := map[string]bool{api.PathHealth: true, api.PathModelInfo: true, api.PathLogin: true}
	switch {
	case role == "" && !open[r.URL.Path]:
		f.problem(w, api.Problem{Status: http.StatusUnauthorized, Title: "Unauthorized"})
	case r.Method == http.MethodGet:
		f.tell(w, r, role)
	case r.URL.Path == api.PathLogin:
		f.login(w, r)
	default:
		f.change(w, r, role)
	}
}

func (f *fakeAPI) tell(w http.ResponseWriter, r *http.Request, role string) {
	answers := map[string]any{
		api.PathHealth: f.health, api.PathModelInfo: f.model, api.PathMe: api.User{Username: f.name, Role: role},
		api.PathStats:     api.PredictionStats{TotalPredictions: int64(len(f.recent))},
		api.PathTrainings: api.TrainingHistory{Trainings: f.trains},
	}
	f.list(answers, r.URL.Query())
	if role == "admin" {
		answers[api.PathUsers] = []api.User{{ID: 1, Username: "ann <b>", Role: "admin", IsActive: true}, {ID: 2, Username: "bob", Role: "user", IsActive: true}}
		answers[api.PathSettings] = api.SettingList{Settings: []api.Setting{{Name: "JWT_SECRET_KEY", Value: "(set)"}}}
		answers[api.PathBackups] = api.BackupList{Kept: 5, Backups: []api.Backup{{Name: "20261125", CreatedAt: now, SizeBytes: 2_500_000}}}
		if r.URL.Path == api.PathSystemLogs {
			f.asked = append(f.asked, "logs "+r.URL.Query().Encode())
		}
	} else if delete(answers, api.PathSystemLogs); slices.Contains([]string{api.PathUsers, api.PathSettings, api.PathBackups, api.PathSystemLogs}, r.URL.Path) {
		f.problem(w, api.Problem{Status: http.StatusForbidden})
		return
	}
	answers[api.PathOverview], answers[api.PathDriftScores] = f.overview, f.scores
	answers[api.PathEvents] = api.EventList{Events: slices.DeleteFunc(slices.Clone(f.events), func(e api.Event) bool { return !slices.Contains(r.URL.Query()["kind"], e.Kind) })}
	for _, m := range f.models {
		answers[api.ModelPath(m.Version)] = f.described(m)
	}
	if f.windows != nil {
		answers[api.PathDriftDistributions] = f.windows
	}
	answers[api.PathServices], answers[api.PathKPIs] = f.services, f.kpis
	for _, set := range f.sets {
		answers[api.DatasetPath(set.GenerationID)] = set
	}
	if f.job.ID != 0 {
		answers[api.JobPath(f.job.ID)] = f.job
	}
	answer, ok := answers[r.URL.Path]
	if !ok {
		f.problem(w, api.Problem{Status: http.StatusNotFound, Title: "Not Found"})
		return
	}
	f.answer(w, http.StatusOK, answer)
}

// loggedOnce is an entry of the audit log.
var loggedOnce = []api.LogEntry{{ID: 1, Level: "WARNING", Component: "auth", EventType: "odd", Message: "wrong <i>", UserID: new(int64(2)), CreatedAt: now}}

// list answers with the part of each list that a query names.
func (f *fakeAPI) list(answers map[string]any, q url.Values) {
	answers[api.PathDrift] = api.DriftHistory{DriftDetections: older(f, q, f.checks, func(c api.DriftDetection) int64 { return c.ID }), Total: int64(len(f.checks))}
	answers[api.PathModels] = api.VersionList{Models: older(f, q, f.models, func(m api.Version) int64 { return m.ID }), Total: int64(len(f.models))}
	answers[api.PathHistory] = api.PredictionHistory{Predictions: older(f, q, f.recent, func(p api.LoggedPrediction) int64 { return p.ID }), Total: int64(len(f.recent))}
	answers[api.PathSystemLogs] = api.SystemLogs{Logs: older(f, q, f.logs, func(e api.LogEntry) int64 { return e.ID }), Total: int64(len(f.logs))}
	sets := api.DatasetList{TotalDatasets: len(f.sets)}
	for _, set := range older(f, q, f.sets, func(s api.DatasetDetail) int64 { return s.GenerationID }) {
		if f.room == 0 || len(sets.Datasets) < f.room {
			sets.Datasets = append(sets.Datasets, set.Dataset)
		}
	}
	answers[api.PathDatasetList] = sets
}

// older is the part of a list, which comes newest first, that a query names. A query that the contract does not allow is
// a failure of the test.
func older[T any](f *fakeAPI, q url.Values, all []T, id func(T) int64) []T {
	number := func(name string, otherwise, most int64) int64 {
		if !q.Has(name) {
			return otherwise
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || n < 1 || n > most {
			f.t.Errorf("asked for %s=%s", name, q.Get(name))
		}
		return n
	}
	before, limit := number("before", math.MaxInt64, math.MaxInt64), number("limit", 100, 1000)
	all = slices.DeleteFunc(slices.Clone(all), func(x T) bool { return id(x) >= before })
	return all[:min(int(limit), len(all))]
}

func (f *fakeAPI) login(w http.ResponseWriter, r *http.Request) {
	in := decode[api.LoginRequest](f, r)
	if in.Password != "secret" {
		f.problem(w, api.Problem{Status: http.StatusUnauthorized, Title: "Unauthorized", Detail: "wrong"})
		return
	}
	f.answer(w, http.StatusOK, api.LoginResponse{AccessToken: "tok-" + in.Username, ExpiresIn: 3600})
}

func (f *fakeAPI) change(w http.ResponseWriter, r *http.Request, role string) {
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	if f.refuse != nil {
		f.problem(w, *f.refuse)
		if f.then != nil {
			f.then()
		}
		return
	}
	if answer := f.changeMore(r, role); answer != nil {
		answer(w)
		return
	}
	switch path := r.URL.Path; path {
	case api.PathLogout:
		delete(f.roles, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		w.WriteHeader(http.StatusNoContent)
	case api.PathPredict:
		in := decode[api.PredictRequest](f, r)
		if !in.Explain {
			f.t.Error("the page does not ask why")
		}
		one, three := 1.0, 3.0
		features, ok := in.Features.(map[string]any)
		if !ok || len(features) != len(f.model.Features) {
			f.t.Errorf("features %v", in.Features)
		} else {
			f.features = append(f.features, features)
		}
		dose, _ := features["dose"].(float64)
		why := &api.Explanation{Intercept: -4, LogOdds: 2.5, Contributions: []api.Contribution{
			{Feature: "age", Value: 1.5, Contribution: 1.5, Min: &one, Max: &three}, {Feature: "dose", Value: dose, Contribution: dose, Min: &one, Max: &three, OutOfRange: dose > three},
		}}
		f.answer(w, http.StatusOK, api.PredictResponse{Explanation: why, Prediction: 1, Class: "yes", Confidence: 0.91, ModelVersion: "v2", PredictionID: "p-1"})
	case api.PathBatch:
		in := decode[api.BatchRequest](f, r)
		out := api.BatchResponse{Total: len(in.Instances)}
		for range in.Instances {
			out.Predictions = append(out.Predictions, api.PredictResponse{Class: "no", Confidence: 0.7, ModelVersion: "v2", PredictionID: "p"})
		}
		f.answer(w, http.StatusOK, out)
	case api.PathRetrain:
		if r.Header.Get("Prefer") != "respond-async" {
			f.t.Error("the page would wait for the end of a retraining")
		}
		f.asked = append(f.asked, fmt.Sprint("dataset ", decode[api.RetrainRequest](f, r).DatasetID))
		f.answer(w, http.StatusAccepted, api.Job{ID: 7, State: "queued"})
	case api.PathConditional:
		in := decode[api.ConditionalRequest](f, r)
		triggered := in.ForceRetrain || *in.AccuracyThreshold > 0.953
		f.answer(w, http.StatusOK, api.ConditionalResponse{RetrainTriggered: triggered, JobID: 8})
	case api.ActivatePath("v1"), api.PathRollback:
		if role != "admin" {
			f.problem(w, api.Problem{Status: http.StatusForbidden, Title: "Forbidden"})
			return
		}
		f.answer(w, http.StatusOK, f.models[1])
	default:
		f.t.Errorf("the contract has no %s %s", r.Method, path)
	}
}

// changeMore answers what changes datasets and what only administrators may change, and gives nil for all else.
func (f *fakeAPI) changeMore(r *http.Request, role string) func(http.ResponseWriter) {
	give := func(status int, body any) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { f.answer(w, status, body) }
	}
	file, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(file))
	switch r.Method + " " + r.URL.Path {
	case "POST " + api.PathGenerate:
		in := decode[api.GenerateRequest](f, r)
		f.asked = append(f.asked, fmt.Sprintf("%d %q %d", in.Samples, in.Drift, *cmp.Or(in.Seed, new(uint64))))
		return give(http.StatusOK, api.GenerateResponse{GenerationID: 1})
	case "POST " + api.PathPreview:
		f.asked = append(f.asked, fmt.Sprintf("%d bytes, whole %q", len(file), r.URL.Query().Get("whole")))
		if f.seen != nil {
			return give(http.StatusOK, *f.seen)
		}
		return give(http.StatusOK, api.DatasetPreview{
			Columns: []api.PreviewColumn{{Name: "age", Kind: "number"}, {Name: "note", Kind: "text"}, {Name: "ill", Kind: "text"}}, Target: "ill",
			Rows: [][]string{{"1", "<i>", "no"}}, RowsRead: 2, Problems: []api.BadRow{{Line: 3, Column: "age", Reason: "is not a number"}},
		})
	case "POST " + api.PathDatasets:
		f.asked = append(f.asked, r.URL.Query().Encode()+" "+string(file))
		out := api.ImportResponse{Dataset: dataset2.Dataset}
		if r.URL.Query().Get("skip_bad") != "" {
			out.BadCount, out.Bad = 1, []api.BadRow{{Line: 3, Column: "age", Reason: "is not a number"}}
		}
		return give(http.StatusCreated, out)
	case "POST " + api.PathRegister:
		in := decode[api.RegisterRequest](f, r)
		f.asked = append(f.asked, in.Username+" "+in.Role)
		return give(http.StatusCreated, api.User{Username: in.Username})
	case "PATCH " + api.UserPath("bob"):
		f.asked = append(f.asked, string(file))
		return give(http.StatusOK, api.User{Username: "bob"})
	case "POST " + api.PathTestNotification:
		return give(http.StatusAccepted, api.Job{ID: 9, State: "queued"})
	case "POST " + api.PathBackups:
		return give(http.StatusCreated, api.Backup{Name: "b"})
	case "DELETE " + api.DatasetPath(2):
		if role != "admin" {
			return func(w http.ResponseWriter) { f.problem(w, api.Problem{Status: http.StatusForbidden}) }
		}
		return func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }
	}
	return nil
}

func decode[T any](f *fakeAPI, r *http.Request) (in T) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		f.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return in
}

func (f *fakeAPI) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		f.t.Error(err)
	}
}

func (f *fakeAPI) problem(w http.ResponseWriter, p api.Problem) {
	p.RequestID, p.Code = "req-42", cmp.Or(p.Code, "some")
	w.Header().Set("Content-Type", api.ProblemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
