package monitor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
	"iacontinu/internal/wording"
)

// pastVersions is how many versions back the accuracy's trend looks.
const pastVersions = 50

// trendChecks is how many checks a score's trend goes through at the most, as the decision record on drift
// scores says: an hour of them. A check looks at least so far back.
const trendChecks = 120

// maxPastChecks bounds how far a long cooldown makes it look.
const maxPastChecks = 20_000

// pastChecks is how many checks back a check looks: at least as many as the cooldown may hold, for it
// is read from them.
func (o Options) pastChecks() int {
	return min(max(trendChecks, int(o.Cooldown/o.Interval)+1), maxPastChecks)
}

// check is one check under way.
type check struct {
	*Monitor
	rec     *flowrun.Recorder
	force   bool // retrain whatever is found
	report  ml.DriftReport
	version ml.Version // zero while no model is active, or if it could not be read
	noModel bool
	// versions are the newest ones, newest first, whatever the gate said. versionsErr says why there
	// are none.
	versions    []ml.Version
	versionsErr error
	// past are the checks before this one, newest first. pastErr says why there are none.
	past    []ml.DriftReport
	pastErr error
	notes   []ml.Remark
	// news are the events of the outcome, told in the last step.
	news []ml.Event
	told int // messages handed to the queue
	// errs are what did not work, for the log.
	errs []error
}

// healthRetries: a request that was lost is no outage. An API that hangs has been waited for already.
func (c *check) healthRetries() flowrun.Retries {
	return flowrun.Retries{Times: 2, Delay: c.opt.RetryDelay, Worthwhile: func(err error) bool {
		return !errors.Is(err, context.DeadlineExceeded)
	}}
}

