package monitor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"iacontinu/internal/ml"
)

// pastVersions is how many versions back the accuracy's trend looks.
const pastVersions = 50

// pastChecks is how many checks back a check looks at the least: an hour of them for the trends, and
// for what people were told last.
const pastChecks = 120

// maxPastChecks bounds how far a long cooldown makes it look.
const maxPastChecks = 20_000

// pastChecks is how many checks back a check looks: at least as many as the cooldown may hold, for it
// is read from them.
func (o Options) pastChecks() int {
	return min(max(pastChecks, int(o.Cooldown/o.Interval)+1), maxPastChecks)
}

// check is one check under way.
type check struct {
	*Monitor
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
	notes   []string
	// errs are what did not work, for the log.
	errs []error
}

// run takes the check up to its action. An error means that there is nothing to record.
func (c *check) run(ctx context.Context) error {
	c.tellOwed(ctx)
	c.lookBack(ctx)

	err := c.checkHealth(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // a check that was stopped knows nothing about the API
	}
	if err != nil {
		c.report.Action = ml.ActionHealthCheckFailed
		c.note("the API did not pass its health check: %v", err)
		c.tell(ctx, c.healthDown(err))
		return nil
	}
	c.tell(ctx, c.healthUp())

	var draw float64
	if c.opt.Detector == Random {
		draw = c.opt.Random()
	}
	c.measure(ctx)
	c.measureTrends()
	decided := c.decide(draw)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.report.Drift {
		c.metrics.drift.Inc()
	}

	held := c.holdBack(ctx)
	if decided {
		c.tell(ctx, c.driftEvent(held))
	}
	switch {
	case !c.report.Drift:
	case held.why != "":
		c.report.Action = held.action
		c.note("%s", held.why)
	default:
		c.retrain(ctx)
	}
	return nil
}

// lookBack reads the versions and the checks before this one.
func (c *check) lookBack(ctx context.Context) {
	var err error
	if c.version, err = c.opt.History.Active(ctx); err != nil {
		c.version = ml.Version{}
		if c.noModel = ml.CodeOf(err) == ml.CodeNotFound; c.noModel {
			c.note("no model is active yet")
		} else {
			c.note("the active version could not be read")
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
	c.report.Details.Note = strings.Join(c.notes, "; ")
	ctx, cancel := detached(ctx)
	defer cancel()
	id, err := c.opt.Record.RecordCheck(ctx, c.report)
	if err != nil {
		c.failed("record the check", err)
	}
	c.report.ID = id
	c.metrics.observe(c.report)
}

// note adds a sentence that a reader of the history should know.
func (c *check) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// failed keeps an error for the log.
func (c *check) failed(what string, err error) {
	c.errs = append(c.errs, fmt.Errorf("monitor: %s: %w", what, err))
}

// detached is a context for a last write: it outlives ctx by storeTimeout.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}
