package mlflow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// The tags by which things are found again, and those that say what they are.
const (
	tagRun     = "iacontinu.run"     // of a run: runKey
	tagVersion = "iacontinu.version" // of a run, a model and a registered version
	tagLeftOut = "iacontinu.left_out"

	tagJob         = "iacontinu.job"
	tagReason      = "iacontinu.reason"
	tagRequestedBy = "iacontinu.requested_by"
	tagVerdict     = "iacontinu.verdict"
	tagFingerprint = "iacontinu.data_fingerprint"
	tagLabel0      = "iacontinu.label_0" // the class's name, as are its values in the data
	tagLabel1      = "iacontinu.label_1"
	tagFailure     = "iacontinu.failure"
	tagCheck       = "iacontinu.check"
	tagFlowRun     = "iacontinu.prefect_flow_run"
)

const (
	verdictFailed = "failed" // of a run without a verdict
	maxValue      = 5000     // of a tag's or parameter's text; the server takes 6000 characters
)

// runKey tells a retraining from all others. A job's number alone would not: a new database counts anew.
func runKey(r ml.TrackedRun) string {
	if r.Version != nil {
		return r.Version.Name
	}
	return fmt.Sprintf("job-%d-%d", r.JobID, millis(r.Started))
}

// runName is what people see.
func runName(r ml.TrackedRun) string {
	if r.Version != nil {
		return r.Version.Name
	}
	return fmt.Sprintf("job-%d", r.JobID)
}

func datasetIDs(r ml.TrackedRun) []int64 {
	switch {
	case r.Version != nil:
		return r.Version.DatasetIDs
	case r.Args.DatasetID != 0:
		return []int64{r.Args.DatasetID}
	}
	return nil
}

func (d *delivery) newRun() newRun {
	return newRun{Experiment: d.experiment, Name: runName(d.told), Start: millis(d.told.Started), Tags: d.runTags()}
}

func (d *delivery) runTags() []pair {
	r := d.told
	tags := append(d.origin(), pair{tagRun, runKey(r)}, pair{tagJob, strconv.FormatInt(r.JobID, 10)}, pair{"mlflow.note.content", d.text()})
	if r.Version != nil {
		tags = append(tags, pair{tagVersion, r.Version.Name})
	}
	verdict := verdictFailed
	if r.Result != nil {
		verdict = string(r.Result.Verdict)
	}
	tags = appendFilled(tags, pair{tagVerdict, verdict}, pair{tagReason, r.Args.Reason}, pair{tagRequestedBy, r.Args.RequestedBy},
		pair{tagFailure, r.Failure})
	if d.artifact != nil {
		tags = appendFilled(tags, pair{tagFingerprint, d.artifact.DataFingerprint})
	}
	if t := r.Args.Trigger; t != nil {
		tags = appendFilled(tags, pair{tagCheck, strconv.FormatInt(t.Report.Slot, 10)}, pair{tagFlowRun, t.FlowRun})
	}
	return tags
}

// origin is who trained, and by what: the server's own tags.
func (d *delivery) origin() []pair {
	o := d.tracker.options
	tags := []pair{{"mlflow.source.name", o.Source}, {"mlflow.source.type", "JOB"}}
	if !d.told.Partial {
		tags = appendFilled(tags, pair{"mlflow.user", cmp.Or(d.told.Args.RequestedBy, o.Source)})
	}
	return appendFilled(tags, pair{"mlflow.source.git.commit", o.Revision})
}

// appendFilled appends the pairs that say something, cut to what the server takes.
func appendFilled(pairs []pair, more ...pair) []pair {
	for _, p := range more {
		if p.Value != "" {
			pairs = append(pairs, pair{p.Key, truncate(p.Value, maxValue)})
		}
	}
	return pairs
}

