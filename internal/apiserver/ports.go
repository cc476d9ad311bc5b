package apiserver

import (
	"context"
	"io"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// predictor answers with the model that serves. It is package predict; tests put a rule in its place.
type predictor interface {
	Current() (v ml.Version, ok bool)
	// Predict returns when the prediction's row is committed.
	Predict(ctx context.Context, req ml.PredictionRequest, features []float64) (ml.Prediction, error)
	// PredictExplained is Predict with how the answer came about.
	PredictExplained(ctx context.Context, req ml.PredictionRequest, features []float64) (ml.Prediction, ml.Explanation, error)
	// PredictBatch commits all rows in one transaction.
	PredictBatch(ctx context.Context, req ml.PredictionRequest, rows [][]float64) ([]ml.Prediction, error)
}

// follower brings the predictor to the active version.
type follower interface {
	// WaitFor returns when this process serves the version or one that was activated later.
	WaitFor(ctx context.Context, version string) error
}

// tokens says who a token is from. It is asked on every request.
type tokens interface {
	Verify(ctx context.Context, token string) (ml.Identity, error)
}

// accounts logs people in and out. It is package auth.
type accounts interface {
	Login(ctx context.Context, username, password string) (token string, who ml.Identity, err error)
	Logout(ctx context.Context, who ml.Identity) error
	ChangePassword(ctx context.Context, who ml.Identity, old, replacement string) (token string, now ml.Identity, err error)
	Register(ctx context.Context, u ml.User, password string) (ml.User, error)
	// SetAccess makes the user's tokens invalid too. The last administrator has ml.CodeConflict.
	SetAccess(ctx context.Context, username string, a ml.Access) (ml.User, error)
}

// users reads the accounts in the store.
type users interface {
	User(ctx context.Context, id int64) (ml.User, error)
	Users(ctx context.Context) ([]ml.User, error)
}

// versions reads the model versions in the store.
type versions interface {
	// Active fails with ml.CodeNotFound if no version is active.
	Active(ctx context.Context) (ml.Version, error)
	Version(ctx context.Context, name string) (ml.Version, error)
	// VersionsBefore lists the newest of those that are older than one, and says how many there are of all.
	VersionsBefore(ctx context.Context, id int64, limit int) ([]ml.Version, int64, error)
}

// activator changes which version is active and has people told of it. It is the store together
// with the queue. A version that can't be served is refused with ml.CodeUnprocessed.
type activator interface {
	Activate(ctx context.Context, version, actor string) (ml.Version, error)
	Rollback(ctx context.Context, actor string) (ml.Version, error)
}

// catalogue reads the ready datasets in the store.
type catalogue interface {
	Dataset(ctx context.Context, id int64) (ml.Dataset, error)
	// TrainedOn names the versions that were trained on a dataset, the newest first, and the active one if
	// it is among them.
	TrainedOn(ctx context.Context, id int64) (versions []string, active string, err error)
	// ListDatasets lists the newest of those that are older than one, as many as an answer can hold, and says how
	// many there are of all.
	ListDatasets(ctx context.Context, before int64, limit int) ([]ml.Dataset, int64, error)
}

// datasets makes and removes datasets. It is package datasets.
type datasets interface {
	Generate(ctx context.Context, g Generate) (ml.Dataset, error)
	// Import reads file to its end; a dataset is kept whole or not at all.
	Import(ctx context.Context, file io.Reader, i Import) (ml.Dataset, ImportReport, error)
	// Summary tells of the rows, with ml.CodeUnprocessed if they can't be read.
	Summary(ctx context.Context, d ml.Dataset) (ml.DatasetSummary, error)
	// Delete fails with ml.CodeConflict while the active version needs the dataset.
	Delete(ctx context.Context, id int64) error
}

// Generate says which rows to generate.
type Generate struct {
	Samples   int
	Seed      uint64  // 0: one is drawn
	Hour      int     // of the day, UTC
	Drift     string  // empty: follows the hour
	Magnitude float64 // 0: the kind's default
}

// Import says how to read an uploaded file.
type Import struct {
	Name, Target string
	Ignore       []string // columns to leave out, each one or several separated by commas
	SkipBad      bool
	Decimal      byte // before the fraction of numbers, a point or a comma; 0: found out
}

// ImportReport says what became of the rows of a file.
type ImportReport struct {
	Rows     int // good and bad
	BadCount int
	Bad      []api.BadRow // the first ones
	CopyOf   int64        // the oldest dataset that held the same rows already; 0: none did
}

// queue takes retrainings and knows how they stand.
type queue interface {
	EnqueueRetrain(ctx context.Context, args ml.RetrainArgs) (id int64, joined bool, err error)
	// EnqueueTest asks for a message that says that messages arrive.
	EnqueueTest(ctx context.Context, e ml.Event, requestedBy string) (id int64, err error)
	Job(ctx context.Context, id int64) (ml.Job, error)
}

// progress reads how far a job has come; ml.CodeNotFound, or the zero value, if it has not begun.
type progress interface {
	Progress(ctx context.Context, jobID int64) (ml.JobProgress, error)
}

// records reads what has happened, newest first, with the number of all there is. Before an id are those that are
// older; 0 leaves none out.
type records interface {
	Predictions(ctx context.Context, userID, before int64, limit int) ([]ml.LoggedPrediction, int64, error) // user 0: all
	Stats(ctx context.Context, userID int64) (ml.PredictionStats, error)                                    // user 0: all
	TrainingsBefore(ctx context.Context, id int64, limit int) ([]ml.TrainingRecord, int64, error)
	// Training reads how a version was made, with the version that it was compared with, empty if none
	// served; ml.CodeNotFound if nothing is known.
	Training(ctx context.Context, version string) (r ml.TrainingRecord, champion string, err error)
	DriftHistory(ctx context.Context, limit int) ([]ml.DriftReport, int64, error)
	DriftBefore(ctx context.Context, id int64, limit int) ([]ml.DriftReport, int64, error)
	// Timeline reads the newest happenings of a time, of these kinds or all, and says whether there are more.
	Timeline(ctx context.Context, from, to time.Time, kinds []ml.HappeningKind, limit int) ([]ml.Happening, bool, error)
}

// auditor keeps who did what.
type auditor interface {
	Audit(ctx context.Context, e ml.AuditEntry) error
	AuditLog(ctx context.Context, f ml.AuditFilter, limit int) ([]ml.AuditEntry, int64, error)
}
