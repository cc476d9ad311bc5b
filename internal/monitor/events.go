package monitor

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"iacontinu/internal/ml"
)

// States of the topics.
const (
	stateDrift    = "drift"
	stateDrawn    = "drawn_drift" // of a random number: what is measured after it is news all the same
	stateStable   = "stable"
	stateNeedy    = "new_data_needed"
	stateUp       = "up"
	stateDown     = "down"
	stateOK       = "ok"
	stateRejected = "rejected"
	stateFailed   = "failed"
)

// tell hands an event to the queue if it changes what people know. An event that the queue does not
// take is owed and offered again at the next check, unless a later one of its topic replaces it.
func (c *check) tell(ctx context.Context, e ml.Event) {
	if !c.isNews(e.Topic, e.State) {
		return
	}
	c.enqueue(ctx, e)
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
	if err := c.opt.Messenger.EnqueueNotify(ctx, e); err != nil {
		c.owed[e.Topic] = e
		c.failed(fmt.Sprintf("enqueue the message that %s is %s", e.Topic, e.State), err)
		return
	}
	c.told++
	delete(c.owed, e.Topic)
}

// isNews reports whether the checks before this one left the topic in another state. Where they do not
// go back far enough to tell, it is news: whoever delivers it holds it against what was sent. That
// all is well is no news where nobody ever said otherwise.
func (c *check) isNews(topic ml.EventTopic, state string) bool {
	for _, r := range c.past {
		if before := stateAfter(r, topic); before != "" {
			return before != state
		}
	}
	if c.pastErr != nil || len(c.past) >= c.opt.pastChecks() {
		return true
	}
	return state != stateUp && state != stateStable && state != stateOK
}

// stateAfter is the state in which a check left a topic, empty if it says nothing about it.
func stateAfter(r ml.DriftReport, topic ml.EventTopic) string {
	failed := r.Action == ml.ActionHealthCheckFailed
	switch topic {
	case ml.EventHealth:
		if failed {
			return stateDown
		}
		return stateUp
	case ml.EventDrift:
		switch {
		case failed || r.Method == Statistical && len(r.Details.Scores) == 0:
			return "" // it could not be told
		case r.Action == ml.ActionNewDataNeeded:
			return stateNeedy
		case r.Drift:
			return driftState(r.Method)
		default:
			return stateStable
		}
	case ml.EventRetrain:
		switch r.Action {
		case ml.ActionRetrained:
			return stateOK
		case ml.ActionRetrainRejected:
			return stateRejected
		case ml.ActionRetrainFailed:
			return stateFailed
		}
	}
	return ""
}

// driftState is the state of drift that a detector found.
func driftState(method string) string {
	if method == Random {
		return stateDrawn
	}
	return stateDrift
}

func (c *check) event(topic ml.EventTopic, state string, severity ml.Severity, title, text string) ml.Event {
	e := ml.Event{Topic: topic, State: state, Severity: severity, Title: title, Text: text, At: c.opt.Clock().UTC()}
	if v := c.report.ModelVersion; v != "" {
		e.Fields = append(e.Fields, ml.EventField{Name: "Model version", Value: v})
	}
	return e
}

func (c *check) healthDown(err error) ml.Event {
	return c.event(ml.EventHealth, stateDown, ml.SeverityFailure, "The API is down or unwell",
		fmt.Sprintf("The periodic check got no healthy answer: %v.", err))
}

func (c *check) healthUp() ml.Event {
	return c.event(ml.EventHealth, stateUp, ml.SeveritySuccess, "The API is well again",
		"The periodic check gets healthy answers again.")
}