// run takes the check through its steps. An error means that there is nothing to record.
func (c *check) run(ctx context.Context) error {
	c.tellOwed(ctx)
	c.lookBack(ctx)

	err := c.step(ctx, stepHealth, c.healthRetries(), func(ctx context.Context) error {
		err := c.checkHealth(ctx)
		if err == nil {
			c.rec.Note(stepHealth, "the API is well and serves %s", orDash(c.version.Name))
		}
		return err
	})
	if ctx.Err() != nil {
		return ctx.Err() // a check that was stopped knows nothing about the API
	}
	if err != nil {
		c.report.Action = ml.ActionHealthCheckFailed
		c.note("check.unwell", map[string]any{"error": err.Error()})
		c.news = append(c.news, c.healthDown(err))
		return c.step(ctx, stepNotify, flowrun.Retries{}, c.notify)
	}
	c.tell(ctx, c.healthUp())

	draw := c.draw(ctx)
	var held heldBack
	_ = c.step(ctx, stepDetect, flowrun.Retries{}, func(ctx context.Context) error { // its errors are notes
		held = c.detect(ctx, draw)
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case c.force:
		c.note("check.forced", nil)
		c.retrain(ctx)
	case !c.report.Drift:
		c.rec.Skip(StepRetrain, "no drift")
	case held.why != nil:
		c.report.Action = held.action
		for _, r := range held.why {
			c.note(r.Code, r.Values)
		}
		c.rec.Skip(StepRetrain, c.joined(held.why))
	default:
		c.retrain(ctx)
	}
	return c.step(ctx, stepNotify, flowrun.Retries{}, c.notify)
}

// step takes a step of the check, and has it taken down and traced.
func (c *check) step(ctx context.Context, name string, retries flowrun.Retries, f func(context.Context) error) error {
	return tracing.Do(ctx, "check "+name, func(ctx context.Context) error { return c.rec.Step(ctx, name, retries, f) })
}

// draw draws the random number of the documented flow; the other detector has none.
func (c *check) draw(ctx context.Context) (draw float64) {
	if c.report.Method != Random {
		c.rec.Skip(stepDraw, "the "+c.report.Method+" detector measures and draws nothing")
		return 0
	}
	_ = c.step(ctx, stepDraw, flowrun.Retries{}, func(context.Context) error { // a draw can't fail
		draw = c.opt.Random()
		c.rec.Note(stepDraw, "drew %.4f", draw)
		return nil
	})
	return draw
}

// detect measures, decides whether there is drift, and tells of it at once: a retraining may take its
// time.
func (c *check) detect(ctx context.Context, draw float64) heldBack {
	c.measure(ctx)
	c.measureTrends()
	decided := c.decide(draw)
	c.metrics.setScores(c.report.Details.Scores)
	c.metrics.setTrends(c.report.Details.AccuracyTrend, c.report.Details.Scores, c.report.Details.ScoreTrends)
	if ctx.Err() != nil {
		return heldBack{}
	}
	if c.report.Drift {
		c.metrics.drift.Inc()
	}
	held := c.holdBack(ctx)
	if decided {
		e := c.driftEvent(held)
		text, _ := wording.Text(c.words, e.Says[1:])
		c.rec.Note(stepDetect, "%s", text)
		c.tell(ctx, e)
	}
	return held
}

// notify hands the news of the outcome to the queue. What it does not take is owed, and told by the
// next check.
func (c *check) notify(ctx context.Context) error {
	for _, e := range c.news {
		c.tell(ctx, e)
	}
	c.rec.Note(stepNotify, "messages handed to the queue: %d, owed: %d", c.told, len(c.owed))
	return nil
}

// lookBack reads the versions and the checks before this one.
func (c *check) lookBack(ctx context.Context) {
	var err error
	if c.version, err = c.opt.History.Active(ctx); err != nil {
		c.version = ml.Version{}
		if c.noModel = ml.CodeOf(err) == ml.CodeNotFound; c.noModel {
			c.note("check.no_model", nil)
		} else {
			c.note("check.version_unreadable", nil)
			c.failed("read the active version", err)
		}
	}
	c.report.ModelVersion = c.version.Name
	if c.versions, _, c.versionsErr = c.opt.History.Versions(ctx, pastVersions); c.versionsErr != nil {
		c.versions = nil
		c.failed("read the versions", c.versionsErr)
	}
	if c.past, _, c.pastErr = c.opt.History.DriftHistory(ctx, c.opt.pastChecks()); c.pastErr != nil {
		c.past = nil
		c.failed("read the checks before", c.pastErr)
	}
}

// checkHealth asks the API whether it is well. Processes that start at the same moment are not ready at
// the same moment: until startPatience after the start, an API that does not answer well is asked again.
func (c *check) checkHealth(ctx context.Context) error {
	for {
		err := c.askHealth(ctx)
		if err == nil || ctx.Err() != nil || !c.opt.Clock().Before(c.patientUntil) {
			return err
		}
		wait(ctx, startStep)
	}
}

func (c *check) askHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.opt.HealthTimeout)
	defer cancel()
	return c.opt.API.Health(ctx)
}

// finish records the check, also if ctx has ended meanwhile: what was done must be known.
func (c *check) finish(ctx context.Context, took time.Duration) {
	c.report.Details.Duration = took.Seconds()
	c.report.Details.Note, c.report.Details.Remarks = c.joined(c.notes), c.notes
	last, cancel := detached(ctx)
	defer cancel()
	id, err := c.opt.Record.RecordCheck(last, c.report)
	if err != nil {
		c.failed("record the check", err)
	}
	c.report.ID = id
	c.metrics.observe(ctx, c.report)
	c.show(ctx)
}

// note adds a sentence that a reader of the history should know.
func (c *check) note(code string, values map[string]any) {
	note := ml.Remark{Code: code, Values: values}
	c.notes = append(c.notes, note)
	c.rec.Log("", flowrun.Info, "%s", c.joined([]ml.Remark{note}))
}

// joined is what remarks say, for records and logs.
func (c *check) joined(remarks []ml.Remark) string {
	text, _ := wording.Joined(c.words, remarks)
	return text
}

// failed keeps an error for the log.
func (c *check) failed(what string, err error) {
	c.errs = append(c.errs, fmt.Errorf("monitor: %s: %w", what, err))
}

// detached is a context for a last write: it outlives ctx by storeTimeout.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}
