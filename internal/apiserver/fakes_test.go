package apiserver

import (
	"cmp"
	"context"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

var testNow = time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)

// world is everything that the server asks, in memory. Its fields are set before requests come.
type world struct {
	mu          sync.Mutex
	served      *ml.Version
	versionRows []ml.Version
	datasetRows []ml.Dataset
	jobs        map[int64]ml.Job
	progressOf  map[int64]ml.JobProgress
	enqueued    []ml.RetrainArgs
	joined      bool
	waited      []string // versions that WaitFor was asked for
	audits      []ml.AuditEntry
	logged      []ml.Prediction
	generated   []Generate
	imported    []Import
	files       []string
	report      ImportReport
	revoked     []string
	checks      map[string]api.Check
	reports     []ml.DriftReport
	trained     []ml.TrainingRecord
	champion    string
	artifact    *logreg.Artifact // nil: damaged
	window      [][]float64      // nil: none
	recent      [][]float64      // predictions
	trainedOn   []string
	neededBy    string
	tests       []ml.Event // messages
	saved       []api.Backup
	filter      ml.AuditFilter
	asked       int // of services
	undone      api.Waiting
	failedJob   int64
	summary     ml.DatasetSummary
	happened    []ml.Happening // newest first
	statsFor    int64
	fail        error // of whatever is asked for next to tokens
	auditFail   error
	importFail  error // what Import says if it can't read its file; nil: the reader's own error

	entered chan struct{} // if set, WaitFor says that it began
	release chan struct{} // if set, WaitFor and Predict wait for it
}

func (w *world) locked() func() {
	w.mu.Lock()
	return w.mu.Unlock
}

func (w *world) Current() (ml.Version, bool) {
	defer w.locked()()
	if w.served == nil {
		return ml.Version{}, false
	}
	return *w.served, true
}

func (w *world) Predict(ctx context.Context, req ml.PredictionRequest, features []float64) (ml.Prediction, error) {
	ps, err := w.PredictBatch(ctx, req, [][]float64{features})
	if err != nil {
		return ml.Prediction{}, err
	}
	return ps[0], nil
}

func (w *world) PredictBatch(_ context.Context, req ml.PredictionRequest, rows [][]float64) ([]ml.Prediction, error) {
	if w.release != nil {
		w.entered <- struct{}{}
		<-w.release
	}
	defer w.locked()()
	if w.fail != nil {
		return nil, w.fail
	}
	var out []ml.Prediction
	for _, row := range rows {
		label := 0
		if row[0] > 0 {
			label = 1
		}
		out = append(out, ml.Prediction{
			ID: "p-1", UserID: req.Who.UserID, ModelVersion: w.served.Name, Features: row, Label: label, Confidence: 0.75,
			ResponseTime: 1500 * time.Microsecond, CreatedAt: testNow,
		})
	}
	w.logged = append(w.logged, out...)
	return out, nil
}

func (w *world) PredictExplained(ctx context.Context, req ml.PredictionRequest, features []float64) (ml.Prediction, ml.Explanation, error) {
	p, err := w.Predict(ctx, req, features)
	why := ml.Explanation{Intercept: 0.5, LogOdds: 0.5}
	for _, v := range features {
		why.Contributions, why.LogOdds = append(why.Contributions, 2*v), why.LogOdds+2*v
	}
	return p, why, err
}

func (w *world) Artifact(context.Context, ml.Version) (*logreg.Artifact, error) {
	if w.artifact == nil {
		return nil, logreg.ErrArtifact
	}
	return w.artifact, nil
}

func (w *world) Reference(context.Context, string) ([][]float64, error) {
	if w.window == nil {
		return nil, ml.Errorf(ml.CodeNotFound, "no window")
	}
	return w.window, nil
}

