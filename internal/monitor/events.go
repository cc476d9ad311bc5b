package monitor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"iacontinu/internal/ml"
)

// offerAgain is how long after an event was offered it is offered once more, though nothing changed.
const offerAgain = time.Hour

// tell hands an event to the queue if it may change what people know. An event that the queue does not
// take is owed and offered again at the next check, unless a later one of its topic replaces it.
func (c *check) tell(ctx context.Context, e ml.Event) {
	if c.isNews(e) {
		c.enqueue(ctx, e)
	}
}

// tellOwed offers the events that the queue did not take before.
func (c *check) tellOwed(ctx context.Context) {
	for _, topic := range slices.Sorted(maps.Keys(c.owed)) {
		c.enqueue(ctx, c.owed[topic])
	}
}

func (c *check) enqueue(ctx context.Context, e ml.Event) {
	ctx, cancel := detached(ctx)
	defer cancel()
	c.offered[e.Topic] = e
	if err := c.opt.Messenger.EnqueueNotify(ctx, e); err != nil {
		c.owed[e.Topic] = e
		c.failed(fmt.Sprintf("enqueue the message that %s is %s", e.Topic, e.State), err)
		return
	}
	c.told++
	delete(c.owed, e.Topic)
}

// isNews reports whether people may not know of an event. Whoever delivers it knows what they were told, so
// this only spares the queue a job a check: for what this runner offered last, where no other runner's check
// found otherwise since. What a runner that died in between had offered is not known here, so that each state
// is offered after a start, and again from time to time. Retrainings are few, and people hear of them from
// others too.
func (c *check) isNews(e ml.Event) bool {
	last := c.offered[e.Topic]
	if last.State != e.State || e.At.Sub(last.At).Abs() >= offerAgain || e.Topic == ml.EventRetrain {
		return true
	}
	for _, r := range c.past {
		if before := stateAfter(r, e.Topic); before != "" {
			return before != e.State
		}
	}
	return false
}

// stateAfter is the state in which a check left a topic, empty if it says nothing about it.
func stateAfter(r ml.DriftReport, topic ml.EventTopic) string {
	failed := r.Action == ml.ActionHealthCheckFailed
	switch topic {
	case ml.EventHealth:
		if failed {
			return ml.StateDown
		}
		return ml.StateUp
	case ml.EventDrift:
		switch {
		case failed || r.Method == Statistical && len(r.Details.Scores) == 0:
			return "" // it could not be told
		case r.Action == ml.ActionNewDataNeeded:
			return ml.StateNewDataNeeded
		case r.Drift:
			return driftState(r.Method)
		default:
			return ml.StateStable
		}
	}
	return ""
}

// driftState is the state of drift that a detector found.
func driftState(method string) string {
	if method == Random {
		return ml.StateDrawnDrift
	}
	return ml.StateDrift
}

// event is one that says its title and the sentences after it.
func (c *check) event(topic ml.EventTopic, state string, severity ml.Severity, title string, text ...ml.Remark) ml.Event {
	e := ml.Event{Topic: topic, State: state, Severity: severity, Says: append([]ml.Remark{{Code: title}}, text...), At: c.opt.Clock().UTC()}
	if v := c.report.ModelVersion; v != "" {
		e.Figures = append(e.Figures, figure("figure.version", v))
	}
	return e
}

func figure(code string, value any) ml.Remark {
	return ml.Remark{Code: code, Values: map[string]any{"value": value}}
}

func (c *check) healthDown(err error) ml.Event {
	return c.event(ml.EventHealth, ml.StateDown, ml.SeverityFailure, "notice.api_down",
		ml.Remark{Code: "health.down", Values: map[string]any{"error": err.Error()}})
}

func (c *check) healthUp() ml.Event {
	return c.event(ml.EventHealth, ml.StateUp, ml.SeveritySuccess, "notice.api_up", ml.Remark{Code: "health.up"})
}

