package apiserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"iacontinu/internal/ml"
)

// Every list goes on before the last one that it gave, by the id that its answer has, and counts all; without the
// parameter it begins with the newest.
func TestListsGoOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.datasetRows, b.versionRows = nil, nil
	for id := int64(5); id > 0; id-- {
		v := testVersion(fmt.Sprint("v", id))
		v.ID = id
		b.versionRows = append(b.versionRows, v)
		b.datasetRows = append(b.datasetRows, ml.Dataset{ID: id, Schema: ml.GeneratedSchema()})
		b.reports = append(b.reports, ml.DriftReport{ID: id})
		b.trained = append(b.trained, ml.TrainingRecord{ID: id})
		b.audits = append(b.audits, ml.AuditEntry{ID: 6 - id})
		b.logged = append(b.logged, ml.Prediction{UserID: 1})
	}
	for path, l := range map[string]struct {
		list, id, total string
		oldestFirst     bool // as the fake logs predictions
	}{
		"/datasets/list":           {"datasets", "generation_id", "total_datasets", false},
		"/models":                  {"models", "id", "total", false},
		"/drift/history":           {"drift_detections", "id", "total", false},
		"/training/history":        {"trainings", "id", "total", false},
		"/logs/system":             {"logs", "id", "total", false},
		"/predictions/history":     {"predictions", "id", "total", true},
		"/predictions/history/all": {"predictions", "id", "total", true},
	} {
		read := func(query string) (ids []int64) {
			r := b.send(t, "GET", path+query, "admin", "")
			var answer map[string]json.RawMessage
			if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.StatusCode != 200 {
				t.Fatalf("%s%s: %d %s", path, query, r.StatusCode, r.body)
			}
			var rows []map[string]any
			if err := json.Unmarshal(answer[l.list], &rows); err != nil || string(answer[l.total]) != "5" {
				t.Errorf("%s%s: %s of %s, %v", path, query, answer[l.list], answer[l.total], err)
			}
			for _, row := range rows {
				ids = append(ids, int64(row[l.id].(float64)))
			}
			if l.oldestFirst {
				slices.Reverse(ids)
			}
			return ids
		}
		for query, want := range map[string][]int64{"": {5, 4, 3, 2, 1}, "?before=3": {2, 1}, "?before=1": nil, "?before=9223372036854775807": {5, 4, 3, 2, 1}} {
			if got := read(query); !slices.Equal(got, want) {
				t.Errorf("%s%s: %v, want %v", path, query, got, want)
			}
		}
		if got := read("?before=4&limit=1"); len(got) != 1 || !l.oldestFirst && got[0] != 3 {
			t.Errorf("%s: %v, want the next alone", path, got)
		}
		for _, query := range []string{"?before=0", "?before=-1", "?before=v2", "?before=3&limit=1001", "?before=9223372036854775808"} {
			problem(t, b.send(t, "GET", path+query, "admin", ""), 422)
		}
	}
}
