package notify

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"iacontinu/internal/ml"
)

// job is an event on its way.
type job struct {
	event   ml.Event
	due     time.Time
	running bool
}

// world is a notifier, what is on its way to it, and what people heard.
type world struct {
	n      *Notifier
	box    *outbox
	store  *memory
	now    time.Time
	jobs   []*job
	toldAt []time.Time
}

// deliver has a worker take a job.
func (w *world) deliver(t *rapid.T, j *job) {
	j.running = true
	failing := len(w.box.errs)
	wait, err := w.n.Deliver(t.Context(), j.event)
	j.running = false
	if len(w.box.errs) < failing {
		w.toldAt = w.toldAt[:len(w.toldAt)-1] // tried, not told
	}
	switch {
	case err != nil:
		j.due = w.now.Add(30 * time.Second)
	case wait > 0:
		j.due = w.now.Add(wait)
	default:
		w.jobs = slices.DeleteFunc(w.jobs, func(other *job) bool { return other == j })
	}
}

// meanwhile is what other workers do while one sends, for less long than its lease.
func (w *world) meanwhile(t *rapid.T) {
	sent, failing := len(w.box.states()), len(w.box.errs)
	until := w.now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "sending")) * time.Second)
	for range rapid.IntRange(0, 3).Draw(t, "meanwhile") {
		if j := earliest(w.jobs); j != nil && !j.due.After(until) {
			w.now = maxTime(w.now, j.due)
			w.deliver(t, j)
		}
	}
	if len(w.box.states()) != sent || len(w.box.errs) != failing {
		t.Fatal("two workers send on one topic at once")
	}
	w.now = until
}

// Whatever comes in whatever order, one after another or while a message is being sent, through whatever
// failures: in the end people know the newest state, were told no state twice in a row, and never two
// things within a cooldown.
func TestPeopleEndUpKnowingTheNewestState(t *testing.T) {
	t.Parallel()
	for range 20 { // what goes wrong is rare among all orders, and a try takes microseconds
		rapid.Check(t, peopleEndUpKnowingTheNewestState)
	}
}

func peopleEndUpKnowingTheNewestState(t *rapid.T) {
	start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	w := &world{now: start, box: &outbox{}, store: &memory{states: make(map[ml.EventTopic]ml.NotificationState)}}
	var err error
	w.n, err = New(Options{States: w.store, Sender: w.box, Cooldown: 5 * time.Minute, Clock: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	w.box.hook = func() {
		w.meanwhile(t)
		w.toldAt = append(w.toldAt, w.now)
	}
	var newest ml.Event
	for i := range rapid.IntRange(1, 20).Draw(t, "events") {
		e := ml.Event{
			Topic: ml.EventDrift,
			State: rapid.SampledFrom([]string{"drift", "stable", "unsure"}).Draw(t, "state"),
			At:    start.Add(time.Duration(i) * time.Duration(rapid.IntRange(1, 40).Draw(t, "gap")) * time.Second),
		}
		e.At = maxTime(e.At, newest.At.Add(time.Second))
		newest = e
		w.jobs = append(w.jobs, &job{event: e, due: e.At.Add(time.Duration(rapid.OneOf(rapid.IntRange(0, 60), rapid.IntRange(0, 900)).Draw(t, "delay")) * time.Second)})
	}
	for range rapid.IntRange(0, 5).Draw(t, "failures") {
		w.box.errs = append(w.box.errs, rapid.SampledFrom([]error{errors.New("503"), refusalError{after: 40 * time.Second}}).Draw(t, "failure"))
	}
	for steps := 0; len(w.jobs) > 0; steps++ {
		if steps > 2000 {
			t.Fatalf("%d jobs never end", len(w.jobs))
		}
		j := earliest(w.jobs)
		w.now = maxTime(w.now, j.due)
		w.deliver(t, j)
	}
	if s := w.store.states[ml.EventDrift]; s.State != newest.State {
		t.Fatalf("in the end people know %q, want %q", s.State, newest.State)
	}
	told := w.box.states()
	if len(told) > 0 && told[len(told)-1] != newest.State {
		t.Fatalf("people were told %v, but not that it is %q", told, newest.State)
	}
	for i := 1; i < len(told); i++ {
		if told[i] == told[i-1] {
			t.Fatalf("told %v: the same twice", told)
		}
		if gap := w.toldAt[i].Sub(w.toldAt[i-1]); gap < 5*time.Minute-time.Millisecond {
			t.Fatalf("told twice within %s", gap)
		}
	}
}

// earliest is the job that is due next and that no worker has, nil if there is none.
func earliest(jobs []*job) (best *job) {
	for _, j := range jobs {
		if !j.running && (best == nil || j.due.Before(best.due)) {
			best = j
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
