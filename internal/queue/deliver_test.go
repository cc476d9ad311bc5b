package queue

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// openOutbox makes a table of what one service is owed, in the queue's own database so that a
// transaction covers both.
func openOutbox(t *testing.T, b *testBundle) {
	t.Helper()
	if _, err := b.db.ExecContext(t.Context(), "CREATE TABLE owed (id INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
}

func oweOne(t *testing.T, b *testBundle) {
	t.Helper()
	tx, err := b.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO owed DEFAULT VALUES"); err != nil {
		t.Fatal(err)
	}
	if err := b.q.EnqueueDeliveryTx(t.Context(), tx, ml.ServiceMLflow); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func isOwed(ctx context.Context, tx *sql.Tx, _ ml.Service) (owed bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM owed)").Scan(&owed)
	return owed, err
}

// Whoever owes something while the job runs joins that job, which must not end without having looked.
func TestWhatIsOwedAtTheLastMomentIsDelivered(t *testing.T) {
	b := setup(t)
	openOutbox(t, b)
	oweOne(t, b)
	delivered := make(chan int64, 2)
	late := true
	work(t, b.q, Handlers{
		Deliver: func(ctx context.Context, _ ml.Service) (time.Duration, error) {
			res, err := b.db.ExecContext(ctx, "DELETE FROM owed")
			if err != nil {
				return 0, err
			}
			if late {
				late = false
				oweOne(t, b)
			}
			n, err := res.RowsAffected()
			delivered <- n
			return 0, err
		},
		Owed: isOwed,
	})
	for range 2 {
		if n := receive(t, delivered, "a delivery"); n != 1 {
			t.Errorf("%d delivered, want 1", n)
		}
	}
}

func TestOneDeliveryAtATimeToAService(t *testing.T) {
	b := setup(t)
	openOutbox(t, b)
	for range 5 {
		oweOne(t, b)
	}
	var running, most atomic.Int32
	done := make(chan struct{})
	work(t, b.q, Handlers{
		Deliver: func(ctx context.Context, _ ml.Service) (time.Duration, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			_, err := b.db.ExecContext(ctx, "DELETE FROM owed WHERE id = (SELECT min(id) FROM owed)")
			return 0, err
		},
		Owed: func(ctx context.Context, tx *sql.Tx, s ml.Service) (bool, error) {
			owed, err := isOwed(ctx, tx, s)
			if err == nil && !owed {
				close(done)
			}
			return owed, err
		},
	})
	receive(t, done, "the last delivery")
	if most.Load() != 1 {
		t.Errorf("%d deliveries at once", most.Load())
	}
}

func TestAFailedDeliveryIsTriedAgain(t *testing.T) {
	b := setup(t)
	openOutbox(t, b)
	oweOne(t, b)
	var tries atomic.Int32
	done := make(chan struct{})
	work(t, b.q, Handlers{
		Deliver: func(ctx context.Context, _ ml.Service) (time.Duration, error) {
			switch tries.Add(1) {
			case 1:
				return 0, errors.New("database is locked")
			case 2:
				return time.Millisecond, nil
			}
			_, err := b.db.ExecContext(ctx, "DELETE FROM owed")
			close(done)
			return 0, err
		},
		Owed: isOwed,
	})
	receive(t, done, "the third try")
}
