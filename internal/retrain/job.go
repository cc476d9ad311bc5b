package retrain

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

// The places of the steps in their order.
const (
	stepData = iota
	stepSplit
	stepTrain
	stepEvaluate
	stepGate
	stepSave
	stepActivate
	stepsEnd
)

// defaultSeed is the seed of a job that names none.
const defaultSeed = 1

// job is one retraining on its way through the steps. Each step reads what those before it have set.
type job struct {
	*Retrainer
	id      int64
	created time.Time
	args    ml.RetrainArgs
	seed    uint64
	name    string // of the version
	started time.Time
	next    int // the step to take
	rec     *flowrun.Recorder

	schema      ml.Schema
	parts       []part     // data: where the rows come from, oldest first
	data        ml.Columns // data
	fingerprint string     // data
	sides       sides      // split
	model       *logreg.Model
	fit         logreg.FitReport
	champion    champion       // evaluate
	quality     logreg.Metrics // evaluate: of the candidate on the holdout
	duel        duel
	verdict     ml.Verdict  // gate
	reasons     []ml.Remark // gate
	digest      string      // save
}

func newJob(r *Retrainer, id int64, created time.Time, args ml.RetrainArgs, rec *flowrun.Recorder) *job {
	return &job{
		Retrainer: r, id: id, created: created.UTC(), args: args,
		seed:    cmp.Or(args.Seed, defaultSeed),
		name:    versionName(id, created),
		started: r.options.Clock(),
		rec:     rec,
	}
}

// FlowName is the name of the retraining among flows.
const FlowName = "retrain"

// stepNames are the names of the steps in their order.
var stepNames = [stepsEnd]string{"data", "split", "train", "evaluate", "gate", "save", "activate"}

// flowSteps are the steps as they are shown: each needs what the one before it made.
func flowSteps() []flowrun.Step {
	steps := make([]flowrun.Step, stepsEnd)
	for i, name := range stepNames {
		steps[i].Name = name
		if i > 0 {
			steps[i].After = []string{stepNames[i-1]}
		}
	}
	return steps
}

// versionName names the version of a job. The job's id makes it unique, and no draw or clock is in
// it, so that a repeated job overwrites what it left.
func versionName(id int64, created time.Time) string {
	return fmt.Sprintf("v%s-%d", created.UTC().Format("20060102-150405"), id)
}

// run takes the steps from the next one to the last.
func (j *job) run(ctx context.Context) error {
	take := [stepsEnd]func(context.Context) error{
		stepData:     j.gather,
		stepSplit:    j.split,
		stepTrain:    j.train,
		stepEvaluate: j.evaluate,
		stepGate:     j.judge,
		stepSave:     j.save,
		stepActivate: j.activate,
	}
	for ; j.next < stepsEnd; j.next++ {
		name := stepNames[j.next]
		if err := j.setProgress(ctx, name); err != nil {
			return err
		}
		start := j.options.Clock()
		err := j.step(ctx, name, take[j.next])
		if err != nil {
			return fmt.Errorf("retrain: %s: %w", name, err)
		}
		tracing.Observe(ctx, j.metrics.steps.WithLabelValues(name), j.options.Clock().Sub(start).Seconds())
		j.options.AfterStep(name)
	}
	return nil
}

// step takes a step, and has it taken down and traced.
func (j *job) step(ctx context.Context, name string, take func(context.Context) error) error {
	return tracing.Do(ctx, FlowName+" "+name, func(ctx context.Context) error {
		return j.rec.Step(ctx, name, flowrun.Retries{}, func(ctx context.Context) error {
			err := take(ctx)
			if err == nil {
				j.rec.Note(name, "%s", j.cameTo())
			}
			return err
		})
	})
}

// cameTo says what the step that was just taken came to.
func (j *job) cameTo() string {
	switch j.next {
	case stepData:
		return fmt.Sprintf("%d rows of %d features, of datasets %v", j.data.Len(), len(j.schema.Features), j.datasetIDs())
	case stepSplit:
		return fmt.Sprintf("%d rows to train on, %d held out", j.sides.train.Len(), j.sides.holdout.Len())
	case stepTrain:
		text := fmt.Sprintf("%s took %d iterations, converged: %v", j.fit.Solver, j.fit.Iterations, j.fit.Converged)
		if j.fit.Note != "" {
			text += "; " + j.fit.Note
		}
		return text
	case stepEvaluate:
		text := fmt.Sprintf("accuracy %.4f (%.4f to %.4f) on the holdout", j.quality.Accuracy, j.quality.AccuracyLow, j.quality.AccuracyHigh)
		if a := j.championAccuracy(); a != nil {
			text += fmt.Sprintf(", champion %s %.4f", j.champion.name, *a)
		}
		return text
	case stepGate:
		return fmt.Sprintf("%s: %s", j.verdict, j.words.joined(j.reasons))
	case stepSave:
		return "saved as " + j.name
	default:
		return fmt.Sprintf("%s is stored, verdict %s", j.name, j.verdict)
	}
}

// setProgress says which step comes next.
func (j *job) setProgress(ctx context.Context, step string) error {
	done := float64(j.next) / stepsEnd
	if err := j.options.Jobs.SetProgress(ctx, j.id, step, done); err != nil {
		return fmt.Errorf("retrain: record the progress of job %d: %w", j.id, err)
	}
	j.showProgress(done)
	return nil
}

func (j *job) showProgress(done float64) {
	j.rec.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress, Description: "Retraining " + j.name}, 100*done)
}

func (r *Retrainer) dir(version string) string { return filepath.Join(r.options.ModelsDir, version) }
