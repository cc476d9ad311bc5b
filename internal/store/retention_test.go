package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

func change(t *testing.T, s *store.Store, query string, args ...any) {
	t.Helper()
	_, err := s.Writer().ExecContext(t.Context(), query, args...)
	ok(t, err)
}

func TestProgressGoesWithItsJob(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for job := range int64(3) {
		ok(t, s.SetProgress(t.Context(), job+1, "data", 0.5))
	}
	ok(t, s.Prune(t.Context(), 3))
	for job, want := range map[int64]string{1: "", 2: "", 3: "data"} {
		if p, err := s.Progress(t.Context(), job); err != nil || p.Step != want {
			t.Errorf("job %d: %+v, %v; want step %q", job, p, err, want)
		}
	}
}

func TestTheOldestChecksAreForgotten(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, id := range []int64{1, 2, 3, 100_002} {
		change(t, s, "INSERT INTO drift_detections (id, created_at) VALUES (?, '2026-01-02 03:04:05')", id)
	}
	ok(t, s.Prune(t.Context(), 0))
	checks, total, err := s.DriftHistory(t.Context(), 10)
	if err != nil || total != 2 || checks[0].ID != 100_002 || checks[1].ID != 3 {
		t.Errorf("%d checks, %v (%v); want the latest 100,000, which are 3 and 100002", total, checks, err)
	}
}

// The sums stay those of the rows; only which version of the past it was is no more told.
func TestStatsOfRemovedVersionsAreFolded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	ann := addUser(t, s, "ann").ID
	change(t, s, "INSERT INTO models (version, is_active) VALUES ('kept', 1)")
	log := func(id string, user int64, version string) {
		t.Helper()
		ok(t, s.Log(ctx, &ml.Prediction{ID: id, UserID: user, ModelVersion: version, Features: []float64{1, 2}, Confidence: 0.75}))
	}
	log("a", ann, "kept")
	log("b", ann, "gone")
	log("c", ann, "gone too")
	log("d", 0, "gone")
	log("e", 0, "") // as the earlier system could
	before, err := s.Stats(ctx, 0)
	ok(t, err)
	ok(t, s.Prune(ctx, 0))
	log("f", ann, "gone") // answered while the version went
	ok(t, s.Prune(ctx, 0))
	ok(t, s.Prune(ctx, 0))
	for user, want := range map[int64]map[string]int64{
		0:   {"": 1, "kept": 1, "(removed)": 4},
		ann: {"kept": 1, "(removed)": 3},
	} {
		got, err := s.Stats(ctx, user)
		ok(t, err)
		if diff := cmp.Diff(want, got.ByModel); diff != "" || got.AverageConfidence != before.AverageConfidence {
			t.Errorf("user %d: %+v (-want +got):\n%s", user, got, diff)
		}
	}
}
