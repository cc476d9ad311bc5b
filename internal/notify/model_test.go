package notify

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"iacontinu/internal/ml"
)

// job is an event on its way.
type job struct {
	event ml.Event
	due   time.Time
}

// Whatever comes in whatever order, through whatever failures: in the end people know the newest
// state, were told no state twice in a row, and never two things within a cooldown.
func TestPeopleEndUpKnowingTheNewestState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		now := start
		box := &outbox{}
		store := &memory{states: make(map[ml.EventTopic]ml.NotificationState)}
		var toldAt []time.Time
		box.hook = func() { toldAt = append(toldAt, now) }
		n, err := New(Options{States: store, Sender: box, Cooldown: 5 * time.Minute, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		var jobs []job
		var newest ml.Event
		for i := range rapid.IntRange(1, 20).Draw(t, "events") {
			e := ml.Event{
				Topic: ml.EventDrift,
				State: rapid.SampledFrom([]string{"drift", "stable", "unsure"}).Draw(t, "state"),
				At:    start.Add(time.Duration(i) * time.Duration(rapid.IntRange(1, 200).Draw(t, "gap")) * time.Second),
			}
			e.At = maxTime(e.At, newest.At.Add(time.Second))
			newest = e
			jobs = append(jobs, job{e, e.At.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "delay")) * time.Second)})
		}
		for range rapid.IntRange(0, 5).Draw(t, "failures") {
			box.errs = append(box.errs, rapid.SampledFrom([]error{errors.New("503"), refusalError{after: 40 * time.Second}}).Draw(t, "failure"))
		}
		for steps := 0; len(jobs) > 0; steps++ {
			if steps > 2000 {
				t.Fatalf("%d jobs never end", len(jobs))
			}
			i := earliest(jobs)
			now = maxTime(now, jobs[i].due)
			failing := len(box.errs)
			wait, err := n.Deliver(t.Context(), jobs[i].event)
			if len(box.errs) < failing {
				toldAt = toldAt[:len(toldAt)-1] // tried, not told
			}
			switch {
			case err != nil:
				jobs[i].due = now.Add(30 * time.Second)
			case wait > 0:
				jobs[i].due = now.Add(wait)
			default:
				jobs = append(jobs[:i], jobs[i+1:]...)
			}
		}
		if s := store.states[ml.EventDrift]; s.State != newest.State {
			t.Fatalf("in the end people know %q, want %q", s.State, newest.State)
		}
		told := box.states()
		for i := 1; i < len(told); i++ {
			if told[i] == told[i-1] {
				t.Fatalf("told %v: the same twice", told)
			}
			if gap := toldAt[i].Sub(toldAt[i-1]); gap < 5*time.Minute-time.Millisecond {
				t.Fatalf("told twice within %s", gap)
			}
		}
	})
}

func earliest(jobs []job) int {
	best := 0
	for i, j := range jobs {
		if j.due.Before(jobs[best].due) {
			best = i
		}
	}
	return best
}

func maxTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
