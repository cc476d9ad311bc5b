package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

// execute writes to the database as somebody else would.
func execute(tb testing.TB, s *Store, query string, args ...any) {
	tb.Helper()
	if _, err := s.writer.ExecContext(tb.Context(), query, args...); err != nil {
		tb.Fatal(err)
	}
}

func TestFiguresOfADay(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	day := now.Add(-24 * time.Hour)
	empty, err := s.Figures(t.Context(), day)
	if err != nil || empty.Predictions != 0 || empty.ActiveUsers != 0 || empty.DriftToBetter != nil || len(empty.Datasets) != 0 {
		t.Fatalf("of an empty folder: %+v, %v", empty, err)
	}
	old, justBefore, fresh := day.Add(-100*time.Hour), day.Add(-time.Second), day.Add(time.Hour)
	users := []struct {
		role, login any
		active      bool
	}{{"admin", stamp(old), true}, {"user", stamp(fresh), true}, {"clerk", nil, true}, {nil, nil, true}, {"user", nil, false}}
	for i, u := range users {
		execute(t, s, "INSERT INTO users (id, username, email, password_hash, salt, role, is_active, last_login) VALUES (?, ?, ?, '', '', ?, ?, ?)",
			i+1, fmt.Sprint("u", i), fmt.Sprint("e", i), u.role, u.active, u.login)
	}
	// User 1 predicted long ago, user 3 today, and ids have gaps.
	for id, row := range map[int]struct {
		user int
		at   time.Time
	}{3: {1, old}, 4: {1, justBefore}, 9: {3, day}, 10: {3, fresh}, 11: {3, now}} {
		execute(t, s, "INSERT INTO prediction_logs (id, user_id, created_at) VALUES (?, ?, ?)", id, row.user, stamp(row.at))
	}
	for i, r := range []struct {
		verdict, reason string
		at              time.Time
	}{
		{"activated", "manual", old},
		{"rejected", "drift", fresh},
		{"activated", "drift", fresh.Add(time.Minute)},
		{"rejected", "drift", now},
		{"rejected", "drift", now},
	} {
		execute(t, s, "INSERT INTO model_training_logs (id, model_version, verdict, trigger_reason, job_id, created_at) VALUES (?, ?, ?, ?, ?, ?)",
			i+1, fmt.Sprint("v", i), r.verdict, r.reason, 70+i, stamp(r.at))
	}
	execute(t, s, "INSERT INTO activations (version, action, actor, created_at) VALUES ('v2', 'activate', 'job 72', ?), ('v2', 'activate', 'ann', ?)",
		stamp(fresh.Add(time.Minute)), stamp(now))
	for i := range 300 { // a check every 30 s; the one that asked for job 72 began 20 s before its end
		at, job := fresh.Add(time.Duration(i-150)*30*time.Second), 0
		if i == 151 {
			at, job = fresh.Add(40*time.Second), 72
		}
		execute(t, s, "INSERT INTO drift_detections (drift, details, created_at) VALUES (1, ?, ?)", fmt.Sprintf(`{"job_id":%d}`, job), stamp(at))
	}
	for i, d := range []struct {
		source, state string
		rows          int
	}{{"generated", "ready", 10}, {"imported", "ready", 33}, {"generated", "ready", 20}, {"generated", "building", 99}} {
		execute(t, s, "INSERT INTO datasets (generation_id, source, state, samples_count, class0_count, class1_count) VALUES (?, ?, ?, ?, ?, ?)",
			i+1, d.source, d.state, d.rows, d.rows-3, 3)
	}

	got, err := s.Figures(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	took := 20 * time.Second
	want := ml.Figures{
		Predictions: 3, ActiveUsers: 2, DriftToBetter: &took,
		Users:    map[ml.Role]int64{ml.RoleAdmin: 1, ml.RoleUser: 3},
		Retrains: map[string]int64{"activated": 1, "rejected": 3},
		Datasets: map[ml.DatasetSource]ml.DatasetFigures{
			ml.SourceGenerated: {Count: 2, Latest: ml.Dataset{Source: ml.SourceGenerated, Samples: 20, ClassCounts: [2]int{17, 3}}},
			ml.SourceImported:  {Count: 1, Latest: ml.Dataset{Source: ml.SourceImported, Samples: 33, ClassCounts: [2]int{30, 3}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	// A check that waited for the retraining knows better than whole seconds.
	execute(t, s, `UPDATE drift_detections SET details = '{"job_id":72,"new_version":"v2","duration_seconds":0.25}' WHERE details LIKE '%:72}'`)
	if got, err = s.Figures(t.Context(), day); err != nil || *got.DriftToBetter != 250*time.Millisecond {
		t.Errorf("better after %v, %v; want the quarter of a second that the check took", got.DriftToBetter, err)
	}
	recap, err := s.Recap(t.Context())
	wantRecap := ml.RetrainRecap{RejectedInARow: 2, Last: map[string]time.Time{"activated": fresh.Add(time.Minute), "rejected": now}}
	if diff := cmp.Diff(wantRecap, recap); diff != "" || err != nil {
		t.Errorf("recap (-want +got):\n%s %v", diff, err)
	}
}

// The logs grow by use, so none of them may be read from end to end.
func TestFiguresReadNoLogFromEndToEnd(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	for _, q := range []struct {
		query string
		args  []any
	}{
		{maxPrediction, nil},
		{maxTraining, nil},
		{maxCheck, nil},
		{nextPrediction, []any{1}},
		{nextTraining, []any{1}},
		{nextCheck, []any{1}},
		{activeUsers, []any{"2026-01-01", 1}},
		{usersByRole, nil},
		{retrainsSince, []any{1}},
		{datasetsReady, nil},
		{newestDataset, []any{"imported"}},
		{rejectedInARow, nil},
		{lastTraining, []any{"rejected"}},
		{lastDriftTraining, nil},
		{activatedAt, []any{"v1", "job 1"}},
		{checkOfJob, []any{1, 2, 3}},
	} {
		for _, step := range plan(t, s, q.query, q.args...) {
			for _, table := range []string{"prediction_logs", "model_training_logs", "drift_detections"} {
				if strings.HasPrefix(step, "SCAN "+table) {
					t.Errorf("%s\n%s", q.query, step)
				}
			}
		}
	}
}

func plan(t *testing.T, s *Store, query string, args ...any) (steps []string) {
	t.Helper()
	rows, err := s.reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// BenchmarkFigures reads them of a log of 2,000,000 predictions, half of them of the last day.
func BenchmarkFigures(b *testing.B) {
	s, err := Open(b.Context(), Options{Path: filepath.Join(b.TempDir(), "test.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	const rows = 2_000_000
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	execute(b, s, "INSERT INTO users (id, username, email, password_hash, salt, is_active) VALUES (1, 'u', 'e', '', '', 1), (2, 'v', 'f', '', '', 1)")
	execute(b, s, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO prediction_logs (id, user_id, created_at) SELECT i, 1 + (i < 10), datetime(?, ((i - ?) * 2 * 86400.0 / ?) || ' seconds') FROM n`,
		rows, now.Format(timeLayout), rows, rows)
	b.ReportAllocs()
	for b.Loop() {
		f, err := s.Figures(b.Context(), now.Add(-24*time.Hour))
		if err != nil || f.Predictions < rows/2-100 || f.Predictions > rows/2+100 || f.ActiveUsers != 1 {
			b.Fatalf("%+v, %v", f, err)
		}
	}
}
