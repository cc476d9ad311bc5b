package store_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

// Of many runners, in two processes as it were, one gets the slot.
func TestSlotIsClaimedOnce(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for slot := int64(1); slot <= 5; slot++ {
		var claims atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				first, err := s.ClaimSlot(t.Context(), slot)
				if err != nil {
					t.Error(err)
				}
				if first {
					claims.Add(1)
				}
			})
		}
		wg.Wait()
		if claims.Load() != 1 {
			t.Errorf("slot %d was claimed %d times", slot, claims.Load())
		}
	}
	// Claims of long ago are forgotten, those of now are not.
	if first, err := s.ClaimSlot(t.Context(), 1_000_000); err != nil || !first {
		t.Error(first, err)
	}
	if first, err := s.ClaimSlot(t.Context(), 1_000_000); err != nil || first {
		t.Error(first, err)
	}
	var kept int
	ok(t, s.Writer().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM check_slots").Scan(&kept))
	if kept != 1 {
		t.Errorf("%d claims are kept, want 1", kept)
	}
}

func TestChecksAreRecorded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	steps := 3.5
	want := ml.DriftReport{
		Slot: 77, ModelVersion: "v1", Method: "statistical", TriggerValue: 0.001, Threshold: 0.05, Drift: true,
		Action: ml.ActionRetrained, CreatedAt: at(2026, 1, 2, 3, 4, 5, 0),
		Details: ml.CheckDetails{
			Scores: []ml.FeatureScore{{Feature: "feature1", KS: 0.5, PValue: 0.001, PSI: 0.3, Drift: true}},
			Rows:   500, JobID: 3, NewVersion: "v2", Duration: 1.5,
			AccuracyTrend: &ml.Trend{Slope: -0.1, R2: 0.9, N: 5, StepsToCross: &steps, Limit: 0.8},
			ScoreTrends:   map[string]ml.Trend{"feature1": {Slope: 0.1}},
		},
	}
	var err error
	want.ID, err = s.RecordCheck(ctx, want)
	ok(t, err)
	_, err = s.RecordCheck(ctx, want)
	wantCode(t, err, ml.CodeConflict)
	byHand := ml.DriftReport{Method: "random", Action: ml.ActionNone, CreatedAt: want.CreatedAt}
	for range 2 {
		byHand.ID, err = s.RecordCheck(ctx, byHand) // slot 0 may come again
		ok(t, err)
	}
	got, total, err := s.DriftHistory(ctx, 1)
	ok(t, err)
	if diff := cmp.Diff([]ml.DriftReport{byHand}, got); diff != "" || total != 3 {
		t.Errorf("newest of %d (-want +got):\n%s", total, diff)
	}
	got, _, err = s.DriftHistory(ctx, 10)
	ok(t, err)
	if diff := cmp.Diff(want, got[2]); diff != "" {
		t.Errorf("check (-want +got):\n%s", diff)
	}
	got, total, err = s.DriftBefore(ctx, byHand.ID-1, 10)
	ok(t, err)
	if diff := cmp.Diff([]ml.DriftReport{want}, got); diff != "" || total != 3 {
		t.Errorf("older than another, of %d (-want +got):\n%s", total, diff)
	}
}

func TestNotificationState(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	got, err := s.NotificationState(ctx, ml.EventDrift)
	ok(t, err)
	if got != (ml.NotificationState{Topic: ml.EventDrift}) {
		t.Errorf("told nothing yet: %v", got)
	}
	want := ml.NotificationState{
		Topic: ml.EventDrift, SentAt: at(2026, 1, 2, 3, 4, 5, 6e6), LatestAt: at(2026, 1, 2, 3, 4, 5, 7e6),
		SendingUntil: at(2026, 1, 2, 3, 5, 5, 8e6),
	}
	for _, want.State = range []string{"drift", "stable"} {
		ok(t, s.SetNotificationState(ctx, want))
		stale := want
		want.Revision++
		if got, err = s.NotificationState(ctx, ml.EventDrift); err != nil || got != want {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
		stale.State = "of another writer"
		wantCode(t, s.SetNotificationState(ctx, stale), ml.CodeConflict)
		if got, err = s.NotificationState(ctx, ml.EventDrift); err != nil || got != want {
			t.Errorf("after a stale write: %v, %v, want %v", got, err, want)
		}
	}
}
