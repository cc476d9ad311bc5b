package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

const (
	defaultCooldown = 5 * time.Minute
	defaultLease    = time.Minute
	// maxConflicts is how often a state is read again that another worker changed meanwhile.
	maxConflicts = 20
	// settleTimeout bounds the recording of what was sent, which goes on when the worker stops.
	settleTimeout = 5 * time.Second
)

// states is the part of the store that remembers what people were told. A stored state is guarded by
// its revision, see ml.NotificationState, for two workers may speak of one topic at once.
type states interface {
	NotificationState(ctx context.Context, topic ml.EventTopic) (ml.NotificationState, error)
	SetNotificationState(ctx context.Context, s ml.NotificationState) error
}

// sender tells people of an event. An error may have the methods of refusal.
type sender interface {
	Send(ctx context.Context, e ml.Event) error
}

// refusal is what a sender's error may say about the next try, so that no sender is imported.
type refusal interface {
	error
	RetryAfter() time.Duration
	Permanent() bool
}

// MaxCooldown is the longest time between two messages of one topic.
const MaxCooldown = 7 * 24 * time.Hour

// Options configure a Notifier.
type Options struct {
	States states // required
	// Sender is nil where nobody wants to be told; what would be sent is then logged.
	Sender sender
	// Cooldown is the least time between two messages of one topic; 0 means 5 minutes, negative none, at
	// most a week.
	Cooldown time.Duration
	// Lease is how long a worker has a topic for itself while it sends, which must be longer than the
	// sender tries. It runs out by itself if the worker dies. 0 means a minute.
	Lease time.Duration
	// Language is what people are told in: en, which is the default, or fr.
	Language   string
	Clock      func() time.Time // nil means time.Now
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil registers nothing
}

func (o Options) withDefaults() Options {
	o.Cooldown = cmp.Or(o.Cooldown, defaultCooldown)
	o.Lease = cmp.Or(o.Lease, defaultLease)
	o.Language = cmp.Or(o.Language, wording.Codes()[0])
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.States == nil:
		return errors.New("notify: Options.States is required")
	case o.Cooldown > MaxCooldown:
		return fmt.Errorf("notify: Options.Cooldown is %s, want at most %s", o.Cooldown, MaxCooldown)
	case !slices.Contains(wording.Codes(), o.Language):
		return fmt.Errorf("notify: Options.Language is %q, want one of %s", o.Language, strings.Join(wording.Codes(), ", "))
	case o.Lease < 0:
		return fmt.Errorf("notify: Options.Lease is %s, want 0 or more", o.Lease)
	}
	return nil
}

// Notifier tells people of changes. It may be used by many goroutines.
type Notifier struct {
	options Options
	metrics *metrics
	words   *wording.Language
}

// New returns a Notifier.
func New(o Options) (*Notifier, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("notify: register metrics: %w", err)
	}
	return &Notifier{options: o, metrics: m, words: wording.In(o.Language)}, nil
}

// Deliver tells people of an event if it is still news. A positive retryAfter with a nil error asks to
// be called again with the same event after that time, an error at a time of the caller's choice.
func (n *Notifier) Deliver(ctx context.Context, e ml.Event) (retryAfter time.Duration, err error) {
	var d decision
	e = worded(n.words, e)
	if e.Topic == ml.EventTest {
		return 0, n.test(ctx, e)
	}
	err = n.change(ctx, e.Topic, func(s ml.NotificationState) ml.NotificationState {
		d = decide(s, e, n.options.Clock(), n.options.Cooldown, n.options.Lease)
		return d.next
	})
	if err != nil {
		return 0, err
	}
	if d.step != stepSend {
		n.metrics.count(e.Topic, string(d.step))
		return d.wait, nil
	}
	return n.send(ctx, e)
}

// test sends a message that somebody waits for: whatever its outcome, it is final and has words.
func (n *Notifier) test(ctx context.Context, e ml.Event) error {
	if n.options.Sender == nil {
		return refused(nil, "error.no_receiver", nil)
	}
	if err := n.tell(ctx, e); err != nil {
		n.metrics.count(e.Topic, outcomeDropped)
		return refused(err, "error.refused", map[string]any{"error": err.Error()})
	}
	n.metrics.count(e.Topic, outcomeSent)
	return nil
}

// send sends, with the topic claimed, and settles the claim.
func (n *Notifier) send(ctx context.Context, e ml.Event) (retryAfter time.Duration, err error) {
	var refused refusal
	err = n.tell(ctx, e)
	permanent := errors.As(err, &refused) && refused.Permanent()
	told := err == nil

	settleCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	settled := n.change(settleCtx, e.Topic, func(s ml.NotificationState) ml.NotificationState {
		s.SendingUntil = time.Time{}
		if told || permanent {
			s.State = e.State
		}
		if told {
			s.SentAt = stored(n.options.Clock())
		}
		return s
	})
	switch {
	case told:
		n.metrics.count(e.Topic, outcomeSent)
	case permanent:
		n.metrics.count(e.Topic, outcomeDropped)
		n.options.Logger.ErrorContext(ctx, "a message was refused for good and is dropped", "topic", e.Topic, "state", e.State, "title", e.Title, "error", err)
	case refused != nil && refused.RetryAfter() > 0:
		n.metrics.count(e.Topic, outcomeLimited)
		return refused.RetryAfter(), nil // the claim, if not settled, runs out by itself
	default:
		n.metrics.count(e.Topic, outcomeFailed)
		return 0, fmt.Errorf("notify: send %s %s: %w", e.Topic, e.State, err)
	}
	return 0, settled
}

func (n *Notifier) tell(ctx context.Context, e ml.Event) error {
	if n.options.Sender == nil {
		n.options.Logger.InfoContext(ctx, "event, sent to nobody because no receiver is set", "topic", e.Topic, "state", e.State, "title", e.Title, "text", e.Text)
		return nil
	}
	return n.options.Sender.Send(ctx, e)
}

// change replaces the state of a topic, again from the start if another worker was faster.
func (n *Notifier) change(ctx context.Context, topic ml.EventTopic, f func(ml.NotificationState) ml.NotificationState) error {
	for range maxConflicts {
		s, err := n.options.States.NotificationState(ctx, topic)
		if ml.CodeOf(err) == ml.CodeNotFound {
			s, err = ml.NotificationState{}, nil
		}
		if err != nil {
			return fmt.Errorf("notify: read what was told about %s: %w", topic, err)
		}
		s.Topic = topic
		next := f(s)
		if next == s {
			return nil
		}
		err = n.options.States.SetNotificationState(ctx, next)
		if err == nil {
			return nil
		}
		if ml.CodeOf(err) != ml.CodeConflict {
			return fmt.Errorf("notify: record what was told about %s: %w", topic, err)
		}
	}
	return ml.Errorf(ml.CodeUnavailable, "other workers keep changing what was told about %s", topic)
}
