package monitor

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
)

// retrainActions are the actions of a check that asked for a retraining.
var retrainActions = map[ml.CheckAction]bool{
	ml.ActionRetrained:       true,
	ml.ActionRetrainRejected: true,
	ml.ActionRetrainFailed:   true,
	ml.ActionRetrainStarted:  true,
}

// heldBack is why drift leads to no retraining now, and the action to record; zero if it does.
type heldBack struct {
	action ml.CheckAction
	why    []ml.Remark
}

// holdBack decides whether the drift that was found leads to a retraining. The random detector never
// holds back: the documented flow has no cooldown, and its draws say nothing about the data.
func (c *check) holdBack(ctx context.Context) heldBack {
	if !c.report.Drift || c.report.Method == Random {
		return heldBack{}
	}
	latest, known := c.latestRetraining()
	switch {
	case !known:
		return heldBack{ml.ActionCooldown, []ml.Remark{{Code: "check.cooldown_unknown"}}}
	case c.futile(ctx):
		return heldBack{ml.ActionNewDataNeeded, []ml.Remark{{Code: "check.futile"}, c.advice()}}
	case latest.IsZero():
		return heldBack{}
	}
	return heldBack{ml.ActionCooldown, []ml.Remark{{Code: "check.cooldown", Values: map[string]any{
		"ago": c.opt.Clock().Sub(latest).Seconds(), "cooldown": c.opt.Cooldown.Seconds(),
	}}}}
}

// latestRetraining is the latest time within the cooldown at which a version was trained or
// activated, or a check asked for a retraining, whatever came of it; zero if there is none. It is
// read from what is stored, so that a restart does not end the cooldown. Times in the future, which
// a clock set back leaves behind, do not count.
func (c *check) latestRetraining() (latest time.Time, known bool) {
	if c.pastErr != nil || c.versionsErr != nil {
		return latest, false
	}
	now := c.opt.Clock()
	heed := func(t time.Time) {
		if age := now.Sub(t); age >= 0 && age < c.opt.Cooldown && t.After(latest) {
			latest = t
		}
	}
	heed(c.version.ActivatedAt)
	for _, v := range c.versions {
		heed(v.CreatedAt)
	}
	for _, r := range c.past {
		if retrainActions[r.Action] {
			heed(r.CreatedAt)
		}
	}
	return latest, true
}

// retrain asks the API for a retraining and reports what came of it. A call is repeated only if certainly
// nobody heard it. One that was heard and lost its answer may have its retraining under way or done, and
// a second one would not always join it.
func (c *check) retrain(ctx context.Context) {
	var result *ml.RetrainResult
	var jobID int64
	again := flowrun.Retries{Times: 1, Delay: c.opt.RetryDelay, Worthwhile: unheard}
	err := c.step(ctx, StepRetrain, again, func(ctx context.Context) (err error) {
		call, cancel := context.WithTimeout(ctx, c.opt.RetrainTimeout)
		defer cancel()
		run := c.rec.Snapshot()
		if run.Key != "" && run.ServerID == "" {
			// So it ends if the process is killed; else its true end follows.
			c.handOn(ctx, c.rec.Ended(flowrun.Completed, "asked for a retraining"))
		}
		trigger := ml.Trigger{Report: c.report, FlowRun: run.ServerID}
		result, jobID, err = c.opt.API.Retrain(call, trigger)
		return err
	})
	c.report.Details.JobID = jobID
	c.conclude(ctx, result, err)
	c.rec.Note(StepRetrain, "%s", c.report.Action)
}

// unheard reports whether a call failed before anything was sent: no connection came about.
func unheard(err error) bool {
	var failed *net.OpError
	return errors.As(err, &failed) && failed.Op == "dial"
}

// conclude reports what came of a retraining.
func (c *check) conclude(ctx context.Context, result *ml.RetrainResult, err error) {
	d := &c.report.Details
	switch {
	case err != nil && ctx.Err() != nil:
		c.report.Action = ml.ActionRetrainStarted
		c.note("check.stopped", nil)
	case err != nil:
		c.report.Action = ml.ActionRetrainFailed
		c.note("check.retrain_failed", map[string]any{"error": err.Error()})
		c.news = append(c.news, c.retrainFailed(err))
	case result == nil:
		c.report.Action = ml.ActionRetrainStarted
		c.note("check.retrain_goes_on", nil)
	case result.Verdict == ml.VerdictActivated:
		c.report.Action, d.NewVersion = ml.ActionRetrained, result.Candidate
		if c.report.Method == Statistical && len(result.DatasetIDs) > 0 && slices.Equal(result.DatasetIDs, c.version.DatasetIDs) {
			c.note("check.same_data", nil)
			c.notes = append(c.notes, c.advice())
		}
		c.news = append(c.news, c.retrainOK(*result))
	default:
		c.report.Action, d.NewVersion = ml.ActionRetrainRejected, result.Candidate
		if c.report.Method == Statistical {
			c.note("check.rejected", nil)
			c.notes = append(c.notes, c.advice())
		}
		c.news = append(c.news, c.retrainRejected(*result))
	}
}
