package retrain

import (
	"testing"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

func TestSeenByChampion(t *testing.T) {
	t.Parallel()
	sets := func(rows ...int) (parts []part) {
		for i, n := range rows {
			parts = append(parts, part{dataset: ml.Dataset{ID: int64(i + 1), Samples: n}, rows: n})
		}
		return parts
	}
	newest := func(n, of int) (rows []int) {
		for i := of - n; i < of; i++ {
			rows = append(rows, i)
		}
		return rows
	}
	for name, c := range map[string]struct {
		champion *logreg.Artifact
		parts    []part
		held     []int
		want     int
	}{
		"no champion":                       {nil, sets(100), newest(20, 100), 0},
		"the same data and seed":            {&logreg.Artifact{DataFingerprint: "now", Seed: 1, DatasetIDs: []int64{1}}, sets(100), newest(20, 100), 0},
		"the same data, another seed":       {&logreg.Artifact{DataFingerprint: "now", Seed: 2, DatasetIDs: []int64{1}}, sets(100), newest(20, 100), 20},
		"newer data only":                   {&logreg.Artifact{DatasetIDs: []int64{1}}, sets(100, 100), newest(40, 200), 0},
		"a fresh dataset smaller than that": {&logreg.Artifact{DatasetIDs: []int64{1}}, sets(100, 10), newest(22, 110), 12},
		"the champion's own holdout":        {&logreg.Artifact{DatasetIDs: []int64{1, 2}, HoldoutSamples: 40}, sets(100, 100, 10), newest(42, 210), 0},
		"beyond the champion's own holdout": {&logreg.Artifact{DatasetIDs: []int64{1, 2}, HoldoutSamples: 15}, sets(100, 100, 10), newest(42, 210), 17},
		"a holdout over two datasets":       {&logreg.Artifact{DatasetIDs: []int64{1, 2}, HoldoutSamples: 15}, sets(100, 10, 2), newest(22, 112), 5},
		"its newest dataset was deleted":    {&logreg.Artifact{DatasetIDs: []int64{1, 9}, HoldoutSamples: 40}, sets(100), newest(20, 100), 20},
		"scattered rows":                    {&logreg.Artifact{DatasetIDs: []int64{1}}, sets(5, 5), []int{0, 4, 5, 9}, 2},
	} {
		j := &job{parts: c.parts, fingerprint: "now", seed: 1, champion: champion{artifact: c.champion}, sides: sides{rows: c.held}}
		total := 0
		for _, p := range c.parts {
			total += p.rows
		}
		j.data = numbered(make([]uint8, total))
		if got := j.seenByChampion(); got != c.want {
			t.Errorf("%s: %d rows, want %d", name, got, c.want)
		}
	}
}
