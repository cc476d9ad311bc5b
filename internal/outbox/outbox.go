package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

const (
	defaultMaxAge = 30 * 24 * time.Hour
	// maxBackoff is the longest time between two tries.
	maxBackoff = 30 * time.Second
	// settleTimeout bounds the writing down of what became of a try, which goes on when the worker stops.
	settleTimeout = 5 * time.Second
	maxTraced     = 8
)

// deliveries is the part of the store that keeps what is owed.
type deliveries interface {
	// BeginDelivery returns the oldest delivery of a service, CodeNotFound if there is none.
	BeginDelivery(ctx context.Context, service ml.Service) (ml.Delivery, error)
	NoteDelivery(ctx context.Context, id int64, notes json.RawMessage) error
	FailDelivery(ctx context.Context, id int64, why string) error
	EndDelivery(ctx context.Context, id int64) error
	RefuseDelivery(ctx context.Context, d ml.Delivery, why string) error
	ExpireDeliveries(ctx context.Context, service ml.Service, before time.Time) (int64, error)
	Backlog(ctx context.Context, service ml.Service) (b ml.Backlog, subscribed bool, err error)
}

// Save keeps what a deliverer wants to know should the delivery be tried again.
type Save func(ctx context.Context, notes json.RawMessage) error

// DeliverFunc makes one delivery. It may be called again for one that was made in part, or whole: notes
// and attempts of the delivery tell. An error that has a method Permanent() bool that returns true
// makes the delivery dropped.
type DeliverFunc func(ctx context.Context, d ml.Delivery, save Save) error

// Options configure an Outbox.
type Options struct {
	Deliveries deliveries // required
	// Services say who is told, and how.
	Services map[ml.Service]DeliverFunc
	// MaxAge is how old a delivery may become, 0 means 30 days.
	MaxAge     time.Duration
	Clock      func() time.Time // nil means time.Now
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil registers nothing
}

func (o Options) withDefaults() Options {
	o.MaxAge = cmp.Or(o.MaxAge, defaultMaxAge)
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
	case o.Deliveries == nil:
		return errors.New("outbox: Options.Deliveries is required")
	case o.MaxAge < time.Minute:
		return fmt.Errorf("outbox: Options.MaxAge is %s, want at least 1m", o.MaxAge)
	}
	return nil
}

// Outbox tells services what they are owed.
type Outbox struct {
	options Options
	metrics *metrics
}

// New returns an Outbox.
func New(o Options) (*Outbox, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o)
	if err != nil {
		return nil, fmt.Errorf("outbox: register metrics: %w", err)
	}
	return &Outbox{options: o, metrics: m}, nil
}

// Deliver tells a service all that it is owed, oldest first, until nothing is left or a try fails: it
// then asks to be called again after retryAfter, at most 30 s. An error means that the store failed. No
// two calls for one service may overlap.
func (o *Outbox) Deliver(ctx context.Context, service ml.Service) (retryAfter time.Duration, err error) {
	deliver, known := o.options.Services[service]
	if !known {
		return o.notHere(ctx, service)
	}
	for {
		d, err := o.options.Deliveries.BeginDelivery(ctx, service)
		if ml.CodeOf(err) == ml.CodeNotFound {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		retryAfter, err := o.try(ctx, d, deliver)
		if err != nil || retryAfter > 0 {
			return retryAfter, err
		}
	}
}

// try makes one delivery and settles it.
func (o *Outbox) try(ctx context.Context, d ml.Delivery, deliver DeliverFunc) (retryAfter time.Duration, err error) {
	started := o.options.Clock()
	failure := traced(ctx, d, func(ctx context.Context) error { return o.deliver(ctx, d, deliver) })
	o.metrics.duration.WithLabelValues(string(d.Service)).Observe(o.options.Clock().Sub(started).Seconds())
	if ctx.Err() != nil && failure != nil {
		return 0, ctx.Err() // the worker stops; it is tried again at the next start
	}
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	switch {
	case failure == nil:
		o.metrics.count(d.Service, outcomeDelivered)
		return 0, o.options.Deliveries.EndDelivery(settle, d.ID)
	case permanent(failure):
		o.metrics.count(d.Service, outcomeRefused)
		o.options.Logger.ErrorContext(ctx, "a delivery was refused for good and is dropped", "service", d.Service, "kind", d.Kind, "delivery", d.ID, "error", failure)
		return 0, o.options.Deliveries.RefuseDelivery(settle, d, failure.Error())
	}
	o.metrics.count(d.Service, outcomeFailed)
	if bits.OnesCount(uint(d.Attempts)) == 1 { // the 1st, 2nd, 4th, 8th...: it fails every half minute
		o.options.Logger.WarnContext(ctx, "a delivery failed and will be tried again", "service", d.Service, "kind", d.Kind, "delivery", d.ID, "attempt", d.Attempts, "error", failure)
	}
	return wait(d.Attempts, failure), o.options.Deliveries.FailDelivery(settle, d.ID, failure.Error())
}

// deliver hands a delivery to who makes it.
func (o *Outbox) deliver(ctx context.Context, d ml.Delivery, deliver DeliverFunc) error {
	return deliver(ctx, d, func(ctx context.Context, notes json.RawMessage) error {
		return o.options.Deliveries.NoteDelivery(ctx, d.ID, notes)
	})
}

// traced runs a try in the trace of who owes it. After maxTraced tries it does so no more: a service may be
// away for weeks, and a trace is to have an end.
func traced(ctx context.Context, d ml.Delivery, try func(context.Context) error) error {
	if d.Attempts > maxTraced {
		d.Trace = ""
	}
	ctx, span := tracing.Resume(ctx, d.Trace, "deliver "+string(d.Service)+" "+d.Kind)
	err := try(ctx)
	tracing.End(span, err)
	return err
}

// wait is 1, 2, 4, 8, 16 and then 30 seconds, or as much of that as the service asks for.
func wait(attempts int, failure error) time.Duration {
	backoff := time.Second << min(max(attempts-1, 0), 5)
	var busy interface{ RetryAfter() time.Duration }
	if errors.As(failure, &busy) {
		backoff = max(backoff, busy.RetryAfter())
	}
	return min(maxBackoff, backoff)
}

// notHere is for a service that this worker is not set to speak to: another one may be, if anybody is.
func (o *Outbox) notHere(ctx context.Context, service ml.Service) (retryAfter time.Duration, err error) {
	_, subscribed, err := o.options.Deliveries.Backlog(ctx, service)
	if err != nil || !subscribed {
		return 0, err
	}
	return maxBackoff, nil
}

// Expire drops what is too old to be of use, also of a service that nobody tells any more.
func (o *Outbox) Expire(ctx context.Context) error {
	var errs []error
	for _, service := range ml.Services() {
		errs = append(errs, o.expire(ctx, service))
	}
	return errors.Join(errs...)
}

func (o *Outbox) expire(ctx context.Context, service ml.Service) error {
	n, err := o.options.Deliveries.ExpireDeliveries(ctx, service, o.options.Clock().Add(-o.options.MaxAge))
	if n > 0 {
		o.metrics.deliveries.WithLabelValues(string(service), outcomeExpired).Add(float64(n))
		o.options.Logger.ErrorContext(ctx, "deliveries that nobody took are dropped", "service", service, "deliveries", n, "older_than", o.options.MaxAge.String())
	}
	return err
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	var refused interface{ Permanent() bool }
	return errors.As(err, &refused) && refused.Permanent()
}
