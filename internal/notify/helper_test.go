package notify

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// memory keeps states as the store does: to the millisecond, guarded by the revision.
type memory struct {
	mu     sync.Mutex
	states map[ml.EventTopic]ml.NotificationState
	before func() // called before each write, with the lock not held
	fail   error  // returned by each write
}

func (m *memory) NotificationState(_ context.Context, topic ml.EventTopic) (ml.NotificationState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.states[topic]
	if !ok {
		return s, ml.Errorf(ml.CodeNotFound, "nothing was told about %s", topic)
	}
	return s, nil
}

func (m *memory) SetNotificationState(ctx context.Context, s ml.NotificationState) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.before != nil {
		m.before()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.states[s.Topic].Revision != s.Revision {
		return ml.Errorf(ml.CodeConflict, "changed meanwhile")
	}
	s.Revision++
	for _, t := range []*time.Time{&s.SentAt, &s.LatestAt, &s.SendingUntil} {
		*t = t.Round(time.Millisecond)
	}
	m.states[s.Topic] = s
	return nil
}

// outbox is a sender that remembers, and fails with what is in errs, first come first served.
type outbox struct {
	mu   sync.Mutex
	sent []ml.Event
	errs []error
	hook func()
}

func (o *outbox) Send(_ context.Context, e ml.Event) error {
	if o.hook != nil {
		o.hook()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.errs) > 0 {
		err := o.errs[0]
		o.errs = o.errs[1:]
		return err
	}
	o.sent = append(o.sent, e)
	return nil
}

func (o *outbox) states() (s []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.sent {
		s = append(s, e.State)
	}
	return s
}

type refusalError struct {
	after     time.Duration
	permanent bool
}

func (e refusalError) Error() string             { return "refused" }
func (e refusalError) RetryAfter() time.Duration { return e.after }
func (e refusalError) Permanent() bool           { return e.permanent }

// testBundle is a notifier with a clock that stands still until it is moved.
type testBundle struct {
	n      *Notifier
	memory *memory
	outbox *outbox
	log    *bytes.Buffer
	now    time.Time
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{
		memory: &memory{states: make(map[ml.EventTopic]ml.NotificationState)},
		outbox: &outbox{}, log: &bytes.Buffer{},
		now: time.Date(2026, 5, 1, 12, 0, 0, 123789456, time.UTC),
	}
	b.n = b.notifier(t)
	return b
}

func (b *testBundle) notifier(t *testing.T) *Notifier {
	t.Helper()
	n, err := New(Options{
		States: b.memory, Sender: b.outbox, Cooldown: 5 * time.Minute,
		Clock: func() time.Time { return b.now }, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *testBundle) drift(state string, at time.Time) ml.Event {
	return ml.Event{Topic: ml.EventDrift, State: state, Title: state, At: at}
}

// deliver delivers an event that must not fail.
func (b *testBundle) deliver(t *testing.T, e ml.Event) (retryAfter time.Duration) {
	t.Helper()
	retryAfter, err := b.n.Deliver(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return retryAfter
}

func (b *testBundle) assertSent(t *testing.T, want ...string) {
	t.Helper()
	if got := b.outbox.states(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("people were told %v, want %v", got, want)
	}
}