// versionTags are those of the model and of the registered version.
func (d *delivery) versionTags() []pair {
	tags := []pair{{tagVersion, d.told.Version.Name}}
	if d.told.Result != nil {
		tags = append(tags, pair{tagVerdict, string(d.told.Result.Verdict)})
	}
	return appendFilled(tags, pair{tagFingerprint, d.artifact.DataFingerprint}, pair{tagReason, d.told.Args.Reason},
		pair{tagLabel0, d.artifact.Classes[0]}, pair{tagLabel1, d.artifact.Classes[1]})
}

// labels says what the model's answers mean.
func (d *delivery) labels() string {
	a := d.artifact
	return fmt.Sprintf("Of `%s`, label 0 is `%s` and label 1 is `%s`.", truncate(a.Target, 1000), truncate(a.Classes[0], 1000), truncate(a.Classes[1], 1000))
}

// text is the run's description, Markdown.
func (d *delivery) text() string {
	var b strings.Builder
	word, rest, _ := strings.Cut(d.summary(), ":")
	fmt.Fprintf(&b, "**%s**:%s", word, rest)
	r := d.told
	if t := r.Args.Trigger; t != nil {
		report := t.Report
		fmt.Fprintf(&b, "\n\nThe %s check of %s asked for it: %.4g against the threshold %.4g.",
			report.Method, report.CreatedAt.UTC().Format("2006-01-02 15:04:05 UTC"), report.TriggerValue, report.Threshold)
	}
	if r.Result != nil && r.Result.Version != "" {
		fmt.Fprintf(&b, "\n\nAfterwards `%s` serves.", r.Result.Version)
	}
	return truncate(b.String(), maxValue)
}

// summary is the gate's word and its reason, or why there is none.
func (d *delivery) summary() string {
	switch r := d.told; {
	case r.Result != nil:
		return fmt.Sprintf("%s: %s.", r.Result.Verdict, strings.TrimSuffix(r.Result.Details, "."))
	case r.Failure != "":
		return fmt.Sprintf("%s: %s", verdictFailed, r.Failure)
	}
	return "trained: the verdict is not known any more."
}

// asked are the parameters of the call: the model itself says best by which it was made.
func (d *delivery) asked() (params []pair) {
	args := d.told.Args
	if a := d.artifact; a != nil {
		args.C, args.Balanced, args.Seed = a.Options.C, a.Options.Balanced, a.Seed
	}
	if d.artifact != nil || !d.told.Partial {
		params = []pair{
			{"c", strconv.FormatFloat(cmp.Or(args.C, 1), 'g', -1, 64)},
			{"balanced", strconv.FormatBool(args.Balanced)},
			{"seed", strconv.FormatUint(cmp.Or(args.Seed, 1), 10)},
		}
	}
	if !d.told.Partial {
		params = append(params, pair{"generate", strconv.FormatBool(args.Generate)})
	}
	return params
}

// params are what the training was asked for and how it went.
func (d *delivery) params() []pair {
	params := d.asked()
	if v := d.told.Version; v != nil {
		params = append(params, pair{"features", truncate(strings.Join(v.Schema.Features, ", "), maxValue)},
			pair{"feature_count", strconv.Itoa(len(v.Schema.Features))},
			pair{"target", truncate(v.Schema.Target, maxValue)}, pair{"classes", truncate(strings.Join(v.Schema.Classes[:], ", "), maxValue)},
			pair{"schema", v.Schema.Key()}, pair{"datasets", truncate(strings.Trim(fmt.Sprint(v.DatasetIDs), "[]"), maxValue)})
	}
	if a := d.artifact; a != nil {
		params = append(params, pair{"solver", a.Fit.Solver}, pair{"converged", strconv.FormatBool(a.Fit.Converged)},
			pair{"separable", strconv.FormatBool(a.Fit.Separable)})
		params = appendFilled(params, pair{"fit_note", a.Fit.Note})
	}
	return slices.DeleteFunc(params, func(p pair) bool { return p.Value == "" })
}

