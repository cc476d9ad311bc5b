package retrain

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

// errOvertaken tells that another version became active after the gate had compared with the one
// before.
var errOvertaken = errors.New("another version became active meanwhile")

// activate stores all that the retraining came to in one transaction: the version, its activation if
// it was let in, the training record, the job's result and the messages that are owed.
func (j *job) activate(ctx context.Context) error {
	outcome, err := j.outcome()
	if err != nil {
		return err
	}
	now := j.options.Clock()
	j.showVerdict(outcome.Result)
	err = j.options.Jobs.FinishRetrain(ctx, outcome, func(tx *sql.Tx) error {
		for _, e := range j.events(outcome.Result, now) {
			if err := j.options.Messenger.EnqueueNotifyTx(ctx, tx, e); err != nil {
				return err
			}
		}
		flow := j.rec.Ended(flowrun.Completed, fmt.Sprintf("%s %s: %s", j.name, j.verdict, j.words.joined(j.reasons)))
		return j.options.Track(ctx, tx, j.tracked(outcome), flow)
	})
	if ml.CodeOf(err) == ml.CodeConflict {
		return fmt.Errorf("%w: %w", errOvertaken, err)
	}
	if err != nil {
		return err
	}
	j.metrics.finished(ctx, j.args.Reason, j.verdict, outcome.Record.Duration)
	j.options.Logger.InfoContext(ctx, "retraining finished", "job", j.id, "verdict", j.verdict, "version", j.name,
		"champion", j.champion.name, "accuracy", j.quality.Accuracy, "rows", j.data.Len(), "reason", j.args.Reason,
		"seconds", outcome.Record.Duration.Seconds(), "details", j.words.joined(j.reasons))
	return nil
}

// tracked is what is told of the retraining to those who keep track of it.
func (j *job) tracked(o ml.RetrainOutcome) ml.TrackedRun {
	run := *o.Record.Told
	run.Version = &o.Version
	return run
}

// showVerdict ends the record of the run with what people read of it.
func (j *job) showVerdict(r ml.RetrainResult) {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n%s\n\n| | |\n|---|---|\n", r.Candidate, r.Verdict, j.words.text(j.reasons))
	for _, f := range j.figures(r) {
		name, value, _ := wording.Figure(j.words.Language, f)
		fmt.Fprintf(&b, "| %s | %s |\n", name, value)
	}
	j.rec.Show(flowrun.Artifact{
		Key: "verdict", Kind: flowrun.Markdown, Step: stepNames[stepGate], Description: "What the gate decided",
	}, b.String())
	j.showProgress(1)
}

func (j *job) outcome() (ml.RetrainOutcome, error) {
	metrics, err := json.Marshal(j.quality)
	if err != nil {
		return ml.RetrainOutcome{}, fmt.Errorf("encode the metrics: %w", err)
	}
	activated := j.verdict == ml.VerdictActivated
	status := ml.VersionRejected
	if activated {
		status = ml.VersionReady
	}
	ended := j.options.Clock().UTC()
	duration := ended.Sub(j.started)
	result := j.result(duration)
	return ml.RetrainOutcome{
		Version: ml.Version{
			Name: j.name, Accuracy: j.quality.Accuracy, TrainingSamples: j.sides.train.Len(), CreatedAt: j.created,
			Status: status, Schema: j.schema, Reason: j.args.Reason, DatasetIDs: j.datasetIDs(),
			Metrics: metrics, Digest: j.digest, JobID: j.id,
		},
		Record: ml.TrainingRecord{
			Version: j.name, Reason: j.args.Reason, TrainingSamples: j.sides.train.Len(),
			AccuracyBefore: j.championAccuracy(), AccuracyAfter: j.quality.Accuracy,
			Duration: duration, CreatedAt: ended, Verdict: j.verdict, Details: result.Details, Reasons: j.reasons, JobID: j.id,
			Told: &ml.TrackedRun{JobID: j.id, Created: j.created, Args: j.args, Started: j.started.UTC(), Ended: ended, Result: &result},
		},
		Result:   result,
		Activate: activated,
		Champion: j.champion.name,
	}, nil
}

func (j *job) result(duration time.Duration) ml.RetrainResult {
	serving := j.champion.name
	if j.verdict == ml.VerdictActivated {
		serving = j.name
	}
	return ml.RetrainResult{
		Verdict: j.verdict, Version: serving, Candidate: j.name,
		CandidateAccuracy: j.quality.Accuracy, ChampionAccuracy: j.championAccuracy(),
		MajorityAccuracy: j.duel.share(j.duel.majority),
		TrainingSamples:  j.sides.train.Len(), HoldoutSamples: j.sides.holdout.Len(),
		Details: j.words.joined(j.reasons), Reasons: j.reasons, DurationSeconds: duration.Seconds(), DatasetIDs: j.datasetIDs(),
	}
}

// championAccuracy is the champion's accuracy on the holdout, nil if it was not compared.
func (j *job) championAccuracy() *float64 {
	if !j.duel.compared {
		return nil
	}
	accuracy := j.duel.share(j.duel.champion)
	return &accuracy
}
