package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.do(ctx, call{method: http.MethodGet, path: path, query: query}, &out)
	return out, err
}

func post[T any](ctx context.Context, c *Client, path string, in any) (T, error) {
	var out T
	err := c.do(ctx, call{method: http.MethodPost, path: path, in: in}, &out)
	return out, err
}

// Health asks whether the API is up and how its parts are.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return get[Health](ctx, c, PathHealth, nil)
}

// Ready asks whether a model serves; until then the error is a [*Problem] of status 503.
func (c *Client) Ready(ctx context.Context) (Health, error) {
	return get[Health](ctx, c, PathReady, nil)
}

// Metrics is what the API tells of itself, in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	return get[string](ctx, c, PathMetrics, nil)
}

// Login asks for a token.
func (c *Client) Login(ctx context.Context, username, password string) (LoginResponse, error) {
	return post[LoginResponse](ctx, c, PathLogin, LoginRequest{username, password})
}

// Logout makes the client's token invalid.
func (c *Client) Logout(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodPost, path: PathLogout}, nil)
}

// ChangePassword changes the caller's password. All older tokens of the caller become invalid; the
// answer holds a new one.
func (c *Client) ChangePassword(ctx context.Context, old, replacement string) (LoginResponse, error) {
	return post[LoginResponse](ctx, c, PathPassword, PasswordRequest{old, replacement})
}

// Me is the caller's account.
func (c *Client) Me(ctx context.Context) (User, error) { return get[User](ctx, c, PathMe, nil) }

// Users lists all accounts; for administrators.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	return get[[]User](ctx, c, PathUsers, nil)
}

// Register makes an account; for administrators.
func (c *Client) Register(ctx context.Context, r RegisterRequest) (User, error) {
	return post[User](ctx, c, PathRegister, r)
}

// Predict classifies one row of features in the order of the model's schema.
func (c *Client) Predict(ctx context.Context, features []float64) (PredictResponse, error) {
	return post[PredictResponse](ctx, c, PathPredict, PredictRequest{Features: features})
}

// PredictByName classifies one row of features by name.
func (c *Client) PredictByName(ctx context.Context, features map[string]float64) (PredictResponse, error) {
	return post[PredictResponse](ctx, c, PathPredict, PredictRequest{Features: features})
}

// PredictBatch classifies up to [MaxBatch] rows; all are logged, or none.
func (c *Client) PredictBatch(ctx context.Context, rows [][]float64) (BatchResponse, error) {
	return post[BatchResponse](ctx, c, PathBatch, BatchRequest{rows})
}

// Generate makes a dataset of generated rows.
func (c *Client) Generate(ctx context.Context, r GenerateRequest) (GenerateResponse, error) {
	return post[GenerateResponse](ctx, c, PathGenerate, r)
}

// RetrainReply is the end of a retraining or, while it goes on, its job: one of the two is set.
type RetrainReply struct {
	Done *RetrainResponse
	Job  *Job
}

// Retrain asks for a retraining. With wait it returns when the API serves the result, or after the
// server's patience (60 s) with the job; without, with the job at once.
func (c *Client) Retrain(ctx context.Context, r RetrainRequest, wait bool) (RetrainReply, error) {
	k := call{method: http.MethodPost, path: PathRetrain, in: r, header: preferring(wait)}
	var reply RetrainReply
	err := c.do(ctx, k, func(status int) any {
		if status == http.StatusAccepted {
			reply.Job = &Job{}
			return reply.Job
		}
		reply.Done = &RetrainResponse{}
		return reply.Done
	})
	if err != nil {
		return RetrainReply{}, err
	}
	return reply, nil
}

// preferring is the header of a request for a retraining that waits for its end, or does not (RFC 7240).
func preferring(wait bool) http.Header {
	if wait {
		return nil
	}
	return http.Header{"Prefer": {"respond-async"}}
}

// RetrainConditional retrains if accuracy is below a threshold, and waits or not as Retrain does.
func (c *Client) RetrainConditional(ctx context.Context, r ConditionalRequest, wait bool) (ConditionalResponse, error) {
	var out ConditionalResponse
	err := c.do(ctx, call{method: http.MethodPost, path: PathConditional, in: r, header: preferring(wait)}, &out)
	return out, err
}

// Job is where a job stands.
func (c *Client) Job(ctx context.Context, id int64) (Job, error) {
	return get[Job](ctx, c, JobPath(id), nil)
}

// ModelInfo is the model that serves.
func (c *Client) ModelInfo(ctx context.Context) (ModelInfo, error) {
	return get[ModelInfo](ctx, c, PathModelInfo, nil)
}

// Models lists the newest versions; limit 0 means the server's default.
func (c *Client) Models(ctx context.Context, limit int) (VersionList, error) {
	return c.ModelsBefore(ctx, 0, limit)
}

// ModelsBefore lists the newest versions of those that are older than the one of an id.
func (c *Client) ModelsBefore(ctx context.Context, id int64, limit int) (VersionList, error) {
	return get[VersionList](ctx, c, PathModels, older(id, limit))
}

