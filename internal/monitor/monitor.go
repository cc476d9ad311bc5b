package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
	"iacontinu/internal/wording"
)

// ErrSlotTaken is RunOnce's error for a slot that another runner checks, or has checked.
var ErrSlotTaken = errors.New("monitor: slot is taken by another runner")

// storeTimeout bounds each write that a check makes after it was told to stop.
const storeTimeout = 5 * time.Second

// Monitor makes the periodic checks of one platform. Any number of them may run over one store.
type Monitor struct {
	opt     Options
	metrics *metrics
	words   *wording.Language // of records and logs

	// mu is held for a whole check: one at a time.
	mu sync.Mutex
	// pinned is the reference window of the version that was scored last.
	pinned pinnedWindow
	// offered are the latest events of each topic, owed are those of them that the queue did not take.
	offered, owed map[ml.EventTopic]ml.Event
	// patientUntil is when an API that does not answer counts as down.
	patientUntil time.Time
	// warned is when a locked store was last logged.
	warned time.Time
}

// startPatience is how long an API may take to be ready after the checks began, and startStep the time
// between two looks.
const (
	startPatience = 5 * time.Second
	startStep     = 100 * time.Millisecond
)

// New returns a Monitor that has not checked anything yet.
func New(o Options) (*Monitor, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	ms, err := newMetrics(o)
	if err != nil {
		return nil, fmt.Errorf("monitor: register metrics: %w", err)
	}
	return &Monitor{
		opt: o, metrics: ms, words: wording.In("en"),
		offered: map[ml.EventTopic]ml.Event{}, owed: map[ml.EventTopic]ml.Event{},
	}, nil
}

// Recall tells the metrics when the last check was, so that a restart does not look like a platform that
// never checked.
func (m *Monitor) Recall(ctx context.Context) error {
	newest, _, err := m.opt.History.DriftHistory(ctx, 1)
	if err != nil {
		return fmt.Errorf("monitor: read the last check: %w", err)
	}
	if len(newest) > 0 {
		m.metrics.began(newest[0].CreatedAt)
	}
	return nil
}

// Run checks at once and then at each tick, until ctx ends. A check that takes longer than the
// interval makes the ticks meanwhile pass unused. What goes wrong in a check is logged.
func (m *Monitor) Run(ctx context.Context) error { return m.RunUntil(ctx, nil) }

