package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/ml"
	"iacontinu/internal/outbox"
)

var start = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

// shelf keeps deliveries as the store does.
type shelf struct {
	waiting      []ml.Delivery
	errors       map[int64]string
	unsubscribed bool
}

func (s *shelf) BeginDelivery(ctx context.Context, _ ml.Service) (ml.Delivery, error) {
	if ctx.Err() != nil {
		return ml.Delivery{}, ctx.Err()
	}
	if len(s.waiting) == 0 {
		return ml.Delivery{}, ml.Errorf(ml.CodeNotFound, "nothing is owed")
	}
	s.waiting[0].Attempts++
	return s.waiting[0], nil
}

func (s *shelf) NoteDelivery(_ context.Context, id int64, notes json.RawMessage) error {
	s.waiting[s.index(id)].Notes = notes
	return nil
}

func (s *shelf) FailDelivery(_ context.Context, id int64, why string) error {
	s.errors[id] = why
	return nil
}

func (s *shelf) EndDelivery(ctx context.Context, id int64) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.waiting = slices.Delete(s.waiting, s.index(id), s.index(id)+1)
	return nil
}

func (s *shelf) RefuseDelivery(ctx context.Context, d ml.Delivery, why string) error {
	s.errors[d.ID] = why
	return s.EndDelivery(ctx, d.ID)
}

func (s *shelf) ExpireDeliveries(_ context.Context, service ml.Service, before time.Time) (int64, error) {
	n := len(s.waiting)
	s.waiting = slices.DeleteFunc(s.waiting, func(d ml.Delivery) bool { return d.Service == service && d.CreatedAt.Before(before) })
	return int64(n - len(s.waiting)), nil
}

func (s *shelf) Backlog(context.Context, ml.Service) (ml.Backlog, bool, error) {
	b := ml.Backlog{Waiting: int64(len(s.waiting))}
	if b.Waiting > 0 {
		b.Oldest = s.waiting[0].CreatedAt
	}
	return b, !s.unsubscribed, nil
}

func (s *shelf) index(id int64) int {
	return slices.IndexFunc(s.waiting, func(d ml.Delivery) bool { return d.ID == id })
}

func (s *shelf) owe(kinds ...string) {
	for _, kind := range kinds {
		s.waiting = append(s.waiting, ml.Delivery{ID: int64(len(s.waiting) + 1), Service: ml.ServiceMLflow, Kind: kind, CreatedAt: start})
	}
}

