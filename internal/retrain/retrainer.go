package retrain

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/synth"
)

const (
	defaultWindow       = 100_000
	defaultSamples      = 1000
	defaultKeepVersions = 50
	defaultKeepDatasets = 100
)

// rows reads and deletes the rows of datasets, wherever they are kept.
type rows interface {
	// Columns reads the newest last rows, oldest first.
	Columns(ctx context.Context, ds ml.Dataset, last int) (ml.Columns, error)
	Delete(ctx context.Context, id int64) error
}

// catalogue knows which datasets there are, ready ones only.
type catalogue interface {
	Dataset(ctx context.Context, id int64) (ml.Dataset, error)
	NewestDatasets(ctx context.Context, schemaKey string, limit int) ([]ml.Dataset, error)
	Datasets(ctx context.Context, limit int) (newest []ml.Dataset, total int64, err error)
}

// versions knows the model versions: the champion to beat, and those that retention may remove.
type versions interface {
	Active(ctx context.Context) (ml.Version, error)
	Version(ctx context.Context, name string) (ml.Version, error)
	Versions(ctx context.Context, limit int) (newest []ml.Version, total int64, err error)
	DeleteVersion(ctx context.Context, name string) error
}

// jobs keeps how far a job has come and what it came to.
type jobs interface {
	Progress(ctx context.Context, jobID int64) (ml.JobProgress, error)
	SetProgress(ctx context.Context, jobID int64, step string, fraction float64) error
	FinishRetrain(ctx context.Context, o ml.RetrainOutcome, then func(*sql.Tx) error) error
}

// messenger owes people a message, within the transaction that gives rise to it or on its own.
type messenger interface {
	EnqueueNotifyTx(ctx context.Context, tx *sql.Tx, e ml.Event) error
	EnqueueNotify(ctx context.Context, e ml.Event) error
}

// GenerateFunc draws a dataset of the generated schema for a job. The same job gets the same dataset
// again.
type GenerateFunc func(ctx context.Context, jobID int64, created time.Time, samples int) (ml.Dataset, error)

// Options configure a Retrainer.
type Options struct {
	Datasets  rows         // required
	Catalogue catalogue    // required
	Versions  versions     // required
	Jobs      jobs         // required
	Messenger messenger    // required
	Generate  GenerateFunc // required
	// ModelsDir holds a folder for each version. Required.
	ModelsDir string
	// Load reads the artifact of the champion, as whoever serves it does; nil reads it from ModelsDir.
	Load func(v ml.Version) (*logreg.Artifact, error)
	// TrainingWindow is how many of the newest rows are used, 10 to 100,000,000; 0 means 100,000. A
	// dataset that a job names is used whole.
	TrainingWindow int
	// Samples is the size of a generated dataset, 10 to 1,000,000; 0 means 1000.
	Samples int
	// KeepVersions and KeepDatasets are how many versions and generated datasets the retention leaves;
	// 0 means 50 and 100. Imported datasets it leaves all.
	KeepVersions, KeepDatasets int
	// Track, if set, is told of each retraining that ended, and how it went step by step: in the
	// transaction that ends it if there is a verdict, and else, with a nil tx, after it failed for good.
	Track func(ctx context.Context, tx *sql.Tx, run ml.TrackedRun, flow flowrun.Run) error
	// Recap, if set, sums up the retrainings of all workers, for the metrics.
	Recap func(ctx context.Context) (ml.RetrainRecap, error)
	// AfterStep, if set, is called after each step with its name: where tests pull the plug.
	AfterStep func(step string)

	Clock      func() time.Time // nil means time.Now
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil registers nothing
}

