package retrain

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
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
	verdict     ml.Verdict // gate
	reason      string     // gate
	digest      string     // save
}

func newJob(r *Retrainer, id int64, created time.Time, args ml.RetrainArgs) *job {
	return &job{
		Retrainer: r, id: id, created: created.UTC(), args: args,
		seed:    cmp.Or(args.Seed, defaultSeed),
		name:    versionName(id, created),
		started: r.options.Clock(),
	}
}

// versionName names the version of a job. The job's id makes it unique, and no draw or clock is in
// it, so that a repeated job overwrites what it left.
func versionName(id int64, created time.Time) string {
	return fmt.Sprintf("v%s-%d", created.UTC().Format("20060102-150405"), id)
}

// run takes the steps from the next one to the last.
func (j *job) run(ctx context.Context) error {
	steps := [stepsEnd]struct {
		name string
		take func(context.Context) error
	}{
		stepData:     {"data", j.gather},
		stepSplit:    {"split", j.split},
		stepTrain:    {"train", j.train},
		stepEvaluate: {"evaluate", j.evaluate},
		stepGate:     {"gate", j.judge},
		stepSave:     {"save", j.save},
		stepActivate: {"activate", j.activate},
	}
	for ; j.next < stepsEnd; j.next++ {
		step := steps[j.next]
		if err := j.options.Jobs.SetProgress(ctx, j.id, step.name, float64(j.next)/stepsEnd); err != nil {
			return fmt.Errorf("retrain: record the progress of job %d: %w", j.id, err)
		}
		start := j.options.Clock()
		if err := step.take(ctx); err != nil {
			return fmt.Errorf("retrain: %s: %w", step.name, err)
		}
		j.metrics.steps.WithLabelValues(step.name).Observe(j.options.Clock().Sub(start).Seconds())
		j.options.AfterStep(step.name)
	}
	return nil
}

func (r *Retrainer) dir(version string) string { return filepath.Join(r.options.ModelsDir, version) }
