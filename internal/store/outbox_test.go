package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

func owe(t *testing.T, s *store.Store, kind string, payload any) {
	t.Helper()
	ok(t, s.Transaction(t.Context(), func(tx *sql.Tx) error {
		_, err := s.OweTx(t.Context(), tx, ml.ServiceMLflow, kind, payload)
		return err
	}))
}

func backlog(t *testing.T, s *store.Store) int64 {
	t.Helper()
	b, _, err := s.Backlog(t.Context(), ml.ServiceMLflow)
	ok(t, err)
	return b.Waiting
}

func TestNothingIsOwedToAServiceThatNobodyHasSet(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ok(t, s.Transaction(t.Context(), func(tx *sql.Tx) error {
		if owed, err := s.OweTx(t.Context(), tx, ml.ServiceMLflow, "run", 1); owed || err != nil {
			t.Errorf("owed %v, %v", owed, err)
		}
		return nil
	}))
	if n := backlog(t, s); n != 0 {
		t.Errorf("%d deliveries wait", n)
	}
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, true))
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, true)) // each worker does at its start
	owe(t, s, "run", 2)
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, false))
	owe(t, s, "run", 3)
	if n := backlog(t, s); n != 1 {
		t.Errorf("%d deliveries wait, want the one of the time between", n)
	}
	ok(t, s.Subscribe(t.Context(), ml.ServicePrefect, true))
	ok(t, s.Transaction(t.Context(), func(tx *sql.Tx) error {
		if _, err := s.OweTx(t.Context(), tx, ml.ServicePrefect, "flowrun", 4); err != nil {
			return err
		}
		for service, want := range map[ml.Service]bool{ml.ServiceMLflow: false, ml.ServicePrefect: true} {
			if owed, err := s.Owed(t.Context(), tx, service); err != nil || owed != want {
				t.Errorf("%s: owed %v, %v", service, owed, err)
			}
		}
		return nil
	}))
}

func TestDeliveriesComeInTheirOrderAndKeepWhatWasNoted(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, true))
	owe(t, s, "run", map[string]int{"job": 1})
	owe(t, s, "aliases", map[string]int{"job": 2})

	first, err := s.BeginDelivery(t.Context(), ml.ServiceMLflow)
	ok(t, err)
	ok(t, s.NoteDelivery(t.Context(), first.ID, json.RawMessage(`{"run_id":"r"}`)))
	ok(t, s.FailDelivery(t.Context(), first.ID, "connection refused"))
	b, subscribed, err := s.Backlog(t.Context(), ml.ServiceMLflow)
	ok(t, err)
	if b.Waiting != 2 || b.Error != "connection refused" || b.Oldest.IsZero() || !subscribed {
		t.Errorf("backlog %+v, subscribed %v", b, subscribed)
	}

	again, err := s.BeginDelivery(t.Context(), ml.ServiceMLflow)
	ok(t, err)
	want := first
	want.Attempts, want.Notes = 2, json.RawMessage(`{"run_id":"r"}`)
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the second try (-want +got):\n%s", diff)
	}
	if b, _, err := s.Backlog(t.Context(), ml.ServiceMLflow); err != nil || b.Error != "connection refused" {
		t.Errorf("while it is tried again, what is known of it is %+v, %v", b, err)
	}
	ok(t, s.EndDelivery(t.Context(), again.ID))
	next, err := s.BeginDelivery(t.Context(), ml.ServiceMLflow)
	ok(t, err)
	if next.Kind != "aliases" || next.ID <= first.ID {
		t.Errorf("next came %+v", next)
	}
	ok(t, s.EndDelivery(t.Context(), next.ID))
	_, err = s.BeginDelivery(t.Context(), ml.ServiceMLflow)
	wantCode(t, err, ml.CodeNotFound)
}

