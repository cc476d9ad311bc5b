package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"iacontinu/internal/flowrun"
)

// Request is one check that is asked for.
type Request struct {
	// Slot is the tick that the check is for; 0 is one that a person asks for, beside all ticks.
	Slot int64
	// Detector and Threshold replace the settings if they are not zero. The threshold is the one of the
	// detector: see Options.
	Detector  string
	Threshold float64
	// Force asks for a retraining whatever the check finds.
	Force bool
	// Recorder takes the check down; nil takes down nothing.
	Recorder *flowrun.Recorder
}

func (r Request) withDefaults(o Options) (Request, error) {
	if r.Detector == "" || r.Detector == o.Detector {
		r.Threshold = cmp.Or(r.Threshold, o.Threshold)
	}
	r.Detector = cmp.Or(r.Detector, o.Detector)
	r.Threshold = cmp.Or(r.Threshold, defaultThreshold(r.Detector))
	return r, errors.Join(validDetector(r.Detector), validThreshold(r.Threshold))
}

func defaultThreshold(detector string) float64 {
	if detector == Random {
		return DefaultRandomThreshold
	}
	return DefaultStatisticalThreshold
}

func validDetector(detector string) error {
	if detector != Random && detector != Statistical {
		return fmt.Errorf("monitor: Detector must be %s or %s, not %q", Random, Statistical, detector)
	}
	return nil
}

func validThreshold(threshold float64) error {
	if !(threshold > 0 && threshold < 1) {
		return fmt.Errorf("monitor: Threshold must be between 0 and 1, not %v", threshold)
	}
	return nil
}

// FlowName is the name of the check among flows.
const FlowName = "periodic_check"

// The steps of a check.
const (
	stepHealth  = "health_check"
	stepDraw    = "draw"
	stepDetect  = "detect"
	StepRetrain = "trigger_retrain" // the one that a retraining is part of
	stepNotify  = "notify"
)

func steps() []flowrun.Step {
	return []flowrun.Step{
		{Name: stepHealth},
		{Name: stepDraw, After: []string{stepHealth}},
		{Name: stepDetect, After: []string{stepDraw}},
		{Name: StepRetrain, After: []string{stepDetect}},
		{Name: stepNotify, After: []string{stepDetect, StepRetrain}},
	}
}

// RunKey is the key of the run of a tick that no server asked for.
func RunKey(slot int64) string { return fmt.Sprintf("slot-%d", slot) }

// runOf is the run of a tick that no server asked for.
func (m *Monitor) runOf(slot int64) flowrun.Run {
	due := time.Unix(0, slot*int64(m.opt.Interval)).UTC()
	return flowrun.Run{Flow: FlowName, Key: RunKey(slot), Name: "check-" + due.Format("2006-01-02T15:04:05Z"), Due: due}
}

// stopState is how a run ends that could not come to its end.
func stopState(ctx context.Context) flowrun.State {
	if ctx.Err() != nil {
		return flowrun.Cancelled
	}
	return flowrun.Failed
}
