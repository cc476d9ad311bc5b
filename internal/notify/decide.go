package notify

import (
	"time"

	"iacontinu/internal/ml"
)

const (
	// claimedWait is when to look again at a topic on which another worker sends.
	claimedWait = 2 * time.Second
	// maxSkew is how far ahead of the clock an event is believed. One from further ahead was written
	// before the clock was set back, and must not silence all that come after it.
	maxSkew = time.Minute
	// resolution is what times are kept to. A store that rounds a finer one up would make an event
	// older than itself.
	resolution = time.Millisecond
	// unknown is the state of a topic on which a worker died while it sent: people may have been told or
	// not, so that no event is what they know already.
	unknown = "unknown"
)

func stored(t time.Time) time.Time { return t.UTC().Truncate(resolution) }

// step is what to do with an event.
type step string

const (
	stepSend       step = "send"
	stepSuperseded step = "superseded"
	stepUnchanged  step = "unchanged"
	stepRecorded   step = "recorded"
	stepDelayed    step = "delayed"
)

// decision is a step and the state of the topic to store before it is taken.
type decision struct {
	step step
	next ml.NotificationState
	wait time.Duration // positive if the event is to come again
}

// decide applies the rules of the package's documentation, in their order.
func decide(s ml.NotificationState, e ml.Event, now time.Time, cooldown, lease time.Duration) decision {
	at := stored(e.At)
	if at.Before(s.LatestAt) && !s.LatestAt.After(now.Add(maxSkew)) {
		return decision{step: stepSuperseded, next: s}
	}
	next := s
	if !at.Equal(s.LatestAt) {
		next.LatestAt = at
	}
	next.SendingUntil = notAfter(next.SendingUntil, now.Add(lease))
	next.SentAt = notAfter(next.SentAt, now)
	if wait := next.SendingUntil.Sub(now); wait > 0 {
		return decision{step: stepDelayed, next: next, wait: min(wait, claimedWait)}
	}
	if !s.SendingUntil.IsZero() { // a worker died while it sent
		next.State = unknown
	}
	switch {
	case next.State == e.State:
		return decision{step: stepUnchanged, next: next}
	case next.State == "" && good(e):
		next.State = e.State
		return decision{step: stepRecorded, next: next}
	}
	if wait := next.SentAt.Add(cooldown).Sub(now); wait > 0 {
		return decision{step: stepDelayed, next: next, wait: wait}
	}
	next.SendingUntil = stored(now.Add(lease))
	return decision{step: stepSend, next: next}
}

// notAfter is a stored time, or the latest that it can be: a later one was written before the clock was set
// back, and would have a wait last for as long as the clock was ahead.
func notAfter(t, latest time.Time) time.Time {
	if t.After(latest) {
		return stored(latest)
	}
	return t
}

// good reports whether a topic is in the state in which a healthy platform starts.
func good(e ml.Event) bool {
	switch e.Topic {
	case ml.EventDrift:
		return e.State == ml.StateStable
	case ml.EventHealth:
		return e.State == ml.StateUp
	case ml.EventRetrain:
		return e.State == ml.StateOK
	case ml.EventModel: // which version serves first is news
	}
	return false
}
