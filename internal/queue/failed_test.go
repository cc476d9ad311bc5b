package queue

import (
	"context"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

func TestFailedRetrainingsAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := time.Now()
	for seed := range uint64(3) {
		b.enqueueRetrain(t, ml.RetrainArgs{Seed: seed + 1})
	}
	told := make(chan struct{}, 3)
	stop := work(t, b.q, Handlers{
		Retrain: func(_ context.Context, _ int64, _ time.Time, args ml.RetrainArgs) error {
			if args.Seed == 1 {
				return nil
			}
			return ml.Errorf(ml.CodeUnprocessed, "the dataset has one class")
		},
		RetrainFailed: func(context.Context, int64, time.Time, ml.RetrainArgs, error) error { told <- struct{}{}; return nil },
	})
	receive(t, told, "the first failure")
	receive(t, told, "the second failure")
	mustStop(t, stop)
	calledOff := b.enqueueRetrain(t, ml.RetrainArgs{Seed: 4})
	b.exec(t, `UPDATE river_job SET state = 'cancelled', finalized_at = datetime('now') WHERE id = ?`, calledOff)

	f, err := b.q.FailedRetrains(t.Context(), before.Add(-time.Second))
	if err != nil || f.Count != 2 || f.LastJob != calledOff-1 {
		t.Errorf("%+v, %v; want 2 with job %d the last: one of three went well, and a fourth was called off", f, err, calledOff-1)
	}
	if f.Last.Before(before.Add(-2*time.Second)) || f.Last.After(time.Now().Add(time.Second)) {
		t.Errorf("the last failed at %v, want just now", f.Last)
	}
	if f, err := b.q.FailedRetrains(t.Context(), time.Now().Add(time.Hour)); f != (FailedRetrains{}) || err != nil {
		t.Errorf("in the future %+v, %v", f, err)
	}
}

// The jobs of other kinds are many.
func TestFailedRetrainingsAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows, err := b.q.options.Reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+failedSQL, "2026-01-01 00:00:00", "retrain")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var plan string
		if err := rows.Scan(&id, &parent, &unused, &plan); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(plan, "SCAN") {
			t.Error(plan)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