// driftEvent tells what was decided.
func (c *check) driftEvent(held heldBack) ml.Event {
	r := c.report
	var e ml.Event
	switch {
	case !r.Drift:
		e = c.event(ml.EventDrift, stateStable, ml.SeveritySuccess, "No drift any more", c.whyStable())
	case held.action == ml.ActionNewDataNeeded:
		e = c.event(ml.EventDrift, stateNeedy, ml.SeverityDrift, "Retraining does not end the drift",
			c.whyDrift()+" There is "+held.why+".")
	case held.why != "":
		e = c.event(ml.EventDrift, driftState(r.Method), ml.SeverityDrift, "Drift detected", c.whyDrift()+" There is "+held.why+".")
	default:
		e = c.event(ml.EventDrift, driftState(r.Method), ml.SeverityDrift, "Drift detected", c.whyDrift()+" A retraining follows.")
	}
	value := ml.EventField{Name: "Random number", Value: fmt.Sprintf("%.3f (drift below %.3g)", r.TriggerValue, r.Threshold)}
	if r.Method == Statistical {
		value = ml.EventField{Name: "Smallest p-value", Value: fmt.Sprintf("%.2g (drift below %.2g)", r.TriggerValue, r.Threshold)}
	}
	e.Fields = append(e.Fields, ml.EventField{Name: "Method", Value: r.Method}, value)
	if s, ok := worst(r.Details.Scores); ok {
		e.Fields = append(e.Fields,
			ml.EventField{Name: "Worst feature", Value: fmt.Sprintf("%s (KS %.3f, PSI %.3f)", s.Feature, s.KS, s.PSI)},
			ml.EventField{Name: "Predictions scored", Value: fmt.Sprint(r.Details.Rows)})
	}
	return e
}

func (c *check) whyDrift() string {
	r := c.report
	if r.Method == Random {
		return fmt.Sprintf("The random number %.3f is below %.3g, which counts as drift.", r.TriggerValue, r.Threshold)
	}
	var drifting int
	for _, s := range r.Details.Scores {
		if s.Drift {
			drifting++
		}
	}
	s, _ := worst(r.Details.Scores)
	who := s.Feature + " no longer looks"
	if drifting > 1 {
		who = fmt.Sprintf("%d features, %s most, no longer look", drifting, s.Feature)
	}
	return fmt.Sprintf("%s like the training data in the latest %d predictions.", who, r.Details.Rows)
}

func (c *check) whyStable() string {
	r := c.report
	if r.Method == Random {
		return fmt.Sprintf("The random number %.3f is not below %.3g.", r.TriggerValue, r.Threshold)
	}
	return fmt.Sprintf("The latest %d predictions look like the training data.", r.Details.Rows)
}

func (c *check) retrainOK(r ml.RetrainResult) ml.Event {
	e := c.event(ml.EventRetrain, stateOK, ml.SeveritySuccess, "Retraining succeeded",
		fmt.Sprintf("Version %s was trained because %s and serves now.", r.Candidate, c.cause("of drift", "an operator asked for it")))
	return withAccuracies(e, r)
}

func (c *check) retrainRejected(r ml.RetrainResult) ml.Event {
	text := fmt.Sprintf("Candidate %s was not let in; version %s goes on.", r.Candidate, r.Version)
	if r.Details != "" {
		text += " " + r.Details
	}
	return withAccuracies(c.event(ml.EventRetrain, stateRejected, ml.SeverityWarning, "Retraining rejected", text), r)
}

func (c *check) retrainFailed(err error) ml.Event {
	return c.event(ml.EventRetrain, stateFailed, ml.SeverityFailure, "Retraining failed",
		fmt.Sprintf("The retraining %s ended in an error: %v. The old version goes on.", c.cause("after drift", "that an operator asked for"), err))
}

// cause is the one of two texts that says what a retraining came from.
func (c *check) cause(drift, forced string) string {
	if c.force && !c.report.Drift {
		return forced
	}
	return drift
}

// withAccuracies adds what the gate compared, on the same holdout.
func withAccuracies(e ml.Event, r ml.RetrainResult) ml.Event {
	e.Fields = append(e.Fields, ml.EventField{Name: "Candidate's accuracy", Value: fmt.Sprintf("%.4f", r.CandidateAccuracy)})
	if r.ChampionAccuracy != nil {
		e.Fields = append(e.Fields, ml.EventField{Name: "Champion's accuracy", Value: fmt.Sprintf("%.4f", *r.ChampionAccuracy)})
	}
	return e
}