// RunUntil is Run that ends after the check under way when enough is closed.
func (m *Monitor) RunUntil(ctx context.Context, enough <-chan struct{}) error {
	m.opt.Logger.InfoContext(ctx, "periodic check starts", "detector", m.opt.Detector,
		"threshold", m.opt.Threshold, "interval", m.opt.Interval.String())
	m.mu.Lock()
	m.patientUntil = m.opt.Clock().Add(startPatience)
	m.mu.Unlock()
	for slot := m.slot() - 1; ctx.Err() == nil; {
		// Never the same slot twice: after the clock was set back, slots go on from where they were, by
		// this runner's count or, if it began since, by the store's, and not from what all runners have
		// claimed already.
		slot = max(slot+1, m.slot())
		if taken := m.tick(ctx, slot); taken {
			slot = max(slot, m.checkedSlot(ctx))
		}
		select {
		case <-enough:
			return nil
		case <-ctx.Done():
		case <-time.After(m.untilTick()):
		}
	}
	return nil
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// slot is the number of the current tick.
func (m *Monitor) slot() int64 { return m.opt.Clock().UnixNano() / int64(m.opt.Interval) }

// untilTick is the time until the next multiple of the interval, which keeps ticks from drifting. A
// tick that is nearly there is passed over: it is the one just run, met early by a clock that was
// slowed down.
func (m *Monitor) untilTick() time.Duration {
	interval := m.opt.Interval
	wait := interval - time.Duration(m.opt.Clock().UnixNano()%int64(interval))
	if wait < interval/100 {
		wait += interval
	}
	return wait
}

// checkedSlot is the slot of the newest check that any runner has recorded; 0 if that is not known.
func (m *Monitor) checkedSlot(ctx context.Context) int64 {
	newest, _, err := m.opt.History.DriftHistory(ctx, 1)
	if err != nil || len(newest) == 0 {
		return 0 // the next slot that is taken asks again
	}
	return newest[0].Slot
}

// tick makes one check and hands its record on, if it began. It reports whether another runner has taken the
// slot.
func (m *Monitor) tick(ctx context.Context, slot int64) (taken bool) {
	rec := flowrun.NewRecorder(m.runOf(slot), m.opt.Clock)
	if _, err := m.RunOnce(ctx, Request{Slot: slot, Recorder: rec}); errors.Is(err, ErrSlotTaken) {
		return true
	}
	if run := rec.Snapshot(); run.State.Final() {
		m.handOn(ctx, run)
	}
	return false
}

// handOn hands on the record of a check that no server asked for.
func (m *Monitor) handOn(ctx context.Context, run flowrun.Run) {
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := m.opt.HandOn(ctx, run); err != nil {
		m.opt.Logger.WarnContext(ctx, "the record of a check can't be handed on", "check", run.Name, "error", err)
	}
}

// log says how a check went.
func (m *Monitor) log(ctx context.Context, slot int64, r ml.DriftReport, err error) {
	log := m.opt.Logger.With("slot", slot)
	switch {
	case errors.Is(err, ErrSlotTaken):
		log.DebugContext(ctx, "slot is taken by another runner")
		return
	case err != nil && ctx.Err() != nil:
		log.InfoContext(ctx, "check was stopped", "error", err)
	case r.Action == "" && ml.CodeOf(err) == ml.CodeUnavailable: // somebody's lock, which passes
		if now := m.opt.Clock(); now.Sub(m.warned).Abs() >= time.Minute {
			m.warned = now
			log.WarnContext(ctx, "no check, because the store can't be written now", "error", err)
		}
	case err != nil:
		log.ErrorContext(ctx, "check met errors", "error", err)
	}
	if r.Action == "" {
		return // it never came to an end
	}
	level := slog.LevelInfo
	if r.Action == ml.ActionHealthCheckFailed || r.Action == ml.ActionRetrainFailed || r.Action == ml.ActionNewDataNeeded {
		level = slog.LevelWarn
	}
	log.Log(ctx, level, "checked", "action", r.Action, "drift", r.Drift, "method", r.Method,
		"value", r.TriggerValue, "threshold", r.Threshold, "model_version", r.ModelVersion,
		"rows", r.Details.Rows, "note", r.Details.Note, "new_version", r.Details.NewVersion,
		"job_id", r.Details.JobID, "duration_seconds", r.Details.Duration)
}

// RunOnce makes one check: it measures, decides, acts, tells and records. The report is what was
// recorded. With an error and a report, the check was made but something in it did not work; with an
// error and a zero report, there was no check.
func (m *Monitor) RunOnce(ctx context.Context, r Request) (report ml.DriftReport, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, span := tracing.Root(ctx, m.opt.Tracer, FlowName)
	defer func() {
		m.log(ctx, r.Slot, report, err)
		endSpan(span, r.Slot, report, err)
	}()
	if r, err = r.withDefaults(m.opt); err != nil {
		return ml.DriftReport{}, err
	}
	return m.makeCheck(ctx, r)
}

// endSpan ends the span of a check.
func endSpan(span trace.Span, slot int64, report ml.DriftReport, err error) {
	if span.IsRecording() {
		span.SetAttributes(attribute.Int64("slot", slot), attribute.String("action", string(report.Action)), attribute.Bool("drift", report.Drift))
	}
	if errors.Is(err, ErrSlotTaken) {
		err = nil
	}
	tracing.End(span, err)
}

// makeCheck makes the check that a complete request asks for.
func (m *Monitor) makeCheck(ctx context.Context, r Request) (ml.DriftReport, error) {
	started := m.opt.Clock()
	if err := m.claim(ctx, r.Slot); err != nil {
		return ml.DriftReport{}, err
	}
	c := &check{Monitor: m, rec: r.Recorder, force: r.Force, report: ml.DriftReport{
		Slot: r.Slot, Method: r.Detector, Threshold: r.Threshold, Action: ml.ActionNone, CreatedAt: started.UTC(),
	}}
	c.rec.Start(steps()...)
	if err := c.run(ctx); err != nil {
		m.metrics.checks.WithLabelValues(outcomeError).Inc()
		c.rec.End(stopState(ctx), err.Error())
		return ml.DriftReport{}, fmt.Errorf("monitor: slot %d: %w", r.Slot, err)
	}
	c.finish(ctx, m.opt.Clock().Sub(started))
	m.opt.Checked(c.report)
	return c.report, errors.Join(c.errs...)
}

// claim takes a slot for this runner; slot 0 is nobody's.
func (m *Monitor) claim(ctx context.Context, slot int64) error {
	if slot == 0 {
		return nil
	}
	first, err := m.opt.Record.ClaimSlot(ctx, slot)
	if err != nil {
		m.metrics.checks.WithLabelValues(outcomeError).Inc()
		return fmt.Errorf("monitor: claim slot %d: %w", slot, err)
	}
	if !first {
		m.metrics.checks.WithLabelValues(outcomeSlotTaken).Inc()
		return ErrSlotTaken
	}
	return nil
}