// Activate makes the API serve a version; for administrators.
func (c *Client) Activate(ctx context.Context, version string) (Version, error) {
	return post[Version](ctx, c, ActivatePath(version), nil)
}

// Rollback makes the API serve the version before the active one; for administrators.
func (c *Client) Rollback(ctx context.Context) (Version, error) {
	return post[Version](ctx, c, PathRollback, nil)
}

// Datasets lists the newest datasets; limit 0 means the server's default.
func (c *Client) Datasets(ctx context.Context, limit int) (DatasetList, error) {
	return c.DatasetsBefore(ctx, 0, limit)
}

// DatasetsBefore lists the newest datasets of those that are older than the one of an id.
func (c *Client) DatasetsBefore(ctx context.Context, id int64, limit int) (DatasetList, error) {
	return get[DatasetList](ctx, c, PathDatasetList, older(id, limit))
}

// DeleteDataset removes a dataset; for administrators.
func (c *Client) DeleteDataset(ctx context.Context, id int64) error {
	return c.do(ctx, call{method: http.MethodDelete, path: DatasetPath(id)}, nil)
}

// Upload says how to read a file of comma- or semicolon-separated values.
type Upload struct {
	Name    string   // shown in the catalogue
	Target  string   // the column that is predicted
	Ignore  []string // columns to leave out
	Decimal string   // before the fraction of numbers, "." or ","; empty: found out
	SkipBad bool     // leave bad rows out and report them, instead of refusing the file
}

// Import uploads a file, streamed.
func (c *Client) Import(ctx context.Context, file io.Reader, u Upload) (ImportResponse, error) {
	query := url.Values{"target": {u.Target}}
	if u.Name != "" {
		query.Set("name", u.Name)
	}
	if len(u.Ignore) > 0 {
		query["ignore"] = u.Ignore
	}
	if u.Decimal != "" {
		query.Set("decimal", u.Decimal)
	}
	if u.SkipBad {
		query.Set("skip_bad", "true")
	}
	var out ImportResponse
	err := c.do(ctx, call{
		method: http.MethodPost, path: PathDatasets, query: query,
		header: http.Header{"Content-Type": {"text/csv"}}, body: file,
	}, &out)
	return out, err
}

// History lists the caller's newest predictions; limit 0 means the server's default.
func (c *Client) History(ctx context.Context, limit int) (PredictionHistory, error) {
	return c.HistoryBefore(ctx, 0, limit)
}

// HistoryBefore lists the caller's newest predictions of those that are older than the one of an id.
func (c *Client) HistoryBefore(ctx context.Context, id int64, limit int) (PredictionHistory, error) {
	return get[PredictionHistory](ctx, c, PathHistory, older(id, limit))
}

// HistoryAll lists everybody's newest predictions; for administrators.
func (c *Client) HistoryAll(ctx context.Context, limit int) (PredictionHistory, error) {
	return c.HistoryAllBefore(ctx, 0, limit)
}

// HistoryAllBefore lists everybody's newest predictions of those that are older than the one of an id.
func (c *Client) HistoryAllBefore(ctx context.Context, id int64, limit int) (PredictionHistory, error) {
	return get[PredictionHistory](ctx, c, PathHistoryAll, older(id, limit))
}

// Stats sums up the caller's predictions, everybody's for administrators and services.
func (c *Client) Stats(ctx context.Context) (PredictionStats, error) {
	return get[PredictionStats](ctx, c, PathStats, nil)
}

// Trainings lists the newest retrainings.
func (c *Client) Trainings(ctx context.Context, limit int) (TrainingHistory, error) {
	return c.TrainingsBefore(ctx, 0, limit)
}

// TrainingsBefore lists the newest retrainings of those that are older than the one of an id.
func (c *Client) TrainingsBefore(ctx context.Context, id int64, limit int) (TrainingHistory, error) {
	return get[TrainingHistory](ctx, c, PathTrainings, older(id, limit))
}

// Drift lists the newest periodic checks.
func (c *Client) Drift(ctx context.Context, limit int) (DriftHistory, error) {
	return c.DriftBefore(ctx, 0, limit)
}

// DriftBefore lists the newest periodic checks of those that are older than the one of an id.
func (c *Client) DriftBefore(ctx context.Context, id int64, limit int) (DriftHistory, error) {
	return get[DriftHistory](ctx, c, PathDrift, older(id, limit))
}

// SystemLogs lists the newest entries of the audit log; for administrators.
func (c *Client) SystemLogs(ctx context.Context, limit int) (SystemLogs, error) {
	return c.FilteredLogs(ctx, LogFilter{Limit: limit})
}

// older chooses the part of a list: as many as limit says, of those that are older than the one of an id. What is 0 is
// left out.
func older(id int64, limit int) url.Values {
	q := url.Values{}
	if id != 0 {
		q.Set("before", strconv.FormatInt(id, 10))
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}
