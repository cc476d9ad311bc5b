package store

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

func TestChampion(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for i, a := range []struct {
		version, actor string
		previous       int
	}{{"v1", "job 1", 0}, {"v2", "job 2", 1}, {"v1", "ann", 1}, {"v4", "job 4", 3}} { // one a minute
		execute(t, s, "INSERT INTO activations (version, action, actor, previous, created_at) VALUES (?, 'activate', ?, ?, ?)",
			a.version, a.actor, a.previous, stamp(noon.Add(time.Duration(i)*time.Minute)))
	}
	for _, tt := range []struct {
		version string
		job     int64
		verdict ml.Verdict
		after   time.Duration
		want    string
	}{
		{"v0", 9, ml.VerdictRejected, -time.Minute, ""},
		{"v1", 1, ml.VerdictActivated, 0, ""},
		{"v2", 2, ml.VerdictActivated, time.Minute - 2*time.Second, "v1"}, // the transaction had to wait
		{"v3", 3, ml.VerdictRejected, 90 * time.Second, "v2"},
		{"v4", 4, ml.VerdictActivated, 3 * time.Minute, "v1"},
		{"v5", 5, ml.VerdictRejected, time.Hour, "v4"},
	} {
		got, err := s.Champion(t.Context(), ml.TrainingRecord{Version: tt.version, JobID: tt.job, Verdict: tt.verdict, CreatedAt: noon.Add(tt.after)})
		if got != tt.want || err != nil {
			t.Errorf("%s was compared with %q, %v; want %q", tt.version, got, err, tt.want)
		}
	}
	for query, args := range map[string][]any{
		belowActivation: {1, 2, "v", "job 1"}, activationBefore: {3},
		"SELECT * FROM model_training_logs WHERE model_version = ? ORDER BY id DESC LIMIT 1": {"v"},
	} {
		if steps := strings.Join(plan(t, s, query, args...), "\n"); strings.Contains(steps, "SCAN a") || strings.Contains(steps, "SCAN model_training_logs") {
			t.Errorf("%s\n%s", query, steps)
		}
	}
}