// driftEvent tells what was decided.
func (c *check) driftEvent(held heldBack) ml.Event {
	r := c.report
	var e ml.Event
	switch {
	case !r.Drift:
		e = c.event(ml.EventDrift, ml.StateStable, ml.SeveritySuccess, "notice.drift_over", c.whyStable())
	case held.action == ml.ActionNewDataNeeded:
		e = c.event(ml.EventDrift, ml.StateNewDataNeeded, ml.SeverityDrift, "notice.new_data_needed", c.whyDrift())
	default:
		e = c.event(ml.EventDrift, driftState(r.Method), ml.SeverityDrift, "notice.drift", c.whyDrift())
	}
	switch {
	case held.why != nil:
		e.Says = append(e.Says, held.why...)
	case r.Drift:
		e.Says = append(e.Says, ml.Remark{Code: "drift.retraining"})
	}
	value := ml.Remark{Code: "figure.random", Values: c.measured()}
	if r.Method == Statistical {
		value.Code = "figure.p_value"
	}
	e.Figures = append(e.Figures, figure("figure.method", r.Method), value)
	if s, ok := worst(r.Details.Scores); ok {
		e.Figures = append(e.Figures,
			ml.Remark{Code: "figure.worst_feature", Values: map[string]any{"value": s.Feature, "ks": s.KS, "psi": s.PSI}},
			figure("figure.rows_scored", r.Details.Rows))
	}
	return e
}

// measured is what was held against the threshold.
func (c *check) measured() map[string]any {
	return map[string]any{"value": c.report.TriggerValue, "threshold": c.report.Threshold}
}

func (c *check) whyDrift() ml.Remark {
	r := c.report
	if r.Method == Random {
		return ml.Remark{Code: "drift.drawn", Values: c.measured()}
	}
	var drifting int
	for _, s := range r.Details.Scores {
		if s.Drift {
			drifting++
		}
	}
	s, _ := worst(r.Details.Scores)
	return ml.Remark{Code: "drift.moved", Values: map[string]any{"n": drifting, "feature": s.Feature, "rows": r.Details.Rows}}
}

func (c *check) whyStable() ml.Remark {
	if c.report.Method == Random {
		return ml.Remark{Code: "drift.not_drawn", Values: c.measured()}
	}
	return ml.Remark{Code: "drift.alike", Values: map[string]any{"rows": c.report.Details.Rows}}
}

func (c *check) retrainOK(r ml.RetrainResult) ml.Event {
	code := c.cause("retrain.serves_for_drift", "retrain.serves_asked")
	e := c.event(ml.EventRetrain, ml.StateOK, ml.SeveritySuccess, "notice.retrain_ok", ml.Remark{Code: code, Values: map[string]any{"version": r.Candidate}})
	return withAccuracies(e, r)
}

func (c *check) retrainRejected(r ml.RetrainResult) ml.Event {
	e := c.event(ml.EventRetrain, ml.StateRejected, ml.SeverityWarning, "notice.retrain_rejected",
		ml.Remark{Code: "retrain.not_let_in", Values: map[string]any{"candidate": r.Candidate, "version": r.Version}})
	e.Says = append(e.Says, r.Reasons...)
	return withAccuracies(e, r)
}

func (c *check) retrainFailed(err error) ml.Event {
	code := c.cause("retrain.failed_after_drift", "retrain.failed_asked")
	return c.event(ml.EventRetrain, ml.StateFailed, ml.SeverityFailure, "notice.retrain_failed",
		ml.Remark{Code: code, Values: map[string]any{"error": err.Error()}}, ml.Remark{Code: "retrain.old_goes_on"})
}

// cause is the one of two codes that says what a retraining came from.
func (c *check) cause(drift, forced string) string {
	if c.force && !c.report.Drift {
		return forced
	}
	return drift
}

// withAccuracies adds what the gate compared, on the same holdout.
func withAccuracies(e ml.Event, r ml.RetrainResult) ml.Event {
	e.Figures = append(e.Figures, figure("figure.candidate_accuracy", r.CandidateAccuracy))
	if r.ChampionAccuracy != nil {
		e.Figures = append(e.Figures, figure("figure.champion_accuracy", *r.ChampionAccuracy))
	}
	return e
}
