package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/ml"
)

func TestOnlyChangesAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("stable", b.now)) // the state in which everything starts
	b.assertSent(t)
	for _, state := range []string{"drift", "drift", "stable", "stable", "drift"} {
		b.now = b.now.Add(time.Hour)
		if wait := b.deliver(t, b.drift(state, b.now)); wait != 0 {
			t.Fatalf("asked to come again in %s", wait)
		}
	}
	b.assertSent(t, "drift", "stable", "drift")
}

func TestFirstEvent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		topic ml.EventTopic
		state string
		told  bool
	}{
		{ml.EventDrift, "stable", false},
		{ml.EventDrift, "drift", true},
		{ml.EventHealth, "up", false},
		{ml.EventHealth, "down", true},
		{ml.EventRetrain, "ok", false},
		{ml.EventRetrain, "rejected", true},
		{ml.EventModel, "v20260501-120000-1", true},
	} {
		b := setup(t)
		b.deliver(t, ml.Event{Topic: c.topic, State: c.state, At: b.now})
		if told := len(b.outbox.states()) == 1; told != c.told {
			t.Errorf("%s %s: told %t, want %t", c.topic, c.state, told, c.told)
		}
		if s := b.memory.states[c.topic]; s.State != c.state {
			t.Errorf("%s: recorded %q, want %q", c.topic, s.State, c.state)
		}
	}
}

// A recorded first state was not told, so it starts no cooldown.
func TestRecordingStartsNoCooldown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("stable", b.now))
	b.deliver(t, b.drift("drift", b.now.Add(time.Second)))
	b.assertSent(t, "drift")
}

func TestWithoutACooldownEachChangeIsToldAtOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	told := ml.NotificationState{Topic: ml.EventDrift, State: "drift", SentAt: now}
	if d := decide(told, ml.Event{Topic: ml.EventDrift, State: "stable", At: now}, now, -1, time.Minute); d.step != stepSend {
		t.Errorf("the change is %+v", d)
	}
}

func TestCooldown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("drift", b.now))
	b.now = b.now.Add(time.Minute)
	stable := b.drift("stable", b.now)
	wait := b.deliver(t, stable)
	if wait < 4*time.Minute-time.Second || wait > 4*time.Minute {
		t.Fatalf("asked to come again in %s, want 4m", wait)
	}
	b.assertSent(t, "drift")
	b.now = b.now.Add(wait)
	if wait := b.deliver(t, stable); wait != 0 {
		t.Fatalf("asked to come again in %s after the cooldown", wait)
	}
	b.assertSent(t, "drift", "stable")
}

func TestTopicsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("drift", b.now))
	b.deliver(t, ml.Event{Topic: ml.EventHealth, State: "down", At: b.now})
	b.assertSent(t, "drift", "down")
}

func TestFlappingIsNoNews(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("drift", b.now))
	stable := b.drift("stable", b.now.Add(30*time.Second))
	again := b.drift("drift", b.now.Add(60*time.Second))
	wait := b.deliver(t, stable)
	if w := b.deliver(t, again); w != 0 {
		t.Fatalf("asked to come again in %s for what people know", w)
	}
	b.now = b.now.Add(wait + time.Second)
	if w := b.deliver(t, stable); w != 0 {
		t.Fatalf("asked to come again in %s", w)
	}
	b.assertSent(t, "drift")
}

func TestLatestOfSeveralWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	model := func(v string, after time.Duration) ml.Event {
		return ml.Event{Topic: ml.EventModel, State: v, At: b.now.Add(after)}
	}
	events := []ml.Event{model("v2", time.Second), model("v3", 2*time.Second), model("v4", 3*time.Second)}
	b.deliver(t, model("v1", 0))
	var wait time.Duration
	for _, e := range events {
		wait = max(wait, b.deliver(t, e))
	}
	b.now = b.now.Add(wait)
	for _, e := range events {
		b.deliver(t, e)
	}
	b.assertSent(t, "v1", "v4")
}

func TestLateEventDoesNotUndoANewerOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("drift", b.now))
	b.now = b.now.Add(time.Hour)
	b.deliver(t, b.drift("stable", b.now))
	b.now = b.now.Add(time.Hour)
	before := b.memory.states[ml.EventDrift]
	b.deliver(t, b.drift("drift", b.now.Add(-90*time.Minute))) // comes late, 90 minutes old
	b.assertSent(t, "drift", "stable")
	if s := b.memory.states[ml.EventDrift]; s != before {
		t.Errorf("state %+v, want it left at %+v", s, before)
	}
}

// Times are stored to the millisecond; an event must not look older than itself when it comes again.
func TestEventMayComeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.outbox.errs = []error{errors.New("503")}
	e := b.drift("drift", b.now)
	if _, err := b.n.Deliver(t.Context(), e); err == nil {
		t.Fatal("no error for a message that was not sent")
	}
	b.deliver(t, e)
	b.deliver(t, e)
	b.assertSent(t, "drift")
}

func TestRestartRepeatsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("drift", b.now))
	b.n = b.notifier(t)
	b.now = b.now.Add(time.Hour)
	b.deliver(t, b.drift("drift", b.now))
	b.assertSent(t, "drift")
}

func TestRateLimitIsPassedOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.outbox.errs = []error{fmt.Errorf("wrapped: %w", refusalError{after: 7 * time.Second})}
	e := b.drift("drift", b.now)
	if wait := b.deliver(t, e); wait != 7*time.Second {
		t.Fatalf("asked to come again in %s, want 7s", wait)
	}
	b.deliver(t, e)
	b.assertSent(t, "drift")
}

func TestPermanentRefusalIsDroppedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.outbox.errs = []error{refusalError{permanent: true}}
	b.deliver(t, b.drift("drift", b.now))
	b.deliver(t, b.drift("drift", b.now.Add(time.Second)))
	b.assertSent(t)
	if n := strings.Count(b.log.String(), "dropped"); n != 1 {
		t.Errorf("%d lines in the log about it, want 1", n)
	}
	if n := testutil.ToFloat64(b.n.metrics.events.WithLabelValues("drift", outcomeDropped)); n != 1 {
		t.Errorf("%v counted as dropped, want 1", n)
	}
	b.deliver(t, b.drift("stable", b.now.Add(2*time.Second))) // nobody was bothered: no cooldown
	b.assertSent(t, "stable")
}

// Two workers hold a job each for the same change: one of them sends.
func TestTwoWorkersSendOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sending, release := make(chan struct{}), make(chan struct{})
	b.outbox.hook = func() {
		close(sending)
		<-release
	}
	first := b.drift("drift", b.now)
	done := make(chan error, 1)
	go func() {
		_, err := b.n.Deliver(t.Context(), first)
		done <- err
	}()
	<-sending
	second := b.drift("drift", b.now.Add(time.Second))
	other := b.notifier(t)
	wait, err := other.Deliver(t.Context(), second)
	if err != nil || wait <= 0 {
		t.Fatalf("second worker: wait %s err %v, want to come again", wait, err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if wait, err := other.Deliver(t.Context(), second); err != nil || wait != 0 {
		t.Fatalf("second worker after the first: wait %s err %v", wait, err)
	}
	b.assertSent(t, "drift")
	s := b.memory.states[ml.EventDrift]
	if !s.LatestAt.Equal(second.At.Truncate(time.Millisecond)) || !s.SendingUntil.IsZero() {
		t.Errorf("state %+v: the first worker overwrote what the second recorded", s)
	}
}

// Both read before either writes.
func TestRacingWorkersSendOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.memory.before = func() {
		b.memory.before = nil
		w, err := b.notifier(t).Deliver(t.Context(), b.drift("drift", b.now))
		if err != nil || w != 0 {
			t.Errorf("faster worker: wait %s err %v", w, err)
		}
	}
	wait := b.deliver(t, b.drift("drift", b.now.Add(time.Second)))
	if wait != 0 {
		t.Errorf("slower worker asked to come again in %s, want nothing to say", wait)
	}
	b.assertSent(t, "drift")
}

// What comes while an older event is being sent equals what people were told last, but not what they are
// about to be told.
func TestNewerEventIsNotLostWhileAnOlderOneIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.memory.states[ml.EventHealth] = ml.NotificationState{Topic: ml.EventHealth, State: "up", Revision: 1}
	health := func(state string, after time.Duration) ml.Event {
		return ml.Event{Topic: ml.EventHealth, State: state, At: b.now.Add(after)}
	}
	up := health("up", time.Second)
	var wait time.Duration
	b.outbox.hook = func() {
		b.outbox.hook = nil
		wait = b.deliver(t, up)
	}
	b.deliver(t, health("down", 0))
	for wait > 0 {
		b.now = b.now.Add(wait)
		wait = b.deliver(t, up)
	}
	b.assertSent(t, "down", "up")
}

// Nobody knows what people heard from a worker that died while it sent, so the next event is told though
// it is what they were told before, and also if that fails at first.
func TestWhatADeadSenderMayHaveToldIsNotTheLastWord(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "stable"} {
		b := setup(t)
		b.memory.states[ml.EventDrift] = ml.NotificationState{ // "drift" was under way
			Topic: ml.EventDrift, State: before, LatestAt: stored(b.now), SendingUntil: b.now.Add(defaultLease), Revision: 1,
		}
		b.now = b.now.Add(2 * defaultLease)
		b.outbox.errs = []error{errors.New("503")}
		stable := b.drift("stable", b.now)
		if _, err := b.n.Deliver(t.Context(), stable); err == nil {
			t.Error("no error for a message that was not sent")
		}
		b.deliver(t, stable)
		b.deliver(t, stable)
		b.assertSent(t, "stable")
	}
}