func TestWhatIsRefusedForGoodIsDroppedAndWrittenDown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := setup(t, func(o *store.Options) { o.Clock = func() time.Time { return now } })
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, true))
	owe(t, s, "run", 1)
	owe(t, s, "aliases", 2)
	d, err := s.BeginDelivery(t.Context(), ml.ServiceMLflow)
	ok(t, err)
	ok(t, s.RefuseDelivery(t.Context(), d, "the name is too long"))
	next, err := s.BeginDelivery(t.Context(), ml.ServiceMLflow)
	ok(t, err)
	if next.Kind != "aliases" {
		t.Errorf("next is %+v", next)
	}
	log, _, err := s.AuditLog(t.Context(), ml.AuditFilter{Level: "ERROR", Component: "worker"}, 0)
	ok(t, err)
	want := "mlflow refused a delivery (run) for good, which is dropped: the name is too long"
	if len(log) != 1 || log[0].Message != want || log[0].EventType != "mlflow_refused" || !log[0].CreatedAt.Equal(now) {
		t.Fatalf("the audit log has %+v", log)
	}
	if got, want := log[0].Details, `{"error":"the name is too long","kind":"run"}`; got != want {
		t.Errorf("its details are %s, want %s", got, want)
	}
	for _, c := range []struct {
		service ml.Service
		since   time.Time
		want    int64
	}{{ml.ServiceMLflow, now, 1}, {ml.ServiceMLflow, now.Add(time.Second), 0}, {ml.ServicePrefect, now, 0}} {
		if n, err := s.Refusals(t.Context(), c.service, c.since); err != nil || n != c.want {
			t.Errorf("%s refused %d since %s (%v), want %d", c.service, n, c.since, err, c.want)
		}
	}
}

func TestWhatWaitsIsReadByItsKind(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, true))
	owe(t, s, "run", 1)
	owe(t, s, "aliases", 2)
	owe(t, s, "run", 3)
	got, err := s.Waiting(t.Context(), ml.ServiceMLflow, "run")
	ok(t, err)
	if diff := cmp.Diff([]string{"1", "3"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsOwedInATransactionIsOwedIfItCommits(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, true))
	refused := errors.New("refused")
	err := s.Transaction(t.Context(), func(tx *sql.Tx) error {
		_, err := s.OweTx(t.Context(), tx, ml.ServiceMLflow, "run", 1)
		ok(t, err)
		owed, err := s.Owed(t.Context(), tx, ml.ServiceMLflow)
		ok(t, err)
		if !owed {
			t.Error("the transaction does not see what it owes")
		}
		return refused
	})
	if !errors.Is(err, refused) || backlog(t, s) != 0 {
		t.Errorf("error %v, %d wait", err, backlog(t, s))
	}
}

// A database has a name of its own from the start, and keeps it.
func TestInstallationsTellThemselvesApart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "platform.db")
	at := func(o *store.Options) { o.Path = path }
	var ids []string
	for _, s := range []*store.Store{setup(t, at), setup(t, at), setup(t)} {
		id, err := s.Installation(t.Context())
		ok(t, err)
		ids = append(ids, id)
	}
	if len(ids[0]) != 32 || ids[1] != ids[0] || ids[2] == ids[0] {
		t.Errorf("ids %q, want the first two equal", ids)
	}
}

func TestOldDeliveriesExpire(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := setup(t, func(o *store.Options) { o.Clock = func() time.Time { return now } })
	ok(t, s.Subscribe(t.Context(), ml.ServiceMLflow, true))
	owe(t, s, "run", 1)
	now = now.Add(time.Hour)
	owe(t, s, "run", 2)
	n, err := s.ExpireDeliveries(t.Context(), ml.ServiceMLflow, now)
	ok(t, err)
	if n != 1 || backlog(t, s) != 1 {
		t.Errorf("%d expired, %d are left", n, backlog(t, s))
	}
}

// The parts are read in the transaction that changes them, so that each delivery tells of its own moment.
func TestAliasesFollowGateActivationAndRollback(t *testing.T) {
	t.Parallel()
	s := setup(t)
	check := func(when string, want ml.Aliases) {
		t.Helper()
		got, err := s.Aliases(t.Context())
		ok(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("at first", ml.Aliases{})
	finishRetrain(t, s, 1, "v1", true)
	check("after the first version", ml.Aliases{Champion: "v1"})
	finishRetrain(t, s, 2, "v2", true)
	check("after the second", ml.Aliases{Champion: "v2", Previous: "v1"})
	rejected := outcome(3, "v3", false)
	rejected.Version.Status = ml.VersionRejected
	ok(t, s.FinishRetrain(t.Context(), rejected, nil))
	check("after a rejection", ml.Aliases{Champion: "v2", Challenger: "v3", Previous: "v1"})
	var within ml.Aliases
	_, err := s.Activate(t.Context(), "v3", "admin", func(tx *sql.Tx, _ ml.Version) (err error) {
		within, err = s.AliasesTx(context.Background(), tx)
		return err
	})
	ok(t, err)
	want := ml.Aliases{Champion: "v3", Previous: "v2"}
	if diff := cmp.Diff(want, within); diff != "" {
		t.Errorf("within the activation (-want +got):\n%s", diff)
	}
	_, err = s.Rollback(t.Context(), "admin", nil)
	ok(t, err)
	check("after the rollback", ml.Aliases{Champion: "v2", Challenger: "v3", Previous: "v1"})
}
