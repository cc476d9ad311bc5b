package store

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChecksOfASpan(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for i := range 100 {
		execute(t, s, `INSERT INTO drift_detections (details, created_at) VALUES ('{"rows":5}', ?)`, stamp(noon.Add(time.Duration(i)*time.Minute)))
	}
	all, total, err := s.Checks(t.Context(), noon, noon.Add(time.Hour), 1000)
	if err != nil || total != 61 || len(all) != 61 || all[0].ID != 1 || all[60].ID != 61 || all[7].Details.Rows != 5 {
		t.Errorf("%d of %d checks, %v", len(all), total, err)
	}
	some, total, err := s.Checks(t.Context(), noon, noon.Add(time.Hour), 10)
	if err != nil || total != 61 || len(some) != 10 || some[9].ID != 61 {
		t.Errorf("%d of %d checks, %v", len(some), total, err)
	}
	for i := range 9 {
		if gap := some[i+1].ID - some[i].ID; gap < 6 || gap > 7 {
			t.Errorf("check %d follows %d: not evenly spread", some[i+1].ID, some[i].ID)
		}
	}
	if none, total, err := s.Checks(t.Context(), noon.AddDate(1, 0, 0), noon.AddDate(2, 0, 0), 10); err != nil || len(none) != 0 || total != 0 {
		t.Errorf("%d of %d checks a year later, %v", len(none), total, err)
	}
	if one, err := s.Check(t.Context(), 7); err != nil || one.ID != 7 {
		t.Errorf("%+v, %v", one, err)
	}
}

func TestPredictionsUntilAMoment(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for i := range 20 {
		execute(t, s, "INSERT INTO prediction_logs (model_version, feature1, feature2, created_at) VALUES (?, ?, 0, ?)",
			[]string{"v1", "v2"}[i%2], float64(i), stamp(noon.Add(time.Duration(i)*time.Minute)))
	}
	columns, n, err := s.PredictionsUntil(t.Context(), "v1", noon.Add(9*time.Minute), 3, 2)
	if err != nil || n != 3 || !slices.Equal(columns[0], []float64{4, 6, 8}) {
		t.Errorf("%d rows %v, %v", n, columns, err)
	}
	for _, query := range []struct {
		text string
		args []any
	}{
		{windowQuery, []any{1, 2, "v", 3}},
		{"SELECT * FROM drift_detections WHERE id IN (?, ?) ORDER BY id", []any{1, 2}},
		{"SELECT * FROM drift_detections WHERE id BETWEEN ? AND ? ORDER BY id", []any{1, 2}},
	} {
		if steps := strings.Join(plan(t, s, query.text, query.args...), "\n"); strings.Contains(steps, "SCAN") {
			t.Errorf("%s\n%s", query.text, steps)
		}
	}
}
