package service

import (
	"testing"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/queue"
)

// What is told is the retraining that ended last, not the one that was asked for last.
func TestWhichRetrainingEndedLast(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	failed := queue.FailedRetrains{Last: noon.Add(300 * time.Millisecond), LastJob: 5}
	for name, tt := range map[string]struct {
		at   time.Time
		job  int64
		want bool
	}{
		"a later job had ended before":   {noon.Add(-time.Minute), 6, false},
		"an earlier job ended after":     {noon.Add(time.Minute), 4, true},
		"a later job in the same second": {noon, 6, true},
		"an earlier job in that second":  {noon, 4, false},
	} {
		if got := endedAfter(ml.TrainingRecord{CreatedAt: tt.at, JobID: tt.job}, failed); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