func (d *delivery) batch() batch {
	b := batch{Run: d.run.Info.ID, Params: d.params(), Metrics: d.metrics()}
	if len(d.leftOut) > 0 {
		b.Tags = []pair{{tagLeftOut, truncate(strings.Join(d.leftOut, "; "), maxValue)}}
	}
	return b
}

// metrics are all figures of a run. Those of the holdout belong to the model and the holdout's rows too.
func (d *delivery) metrics() []metric {
	out := figures(d.quality())
	if d.artifact != nil {
		set := d.holdout()
		for i := range out {
			out[i].ModelID, out[i].DatasetName, out[i].DatasetDigest = d.notes.ModelID, set.Name, set.Digest
		}
		fit := d.artifact.Fit
		out = append(out, metric{Key: "fit_iterations", Value: number(fit.Iterations)},
			metric{Key: "fit_objective", Value: number(fit.Objective)}, metric{Key: "fit_grad_norm", Value: number(fit.GradNorm)})
	}
	if r := d.told.Result; r != nil {
		if !d.told.Partial {
			out = append(out, metric{Key: "majority_accuracy", Value: number(r.MajorityAccuracy)})
		}
		out = append(out, metric{Key: "training_rows", Value: number(r.TrainingSamples)}, metric{Key: "holdout_rows", Value: number(r.HoldoutSamples)},
			metric{Key: "training_seconds", Value: number(r.DurationSeconds)})
		out = append(out, championFigures(*r)...)
	}
	if t := d.told.Args.Trigger; t != nil {
		out = append(out, metric{Key: "trigger_value", Value: number(t.Report.TriggerValue)},
			metric{Key: "trigger_threshold", Value: number(t.Report.Threshold)})
	}
	out = append(out, metric{Key: "job_seconds", Value: number(d.told.Ended.Sub(d.told.Started).Seconds())})
	for i := range out {
		out[i].Timestamp = millis(d.told.Ended)
	}
	return out
}

// quality are the holdout's metrics, nil if nobody knows them.
func (d *delivery) quality() *logreg.Metrics {
	if d.artifact != nil {
		return &d.artifact.Metrics
	}
	var m logreg.Metrics
	if v := d.told.Version; v == nil || len(v.Metrics) == 0 || json.Unmarshal(v.Metrics, &m) != nil {
		return nil
	}
	return &m
}

func figures(m *logreg.Metrics) []metric {
	if m == nil {
		return nil
	}
	out := []metric{
		{Key: "accuracy", Value: number(m.Accuracy)},
		{Key: "accuracy_low", Value: number(m.AccuracyLow)},
		{Key: "accuracy_high", Value: number(m.AccuracyHigh)},
		{Key: "precision", Value: number(m.Precision)},
		{Key: "recall", Value: number(m.Recall)},
		{Key: "f1", Value: number(m.F1)},
		{Key: "log_loss", Value: number(m.LogLoss)},
		{Key: "brier", Value: number(m.Brier)},
		{Key: "true_negatives", Value: number(m.Confusion[0][0])},
		{Key: "false_positives", Value: number(m.Confusion[0][1])},
		{Key: "false_negatives", Value: number(m.Confusion[1][0])},
		{Key: "true_positives", Value: number(m.Confusion[1][1])},
	}
	if m.ROCAUC != nil {
		out = append(out, metric{Key: "roc_auc", Value: number(*m.ROCAUC)})
	}
	return out
}

// championFigures are the champion's accuracy on the same holdout and its interval.
func championFigures(r ml.RetrainResult) []metric {
	if r.ChampionAccuracy == nil {
		return nil
	}
	const z95 = 1.959963984540054 // the 0.975 quantile of the standard normal distribution
	right := int(math.Round(*r.ChampionAccuracy * float64(r.HoldoutSamples)))
	low, high := logreg.Wilson(right, r.HoldoutSamples, z95)
	return []metric{
		{Key: "champion_accuracy", Value: number(*r.ChampionAccuracy)},
		{Key: "champion_accuracy_low", Value: number(low)},
		{Key: "champion_accuracy_high", Value: number(high)},
	}
}
