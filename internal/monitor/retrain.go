package monitor

import (
	"context"
	"time"

	"iacontinu/internal/ml"
)

// retrainActions are the actions of a check that asked for a retraining.
var retrainActions = map[ml.CheckAction]bool{
	ml.ActionRetrained:       true,
	ml.ActionRetrainRejected: true,
	ml.ActionRetrainFailed:   true,
	ml.ActionRetrainStarted:  true,
}

// holdBack says why the drift that was found leads to no retraining now, empty if it does. The random
// detector never holds back: the documented flow has no cooldown.
func (c *check) holdBack() string {
	if !c.report.Drift || c.opt.Detector == Random {
		return ""
	}
	latest, known := c.latestRetraining()
	if !known {
		return "no retraining, because it is not known when the last one was"
	}
	if latest.IsZero() {
		return ""
	}
	now := c.opt.Clock()
	return "no retraining, because the last one was " + now.Sub(latest).Round(time.Second).String() +
		" ago (cooldown " + c.opt.Cooldown.String() + ")"
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

// retrain asks the API for a retraining and reports what came of it.
func (c *check) retrain(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, c.opt.RetrainTimeout)
	defer cancel()
	result, jobID, err := c.opt.API.Retrain(call, ml.ReasonDrift)
	d := &c.report.Details
	d.JobID = jobID
	switch {
	case err != nil && ctx.Err() != nil:
		c.report.Action = ml.ActionRetrainStarted
		c.note("the check was stopped before the retraining's end was known")
	case err != nil:
		c.report.Action = ml.ActionRetrainFailed
		c.note("the retraining failed: %v", err)
		c.tell(ctx, c.retrainFailed(err))
	case result == nil:
		c.report.Action = ml.ActionRetrainStarted
		c.note("the retraining goes on")
	case result.Verdict == ml.VerdictActivated:
		c.report.Action, d.NewVersion = ml.ActionRetrained, result.Candidate
		c.tell(ctx, c.retrainOK(*result))
	default:
		c.report.Action, d.NewVersion = ml.ActionRetrainRejected, result.Candidate
		c.tell(ctx, c.retrainRejected(*result))
	}
}
