package store

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iacontinu/internal/ml"
)

func TestTimeline(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) timestamp { return stamp(noon.Add(time.Duration(minutes) * time.Minute)) }
	execute(t, s, "INSERT INTO models (version, accuracy) VALUES ('v2', 0.93)")
	for i, seen := range []bool{true, false, true, true} { // at -60, -40, -20, 0
		execute(t, s, "INSERT INTO drift_detections (model_version, trigger_value, drift, action_taken, created_at) VALUES ('v1', ?, ?, 'retrained', ?)", float64(i)/10, seen, at(20*i-60))
	}
	execute(t, s, "INSERT INTO drift_detections (model_version, drift, action_taken, created_at) VALUES ('v1', 0, 'health_check_failed', ?)", at(2))
	execute(t, s, "INSERT INTO model_training_logs (model_version, trigger_reason, training_samples, accuracy_after, training_duration_seconds, verdict, created_at) VALUES ('v2', 'drift', 800, 0.93, 120, 'activated', ?)", at(3))
	execute(t, s, "INSERT INTO activations (version, action, actor, created_at) VALUES ('v2', 'activate', 'job 1', ?), ('v1', 'rollback', 'ann', ?)", at(3), at(8))
	execute(t, s, "INSERT INTO datasets (generation_id, source, state, samples_count, name, created_at) VALUES (1, 'generated', 'ready', 50, '', ?), (2, 'imported', 'ready', 60, 'x.csv', ?), (3, 'imported', 'building', 60, 'y.csv', ?)", at(-30), at(5), at(6))

	number := func(v float64) *float64 { return &v }
	event := func(minutes int, kind ml.HappeningKind, id int64, version string, value *float64, detail string) ml.Happening {
		return ml.Happening{At: at(minutes).Time, Kind: kind, ID: id, Version: version, Value: value, Detail: detail}
	}
	all := []ml.Happening{
		event(8, "rollback", 2, "v1", nil, ""), // a version that is gone has no accuracy any more
		event(5, "import", 2, "", number(60), "x.csv"),
		event(3, "swap", 1, "v2", number(0.93), ""),
		event(3, "verdict", 1, "v2", number(0.93), "activated"),
		event(2, "failed", 5, "v1", nil, "health_check_failed"),
		event(1, "retrain", 1, "v2", number(800), "drift"),
		event(0, "drift", 4, "v1", number(0.3), "retrained"),
		event(-20, "drift", 3, "v1", number(0.2), "retrained"),
		event(-30, "generate", 1, "", number(50), ""),
		event(-60, "drift", 1, "v1", number(0), "retrained"),
	}
	for name, tt := range map[string]struct {
		from, to int
		kinds    []ml.HappeningKind
		limit    int
		want     []ml.Happening
		more     bool
	}{
		"all of it":    {-600, 600, nil, 100, all, false},
		"the newest":   {-600, 600, nil, 3, all[:3], true},
		"just so many": {-600, 600, nil, 10, all, false},
		"a span":       {-30, 0, nil, 100, all[6:9], false},
		"kinds":        {-600, 600, []ml.HappeningKind{"swap", "import"}, 100, []ml.Happening{all[1], all[2]}, false},
		"no time":      {10, 20, nil, 100, nil, false},
	} {
		got, more, err := s.Timeline(t.Context(), at(tt.from).Time, at(tt.to).Time, tt.kinds, tt.limit)
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" || more != tt.more || err != nil {
			t.Errorf("%s: more is %v, %v (-want +got):\n%s", name, more, err, diff)
		}
	}
}

// The tables of the timeline grow by use, so none of them may be read from end to end.
func TestTimelineReadsNoLogFromEndToEnd(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	for _, c := range chapters {
		for query, args := range map[string][]any{c.maxID: nil, c.next: {1}, c.between: {1, 2, 3}} {
			for _, step := range plan(t, s, query, args...) {
				if strings.HasPrefix(step, "SCAN") {
					t.Errorf("%s\n%s", query, step)
				}
			}
		}
	}
	for _, c := range chapters {
		if steps := plan(t, s, c.between, 1, 2, 3); c.maxID == maxCheck && !strings.Contains(strings.Join(steps, "\n"), "drift_detections_seen") {
			t.Errorf("%s: checks without anything to tell are read: %v", c.kind, steps)
		}
	}
}

// What is asked for is found behind any number of other things that happened since, as an outage behind days of drift.
func TestTimelineFindsWhatIsRare(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for i := range 40 {
		at := stamp(noon.Add(time.Duration(i) * time.Minute))
		rare := i < 3
		execute(t, s, "INSERT INTO drift_detections (drift, action_taken, created_at) VALUES (?, ?, ?)", !rare, map[bool]string{true: "health_check_failed", false: "none"}[rare], at)
		execute(t, s, "INSERT INTO activations (version, action, actor, created_at) VALUES ('v1', ?, 'ann', ?)", map[bool]string{true: "rollback", false: "activate"}[rare], at)
		execute(t, s, "INSERT INTO datasets (generation_id, source, state, samples_count, created_at) VALUES (?, ?, 'ready', 5, ?)", i+1, map[bool]string{true: "imported", false: "generated"}[rare], at)
	}
	for _, kind := range []ml.HappeningKind{ml.HappenedFailed, ml.HappenedRollback, ml.HappenedImport} {
		for limit, want := range map[int]int{2: 2, 3: 3, 28: 3} {
			got, more, err := s.Timeline(t.Context(), noon, noon.Add(time.Hour), []ml.HappeningKind{kind}, limit)
			if len(got) != want || more != (limit == 2) || err != nil {
				t.Errorf("the newest %d of %s: %d, more: %t, %v", limit, kind, len(got), more, err)
			}
		}
	}
}

func TestTrainedOn(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	execute(t, s, "INSERT INTO models (version, dataset_ids, is_active) VALUES ('v1', '[1,2]', 0), ('v2', '[2,12]', 1), ('v3', '[3]', NULL)")
	for id, want := range map[int64]struct{ versions, active string }{1: {"v1", ""}, 2: {"v2 v1", "v2"}, 3: {"v3", ""}, 4: {"", ""}} {
		versions, active, err := s.TrainedOn(t.Context(), id)
		if strings.Join(versions, " ") != want.versions || active != want.active || err != nil {
			t.Errorf("dataset %d: %v and %q, %v; want %+v", id, versions, active, err, want)
		}
	}
}