func setup(t *testing.T, now time.Time, deliver outbox.DeliverFunc) (*outbox.Outbox, *shelf, *prometheus.Registry) {
	t.Helper()
	s, registry := &shelf{errors: map[int64]string{}}, prometheus.NewPedanticRegistry()
	o, err := outbox.New(outbox.Options{
		Deliveries: s, Services: map[ml.Service]outbox.DeliverFunc{ml.ServiceMLflow: deliver},
		Clock: func() time.Time { return now }, Registerer: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	return o, s, registry
}

func TestAllThatIsOwedIsDeliveredInOrder(t *testing.T) {
	var got []string
	o, s, registry := setup(t, start, func(_ context.Context, d ml.Delivery, _ outbox.Save) error {
		got = append(got, d.Kind)
		return nil
	})
	s.owe("run", "aliases", "run")
	retryAfter, err := o.Deliver(t.Context(), ml.ServiceMLflow)
	if err != nil || retryAfter != 0 {
		t.Errorf("retry after %s, error %v", retryAfter, err)
	}
	if diff := cmp.Diff([]string{"run", "aliases", "run"}, got); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	want := `# HELP iacontinu_outbox_waiting Deliveries that a service is owed, the same in every worker: take the maximum.
# TYPE iacontinu_outbox_waiting gauge
iacontinu_outbox_waiting{service="mlflow"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "iacontinu_outbox_waiting"); err != nil {
		t.Error(err)
	}
}

type busy time.Duration

func (busy) Error() string               { return "429 Too Many Requests" }
func (b busy) RetryAfter() time.Duration { return time.Duration(b) }

// A service that says when to come again is asked then, and after half a minute whatever it says.
func TestAServiceSaysWhenToComeAgain(t *testing.T) {
	var says time.Duration
	o, s, _ := setup(t, start, func(context.Context, ml.Delivery, outbox.Save) error {
		return fmt.Errorf("tell of a run: %w", busy(says))
	})
	s.owe("run")
	for _, tt := range []struct{ says, want time.Duration }{{0, time.Second}, {20 * time.Second, 20 * time.Second}, {3 * time.Second, 4 * time.Second}, {time.Hour, 30 * time.Second}} {
		says = tt.says
		if wait, err := o.Deliver(t.Context(), ml.ServiceMLflow); wait != tt.want || err != nil {
			t.Errorf("it says %s: %s, %v; want %s", tt.says, wait, err, tt.want)
		}
	}
}

// A service that is away stops the line: what comes later may build on what came before.
func TestAServiceThatIsAwayIsAskedAgainAtMostEveryHalfMinute(t *testing.T) {
	calls := 0
	o, s, _ := setup(t, start, func(context.Context, ml.Delivery, outbox.Save) error {
		calls++
		return errors.New("connection refused")
	})
	s.owe("run", "aliases")
	var waits []time.Duration
	for range 7 {
		wait, err := o.Deliver(t.Context(), ml.ServiceMLflow)
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, wait)
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if calls != 7 || len(s.waiting) != 2 || s.errors[1] != "connection refused" {
		t.Errorf("%d calls, %d wait, errors %v", calls, len(s.waiting), s.errors)
	}
}

func TestNotesAreThereAtTheNextTry(t *testing.T) {
	o, s, _ := setup(t, start, func(ctx context.Context, d ml.Delivery, save outbox.Save) error {
		if string(d.Notes) == `"half"` && d.Attempts == 2 {
			return nil
		}
		return errors.Join(save(ctx, json.RawMessage(`"half"`)), errors.New("reset by peer"))
	})
	s.owe("run")
	for range 2 {
		if _, err := o.Deliver(t.Context(), ml.ServiceMLflow); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.waiting) != 0 {
		t.Errorf("%+v waits", s.waiting)
	}
}

// Another worker may be set to speak to a service; if none is, nobody waits.
func TestAServiceThatThisWorkerDoesNotKnow(t *testing.T) {
	o, s, _ := setup(t, start, func(context.Context, ml.Delivery, outbox.Save) error { return errors.New("not asked") })
	for _, subscribed := range []bool{true, false} {
		s.unsubscribed = !subscribed
		wait, err := o.Deliver(t.Context(), ml.ServicePrefect)
		if err != nil || (wait > 0) != subscribed {
			t.Errorf("subscribed %v: wait %s, error %v", subscribed, wait, err)
		}
	}
}

type refusal struct{ error }

func (refusal) Permanent() bool { return true }

func TestWhatIsRefusedForGoodDoesNotStopTheLine(t *testing.T) {
	o, s, registry := setup(t, start, func(_ context.Context, d ml.Delivery, _ outbox.Save) error {
		if d.Kind == "bad" {
			return refusal{errors.New("400")}
		}
		return nil
	})
	s.owe("bad", "run")
	if wait, err := o.Deliver(t.Context(), ml.ServiceMLflow); err != nil || wait != 0 || len(s.waiting) != 0 {
		t.Errorf("wait %s, error %v, %d wait", wait, err, len(s.waiting))
	}
	if diff := cmp.Diff(map[int64]string{1: "400"}, s.errors); diff != "" {
		t.Errorf("written down as refused (-want +got):\n%s", diff)
	}
	if n := counted(t, registry, "refused"); n != 1 {
		t.Errorf("%v counted as refused", n)
	}
}

func TestWhatNobodyTookIn30DaysIsDroppedAndCounted(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		drops int
	}{{30*24*time.Hour - time.Second, 0}, {30*24*time.Hour + time.Second, 3}} {
		o, s, registry := setup(t, start.Add(c.after), func(context.Context, ml.Delivery, outbox.Save) error {
			return errors.New("connection refused")
		})
		s.owe("run", "run", "flowrun")
		s.waiting[2].Service = ml.ServicePrefect // which this worker is not set to tell
		if err := o.Expire(t.Context()); err != nil || len(s.waiting) != 3-c.drops {
			t.Errorf("after %s: error %v, %d wait, want %d dropped", c.after, err, len(s.waiting), c.drops)
		}
		if n := counted(t, registry, "expired"); n != float64(c.drops) {
			t.Errorf("after %s: %v counted as expired, want %d", c.after, n, c.drops)
		}
	}
}

// What was made while the worker was told to stop is not made again at the next start.
func TestAStoppingWorkerSettlesWhatWasMade(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o, s, _ := setup(t, start, func(context.Context, ml.Delivery, outbox.Save) error {
		cancel()
		return nil
	})
	s.owe("run", "aliases")
	if _, err := o.Deliver(ctx, ml.ServiceMLflow); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(s.waiting) != 1 || s.waiting[0].Kind != "aliases" {
		t.Errorf("%+v waits", s.waiting)
	}
}

func TestAStoppingWorkerSettlesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o, s, _ := setup(t, start, func(ctx context.Context, _ ml.Delivery, _ outbox.Save) error {
		cancel()
		return ctx.Err()
	})
	s.owe("run")
	if _, err := o.Deliver(ctx, ml.ServiceMLflow); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if len(s.waiting) != 1 || len(s.errors) != 0 {
		t.Errorf("%d wait, errors %v", len(s.waiting), s.errors)
	}
}

func counted(t *testing.T, registry *prometheus.Registry, outcome string) (n float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "iacontinu_outbox_deliveries_total" && l.GetValue() == outcome {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}