func (o Options) withDefaults() Options {
	o.TrainingWindow = cmp.Or(o.TrainingWindow, defaultWindow)
	o.Samples = cmp.Or(o.Samples, defaultSamples)
	o.KeepVersions = cmp.Or(o.KeepVersions, defaultKeepVersions)
	o.KeepDatasets = cmp.Or(o.KeepDatasets, defaultKeepDatasets)
	if o.Load == nil {
		dir := o.ModelsDir
		o.Load = func(v ml.Version) (*logreg.Artifact, error) { return logreg.LoadArtifact(filepath.Join(dir, v.Name)) }
	}
	if o.Track == nil {
		o.Track = func(context.Context, *sql.Tx, ml.TrackedRun, flowrun.Run) error { return nil }
	}
	if o.Recap == nil {
		o.Recap = func(context.Context) (ml.RetrainRecap, error) { return ml.RetrainRecap{}, nil }
	}
	if o.AfterStep == nil {
		o.AfterStep = func(string) {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	for _, part := range []struct {
		name    string
		missing bool
	}{
		{"Datasets", o.Datasets == nil},
		{"Catalogue", o.Catalogue == nil},
		{"Versions", o.Versions == nil},
		{"Jobs", o.Jobs == nil},
		{"Messenger", o.Messenger == nil},
		{"Generate", o.Generate == nil},
		{"ModelsDir", o.ModelsDir == ""},
	} {
		if part.missing {
			return fmt.Errorf("retrain: Options.%s is required", part.name)
		}
	}
	for _, number := range []struct {
		name             string
		value, low, high int
	}{
		{"TrainingWindow", o.TrainingWindow, ml.MinRows, ml.MaxWindow},
		{"Samples", o.Samples, ml.MinRows, synth.MaxSamples},
		{"KeepVersions", o.KeepVersions, 1, math.MaxInt},
		{"KeepDatasets", o.KeepDatasets, 1, math.MaxInt},
	} {
		if number.value < number.low || number.value > number.high {
			return fmt.Errorf("retrain: Options.%s is %d, want %d to %d", number.name, number.value, number.low, number.high)
		}
	}
	return nil
}

// Retrainer makes model versions. It may be used by several goroutines.
type Retrainer struct {
	options Options
	metrics *metrics
	words   words
}

// New returns a Retrainer.
func New(o Options) (*Retrainer, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("retrain: register metrics: %w", err)
	}
	return &Retrainer{options: o, metrics: m, words: english()}, nil
}

// maxRematches is how often a candidate is compared anew because another version became active
// between the gate and the activation.
const maxRematches = 3

// Run makes a version for a job that was enqueued at created, and has it taken down by rec, which may
// be nil. A coded error says what is wrong with
// the data, the arguments or the folder and that trying again won't help; CodeUnavailable, CodeStorageFull and
// errors without a code are worth another try.
func (r *Retrainer) Run(ctx context.Context, jobID int64, created time.Time, args ml.RetrainArgs, rec *flowrun.Recorder) error {
	progress, err := r.options.Jobs.Progress(ctx, jobID)
	if err != nil {
		return fmt.Errorf("retrain: read the progress of job %d: %w", jobID, err)
	}
	if progress.Result != nil { // a crash came between the activation and the end of the job
		return nil
	}
	j := newJob(r, jobID, created, args, rec)
	rec.Start(flowSteps()...)
	for rematches := 0; ; rematches++ {
		err := j.run(ctx)
		if !errors.Is(err, errOvertaken) {
			return err
		}
		if rematches == maxRematches {
			return refused(ml.CodeUnavailable, "error.overtaken", map[string]any{"job": jobID})
		}
		j.next = stepEvaluate
	}
}

// Recall sets the metrics that all workers' retrainings have in common.
func (r *Retrainer) Recall(ctx context.Context) {
	recap, err := r.options.Recap(ctx)
	if err == nil {
		r.metrics.remember(recap)
	} else if ctx.Err() == nil {
		r.options.Logger.WarnContext(ctx, "the metrics do not know the latest retrainings", "error", err)
	}
}

// Failed tells people that a retraining ended without a verdict. rec took down its last attempt; nil if
// nothing is known of that.
func (r *Retrainer) Failed(ctx context.Context, jobID int64, created time.Time, args ml.RetrainArgs, rec *flowrun.Recorder, cause error) error {
	failure := r.words.joined(publicCause(cause))
	flow := rec.Ended(flowrun.Failed, failure)
	run := ml.TrackedRun{JobID: jobID, Created: created.UTC(), Args: args, Started: flow.Started, Ended: r.options.Clock().UTC(), Failure: failure}
	if run.Started.IsZero() {
		run.Started = run.Ended
	}
	r.metrics.ended.WithLabelValues(ml.RetrainFailed).Observe(run.Ended.Sub(run.Started).Seconds())
	return errors.Join(
		r.options.Messenger.EnqueueNotify(ctx, failedEvent(jobID, args, cause, r.options.Clock())),
		r.options.Track(ctx, nil, run, flow),
	)
}