func (w *world) WaitFor(ctx context.Context, version string) error {
	if w.release != nil {
		w.entered <- struct{}{}
		select {
		case <-w.release:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer w.locked()()
	w.waited = append(w.waited, version)
	return nil
}

// The tokens are the names of who has them.
func (w *world) Verify(_ context.Context, token string) (ml.Identity, error) {
	id := map[string]ml.Identity{
		"user":    {UserID: 2, Username: "testuser", Role: ml.RoleUser},
		"flow":    {UserID: 4, Username: "flow", Role: ml.RoleUser},
		"other":   {UserID: 3, Username: "other", Role: ml.RoleUser},
		"admin":   {UserID: 1, Username: "admin", Role: ml.RoleAdmin},
		"service": {Username: "flow", Role: ml.RoleService},
	}
	who, ok := id[token]
	defer w.locked()()
	switch {
	case token == "expired":
		return ml.Identity{}, ml.Errorf(ml.CodeUnauthorized, "the token has expired: log in again")
	case !ok || slices.Contains(w.revoked, token):
		return ml.Identity{}, ml.Errorf(ml.CodeUnauthorized, "the token is not valid")
	}
	who.TokenID, who.IssuedAt, who.ExpiresAt = token, testNow.Add(250*time.Millisecond), testNow.Add(24*time.Hour)
	return who, nil
}

func (w *world) Login(ctx context.Context, username, password string) (string, ml.Identity, error) {
	if w.fail != nil {
		return "", ml.Identity{}, w.fail
	}
	if username != "testuser" || password != "test123" {
		return "", ml.Identity{}, ml.Errorf(ml.CodeUnauthorized, "wrong username or password")
	}
	who, err := w.Verify(ctx, "user")
	return "user", who, err
}

func (w *world) Logout(_ context.Context, who ml.Identity) error {
	defer w.locked()()
	w.revoked = append(w.revoked, who.TokenID)
	return nil
}

func (w *world) ChangePassword(ctx context.Context, _ ml.Identity, old, _ string) (string, ml.Identity, error) {
	if old != "test123" {
		return "", ml.Identity{}, invalidBody(ml.FieldError{Location: "body.old_password", Message: "is wrong"})
	}
	who, err := w.Verify(ctx, "user")
	return "user", who, err
}

func (w *world) Register(_ context.Context, u ml.User, _ string) (ml.User, error) {
	if u.Username == "taken" {
		return ml.User{}, &ml.Error{Code: ml.CodeConflict, Message: "exists already", Fields: []ml.FieldError{{Location: "username", Message: "is taken"}}}
	}
	u.ID, u.Active, u.CreatedAt = 9, true, testNow
	return u, nil
}

func (w *world) SetAccess(_ context.Context, username string, a ml.Access) (ml.User, error) {
	if username != "testuser" {
		return ml.User{}, ml.Errorf(ml.CodeNotFound, "there is no user %q", username)
	}
	u := ml.User{ID: 2, Username: username, Active: true, CreatedAt: testNow}
	if a.Role != nil {
		u.Role = *a.Role
	}
	if a.Active != nil {
		u.Active = *a.Active
	}
	return u, nil
}

func (w *world) User(_ context.Context, id int64) (ml.User, error) {
	return ml.User{ID: id, Username: "testuser", Email: "test@ia-continu.local", Active: true, CreatedAt: testNow}, w.fail
}

func (w *world) Users(ctx context.Context) ([]ml.User, error) {
	u, err := w.User(ctx, 2)
	return []ml.User{u}, err
}

func (w *world) Active(context.Context) (ml.Version, error) {
	for _, v := range w.versionRows {
		if v.Active {
			return v, nil
		}
	}
	return ml.Version{}, ml.Errorf(ml.CodeNotFound, "no version is active")
}

func (w *world) Version(_ context.Context, name string) (ml.Version, error) {
	for _, v := range w.versionRows {
		if v.Name == name {
			return v, nil
		}
	}
	return ml.Version{}, ml.Errorf(ml.CodeNotFound, "there is no version %s", name)
}

func (w *world) VersionsBefore(_ context.Context, id int64, limit int) ([]ml.Version, int64, error) {
	return older(w.versionRows, id, limit, func(v ml.Version) int64 { return v.ID })
}

func (w *world) Activate(ctx context.Context, version, _ string) (ml.Version, error) {
	switch version {
	case "broken":
		return ml.Version{}, ml.Errorf(ml.CodeUnprocessed, "version broken can't be served: its artifact is damaged")
	case "deleted":
		return ml.Version{}, ml.Errorf(ml.CodeConflict, "version deleted has no artifact any more")
	}
	return w.Version(ctx, version)
}

func (w *world) Rollback(context.Context, string) (ml.Version, error) {
	if len(w.versionRows) < 2 {
		return ml.Version{}, ml.Errorf(ml.CodeConflict, "there is no version to go back to")
	}
	return w.versionRows[1], nil
}

func (w *world) Dataset(_ context.Context, id int64) (ml.Dataset, error) {
	for _, d := range w.datasetRows {
		if d.ID == id {
			return d, nil
		}
	}
	return ml.Dataset{}, ml.Errorf(ml.CodeNotFound, "there is no dataset %d", id)
}

func (w *world) ListDatasets(_ context.Context, before int64, limit int) ([]ml.Dataset, int64, error) {
	list, total, _ := older(w.datasetRows, before, limit, func(d ml.Dataset) int64 { return d.ID })
	return list, total, w.fail
}

func (w *world) TrainedOn(context.Context, int64) ([]string, string, error) {
	return w.trainedOn, w.neededBy, nil
}

func (w *world) Summary(context.Context, ml.Dataset) (ml.DatasetSummary, error) {
	return w.summary, w.fail
}

func (w *world) Generate(_ context.Context, g Generate) (ml.Dataset, error) {
	defer w.locked()()
	w.generated = append(w.generated, g)
	return ml.Dataset{ID: 7, Samples: g.Samples, Seed: cmp.Or(g.Seed, 42), Hour: g.Hour, CreatedAt: testNow, Schema: ml.GeneratedSchema()}, w.fail
}

func (w *world) Import(_ context.Context, file io.Reader, i Import) (ml.Dataset, ImportReport, error) {
	b, err := io.ReadAll(file)
	if err != nil {
		return ml.Dataset{}, ImportReport{}, cmp.Or(w.importFail, err)
	}
	defer w.locked()()
	w.imported, w.files = append(w.imported, i), append(w.files, string(b))
	if w.fail != nil {
		return ml.Dataset{}, ImportReport{}, w.fail
	}
	d := ml.Dataset{ID: 8, Samples: 2, Name: i.Name, Source: ml.SourceImported, CreatedAt: testNow}
	d.Schema = ml.Schema{Features: []string{"a"}, Target: i.Target, Classes: [2]string{"no", "yes"}}
	return d, w.report, nil
}

func (w *world) Delete(_ context.Context, id int64) error {
	switch id {
	case 7:
		return nil
	case 1:
		return ml.Errorf(ml.CodeConflict, "the active version needs dataset 1")
	}
	return ml.Errorf(ml.CodeNotFound, "there is no dataset %d", id)
}

func (w *world) EnqueueRetrain(_ context.Context, args ml.RetrainArgs) (int64, bool, error) {
	defer w.locked()()
	w.enqueued = append(w.enqueued, args)
	if w.fail != nil {
		return 0, false, w.fail
	}
	job, ok := w.jobs[5]
	switch {
	case !ok:
		w.jobs[5] = ml.Job{ID: 5, Kind: args.Kind(), State: ml.JobRunning, RequestedBy: args.RequestedBy, CreatedAt: testNow}
	case w.joined:
		job.JoinedBy = append(job.JoinedBy, args.RequestedBy)
		w.jobs[5] = job
	}
	return 5, w.joined, nil
}

func (w *world) Job(_ context.Context, id int64) (ml.Job, error) {
	defer w.locked()()
	job, ok := w.jobs[id]
	if !ok {
		return ml.Job{}, ml.Errorf(ml.CodeNotFound, "there is no job %d", id)
	}
	return job, nil
}

func (w *world) Progress(_ context.Context, id int64) (ml.JobProgress, error) {
	defer w.locked()()
	p, ok := w.progressOf[id]
	if !ok {
		return ml.JobProgress{}, ml.Errorf(ml.CodeNotFound, "job %d has not begun", id)
	}
	return p, nil
}

// begin makes job 5, as a user's request would.
func (w *world) begin(who string) {
	defer w.locked()()
	w.jobs[5] = ml.Job{ID: 5, Kind: (ml.RetrainArgs{}).Kind(), State: ml.JobRunning, RequestedBy: who, CreatedAt: testNow}
}

// finish ends job 5 with a result.
func (w *world) finish(r ml.RetrainResult) {
	defer w.locked()()
	w.progressOf[5] = ml.JobProgress{Step: "activate", Fraction: 1, UpdatedAt: testNow, Result: &r}
}

func (w *world) Predictions(_ context.Context, user, before int64, limit int) ([]ml.LoggedPrediction, int64, error) {
	defer w.locked()()
	var out []ml.LoggedPrediction
	for i, p := range w.logged {
		if user == everybody || p.UserID == user {
			out = append(out, ml.LoggedPrediction{RowID: int64(i + 1), Prediction: p})
		}
	}
	list, total, _ := older(out, before, limit, func(p ml.LoggedPrediction) int64 { return p.RowID })
	return list, total, w.fail
}

func (w *world) Stats(_ context.Context, user int64) (ml.PredictionStats, error) {
	defer w.locked()()
	w.statsFor = user
	return ml.PredictionStats{Total: 3, ByModel: map[string]int64{"v1": 3}, AverageConfidence: 0.75, AverageResponseTime: 1500 * time.Microsecond}, nil
}

func (w *world) TrainingsBefore(_ context.Context, id int64, limit int) ([]ml.TrainingRecord, int64, error) {
	return older(w.trained, id, limit, func(r ml.TrainingRecord) int64 { return r.ID })
}

func (w *world) Training(_ context.Context, version string) (ml.TrainingRecord, string, error) {
	for _, r := range w.trained {
		if r.Version == version {
			return r, w.champion, nil
		}
	}
	return ml.TrainingRecord{}, "", ml.Errorf(ml.CodeNotFound, "no training of %s is known", version)
}

func (w *world) DriftHistory(ctx context.Context, limit int) ([]ml.DriftReport, int64, error) {
	return w.DriftBefore(ctx, 0, limit)
}

func (w *world) DriftBefore(_ context.Context, id int64, limit int) ([]ml.DriftReport, int64, error) {
	return older(w.reports, id, limit, func(r ml.DriftReport) int64 { return r.ID })
}

// older lists as the store does: those before an id, unless that is 0, and how many there are of all.
func older[T any](all []T, before int64, limit int, id func(T) int64) ([]T, int64, error) {
	list := slices.DeleteFunc(slices.Clone(all), func(x T) bool { return before != 0 && id(x) >= before })
	return list[:min(limit, len(list))], int64(len(all)), nil
}

func (w *world) Checks(_ context.Context, from, to time.Time, most int) ([]ml.DriftReport, int64, error) {
	var out []ml.DriftReport
	for _, r := range slices.Backward(w.reports) {
		if !r.CreatedAt.Before(from) && !r.CreatedAt.After(to) {
			out = append(out, r)
		}
	}
	return out[:min(most, len(out))], int64(len(out)), w.fail
}

func (w *world) Check(_ context.Context, id int64) (ml.DriftReport, error) {
	for _, r := range w.reports {
		if r.ID == id {
			return r, nil
		}
	}
	if id == 3 {
		return ml.DriftReport{ID: 3, CreatedAt: testNow}, nil
	}
	return ml.DriftReport{}, ml.Errorf(ml.CodeNotFound, "there is no check %d", id)
}

func (w *world) PredictionsUntil(_ context.Context, _ string, _ time.Time, limit, _ int) ([][]float64, int, error) {
	return [][]float64{w.recent[0][:limit], w.recent[1][:limit]}, limit, w.fail
}

func (w *world) Timeline(_ context.Context, from, to time.Time, kinds []ml.HappeningKind, limit int) ([]ml.Happening, bool, error) {
	var out []ml.Happening
	for _, h := range w.happened {
		if !h.At.Before(from) && !h.At.After(to) && (len(kinds) == 0 || slices.Contains(kinds, h.Kind)) {
			out = append(out, h)
		}
	}
	return out[:min(limit, len(out))], len(out) > limit, w.fail
}

func (w *world) Audit(_ context.Context, e ml.AuditEntry) error {
	defer w.locked()()
	if w.auditFail != nil {
		return w.auditFail
	}
	e.ID = int64(len(w.audits) + 1)
	w.audits = append(w.audits, e)
	return nil
}

func (w *world) AuditLog(_ context.Context, f ml.AuditFilter, limit int) ([]ml.AuditEntry, int64, error) {
	defer w.locked()()
	w.filter = f
	out := slices.Clone(w.audits)
	slices.Reverse(out)
	return older(out, f.Before, limit, func(e ml.AuditEntry) int64 { return e.ID })
}

func (w *world) events() []string {
	defer w.locked()()
	var out []string
	for _, e := range w.audits {
		out = append(out, e.EventType)
	}
	return out
}

// untilAudited waits for the first audit entry, which says that an action was taken.
func (w *world) untilAudited(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(w.events()) == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nothing was audited within 10 s")
		}
	}
}