// The claim of a worker that died while it sent runs out.
func TestDeadSendersClaimRunsOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := b.drift("drift", b.now)
	b.memory.states[ml.EventDrift] = ml.NotificationState{
		Topic: ml.EventDrift, LatestAt: e.At.Truncate(time.Millisecond), SendingUntil: b.now.Add(defaultLease), Revision: 1,
	}
	for tries := 0; b.deliver(t, e) > 0; tries++ {
		if b.now = b.now.Add(claimedWait); tries > 100 {
			t.Fatal("the claim does not run out")
		}
	}
	b.assertSent(t, "drift")
}

// A claim and a cooldown end in their time though the clock was set back by hours after they began.
func TestWaitsOutlastNoClockSetBack(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]ml.NotificationState{
		"claim":    {SendingUntil: setup(t).now.Add(3 * time.Hour)},
		"cooldown": {SentAt: setup(t).now.Add(3 * time.Hour), State: "stable"},
	} {
		b := setup(t)
		state.Topic, state.Revision = ml.EventDrift, 1
		b.memory.states[ml.EventDrift] = state
		start, e := b.now, b.drift("drift", b.now)
		most := map[string]time.Duration{"claim": defaultLease, "cooldown": 5 * time.Minute}[name]
		for wait := b.deliver(t, e); wait > 0; wait = b.deliver(t, e) {
			if b.now = b.now.Add(wait); b.now.Sub(start) > most {
				t.Fatalf("the %s lasts for more than %s", name, most)
			}
		}
		if b.now.Equal(start) {
			t.Errorf("the %s is not kept", name)
		}
		b.assertSent(t, "drift")
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, b.drift("drift", b.now))
	b.now = b.now.Add(-3 * time.Hour)
	e := b.drift("stable", b.now)
	wait := b.deliver(t, e)
	if wait <= 0 || wait > 5*time.Minute {
		t.Fatalf("asked to come again in %s, want no longer than the cooldown", wait)
	}
	b.memory.states[ml.EventDrift] = ml.NotificationState{ // told before the clock was set back
		Topic: ml.EventDrift, State: "drift", LatestAt: b.now.Add(3 * time.Hour), Revision: 9,
	}
	b.deliver(t, e)
	b.assertSent(t, "drift", "stable")
}

// What was sent while the worker was told to stop is recorded, or it would be sent again.
func TestStopWhileSending(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.outbox.hook = cancel
	e := b.drift("drift", b.now)
	if _, err := b.n.Deliver(ctx, e); err != nil {
		t.Fatal(err)
	}
	b.deliver(t, e)
	b.assertSent(t, "drift")
}

func TestStoreErrorIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.memory.fail = errors.New("disk full")
	if _, err := b.n.Deliver(t.Context(), b.drift("drift", b.now)); err == nil {
		t.Fatal("no error")
	}
	b.assertSent(t)
}

func TestWithoutASender(t *testing.T) {
	t.Parallel()
	log := &bytes.Buffer{}
	m := &memory{states: make(map[ml.EventTopic]ml.NotificationState)}
	n, err := New(Options{States: m, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if wait, err := n.Deliver(t.Context(), ml.Event{Topic: ml.EventHealth, State: "down", Title: "The API is down", At: time.Now()}); wait != 0 || err != nil {
		t.Fatalf("wait %s err %v", wait, err)
	}
	if !strings.Contains(log.String(), "The API is down") || m.states[ml.EventHealth].State != "down" {
		t.Errorf("log %q state %+v, want the event in both", log, m.states[ml.EventHealth])
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	m := &memory{}
	for name, o := range map[string]Options{
		"no states":        {},
		"endless cooldown": {States: m, Cooldown: 24 * 365 * time.Hour},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A test message is sent each time that it is asked for, leaves no state behind, and says what came of it.
func TestTestMessages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := ml.Event{Topic: ml.EventTest, State: "asked", Title: "Test message", At: b.now}
	for range 2 {
		if wait, err := b.n.Deliver(t.Context(), e); wait != 0 || err != nil {
			t.Errorf("%v, %v", wait, err)
		}
	}
	if len(b.outbox.states()) != 2 || len(b.memory.states) != 0 {
		t.Errorf("sent %v, states %v", b.outbox.states(), b.memory.states)
	}
	n, err := New(Options{States: b.memory})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Deliver(t.Context(), e); ml.CodeOf(err) != ml.CodeUnprocessed {
		t.Errorf("without a webhook: %v", err)
	}
}
