package apiserver

import (
	"cmp"
	"slices"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// accuracyFloor is the accuracy below which a conditional retraining retrains if it is not told otherwise, and the
// overview says that it is low.
const accuracyFloor = 0.85

// facts are what a person should know of the platform, the worst first, and that it is well if there is
// nothing else. more are facts that are known already.
func facts(o api.Overview, newestFirst []ml.DriftReport, parts map[string]api.Check, overdue bool, more ...api.Fact) []api.Fact {
	out := more
	add := func(code, level string, values map[string]any) {
		out = append(out, api.Fact{Code: code, Level: level, Values: values})
	}
	switch parts["database"].Status {
	case api.CheckDown:
		add("database_down", api.LevelAct, nil)
	case api.CheckWarn:
		add("database_readonly", api.LevelAct, nil)
	}
	switch {
	case o.Model == nil && trains(o.Waiting.Jobs):
		add("first_training", api.LevelWatch, nil)
	case o.Model == nil:
		add("no_model", api.LevelAct, nil)
	case o.Model.Accuracy < accuracyFloor:
		add("accuracy_low", api.LevelWatch, map[string]any{"version": o.Model.Version, "accuracy": o.Model.Accuracy, "floor": accuracyFloor})
	}
	if says(parts["worker"], "part.no_worker") {
		add("worker_absent", api.LevelAct, nil)
	}
	switch flow := parts["flow"]; {
	case says(flow, "part.no_flow"):
		add("flow_absent", api.LevelAct, nil)
	case says(flow, "part.prefect_paused"):
		add("checks_paused", api.LevelWatch, nil)
	case overdue || says(flow, "part.checks_overdue"):
		add("checks_overdue", api.LevelAct, nil)
	}
	if len(newestFirst) > 0 {
		out = append(out, factsOfCheck(newestFirst[0])...)
	}
	for _, d := range o.Waiting.Deliveries {
		if d.Failing {
			add("deliveries_wait", api.LevelWatch, map[string]any{"service": d.Service, "waiting": d.Waiting})
		}
	}
	for _, q := range o.Waiting.Jobs {
		const late = 60 // seconds
		if q.OldestSeconds > late {
			add("jobs_wait", api.LevelWatch, map[string]any{"queue": q.Queue, "waiting": q.Waiting, "seconds": q.OldestSeconds})
		}
	}
	if len(out) == 0 {
		add("well", api.LevelOK, map[string]any{"version": o.Model.Version, "accuracy": o.Model.Accuracy})
	}
	slices.SortStableFunc(out, func(a, b api.Fact) int { return cmp.Compare(severity(b.Level), severity(a.Level)) })
	return out
}

// trainingFailed tells of the retraining that ended last, if it failed; job is 0 if it did not.
func trainingFailed(job int64, at time.Time) []api.Fact {
	if job == 0 {
		return nil
	}
	return []api.Fact{{Code: "training_failed", Level: api.LevelWatch, Values: map[string]any{"job": job, "at": stamp(at)}}}
}

// says reports whether a part remarks something.
func says(part api.Check, code string) bool {
	return slices.ContainsFunc(part.Remarks, func(r api.Remark) bool { return r.Code == code })
}

// trains reports whether a retraining runs or waits for its turn.
func trains(jobs []api.QueueDepth) bool {
	return slices.ContainsFunc(jobs, func(q api.QueueDepth) bool { return q.Queue == "retrain" && q.Waiting+q.Running > 0 })
}

func severity(level string) int {
	return slices.Index([]string{api.LevelOK, api.LevelWatch, api.LevelAct}, level)
}

// factsOfCheck are what the latest check tells. A drift that a retraining has dealt with is none any more.
func factsOfCheck(c ml.DriftReport) []api.Fact {
	values := map[string]any{"check_id": c.ID, "version": c.ModelVersion, "action": string(c.Action)}
	if c.Details.NewVersion != "" {
		values["new_version"] = c.Details.NewVersion
	}
	fact := func(code, level string) []api.Fact { return []api.Fact{{Code: code, Level: level, Values: values}} }
	switch {
	case c.Action == ml.ActionHealthCheckFailed:
		return fact("health_check_failed", api.LevelAct)
	case c.Action == ml.ActionNewDataNeeded:
		return fact("new_data_needed", api.LevelAct)
	case c.Action == ml.ActionRetrainFailed:
		return fact("retrain_failed", api.LevelAct)
	case !c.Drift || c.Action == ml.ActionRetrained:
		return nil
	case c.Method == "random":
		return fact("drawn_drift", api.LevelOK)
	}
	return fact("drift", api.LevelWatch)
}
