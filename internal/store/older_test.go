package store

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

// idsOf are those of a list.
func idsOf[T any](all []T, total int64, err error, id func(T) int64) ([]int64, int64, error) {
	var ids []int64
	for _, x := range all {
		ids = append(ids, id(x))
	}
	return ids, total, err
}

// manyRows fills each list with n rows, of which the one with the id n-1 is of another user, another event or not ready.
func manyRows(t *testing.T, s *Store, n int) {
	t.Helper()
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
	execute(t, s, "INSERT INTO users (id, username, email, password_hash, salt) VALUES (5, 'ann', 'a', '', ''), (6, 'bob', 'b', '', '')")
	for _, insert := range []string{
		"INSERT INTO datasets (generation_id, samples_count, state) SELECT i, 1, iif(i = ?, 'building', 'ready') FROM n",
		"INSERT INTO models (id, version, reason) SELECT i, 'v' || i, iif(i = ?, 'x', 'y') FROM n",
		"INSERT INTO model_training_logs (id, model_version) SELECT i, iif(i = ?, 'x', 'y') FROM n",
		"INSERT INTO drift_detections (id, detection_method) SELECT i, iif(i = ?, 'x', 'y') FROM n",
		"INSERT INTO system_logs (id, level, event_type, user_id) SELECT i, 'INFO', iif(i = ?, 'logout', 'login'), 5 FROM n",
		"INSERT INTO prediction_logs (id, user_id, model_version) SELECT i, iif(i = ?, 6, 5), 'v1' FROM n",
	} {
		execute(t, s, numbers+insert, n, n-1)
	}
	execute(t, s, "INSERT INTO prediction_stats VALUES (5, 'v1', ?, 0, 0), (6, 'v1', 1, 0, 0)", n-1)
}

// Each list goes on from the last one that was read, to the first there is, and counts all of them on the way.
func TestListsGoOn(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	manyRows(t, s, 5)
	ctx := t.Context()
	all, but4 := []int64{5, 4, 3, 2, 1}, []int64{5, 3, 2, 1}
	for name, tt := range map[string]struct {
		read func(before int64, limit int) ([]int64, int64, error)
		want []int64
	}{
		"datasets": {func(before int64, limit int) ([]int64, int64, error) {
			list, total, err := s.ListDatasets(ctx, before, limit)
			return idsOf(list, total, err, func(d ml.Dataset) int64 { return d.ID })
		}, but4},
		"versions": {func(before int64, limit int) ([]int64, int64, error) {
			list, total, err := s.VersionsBefore(ctx, before, limit)
			return idsOf(list, total, err, func(v ml.Version) int64 { return v.ID })
		}, all},
		"retrainings": {func(before int64, limit int) ([]int64, int64, error) {
			list, total, err := s.TrainingsBefore(ctx, before, limit)
			return idsOf(list, total, err, func(r ml.TrainingRecord) int64 { return r.ID })
		}, all},
		"checks": {func(before int64, limit int) ([]int64, int64, error) {
			list, total, err := s.DriftBefore(ctx, before, limit)
			return idsOf(list, total, err, func(r ml.DriftReport) int64 { return r.ID })
		}, all},
		"entries of an event": {func(before int64, limit int) ([]int64, int64, error) {
			list, total, err := s.AuditLog(ctx, ml.AuditFilter{EventType: "login", Before: before}, limit)
			return idsOf(list, total, err, func(e ml.AuditEntry) int64 { return e.ID })
		}, but4},
		"predictions of a user": {func(before int64, limit int) ([]int64, int64, error) {
			list, total, err := s.History(ctx, HistoryFilter{UserID: 5, Before: before, Limit: limit})
			return idsOf(list, total, err, func(p ml.LoggedPrediction) int64 { return p.RowID })
		}, but4},
		"predictions": {func(before int64, limit int) ([]int64, int64, error) {
			list, total, err := s.History(ctx, HistoryFilter{Before: before, Limit: limit})
			return idsOf(list, total, err, func(p ml.LoggedPrediction) int64 { return p.RowID })
		}, all},
	} {
		var got []int64
		for before := int64(0); ; before = got[len(got)-1] {
			ids, total, err := tt.read(before, 2)
			if err != nil || total != int64(len(tt.want)) || len(ids) > 2 {
				t.Errorf("%s before %d: %v of %d, %v", name, before, ids, total, err)
			}
			if len(ids) == 0 || len(got) > len(tt.want) {
				break
			}
			got = append(got, ids...)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: read %v, want %v", name, got, tt.want)
		}
	}
}

// However far a list is read, an index leads to the next part of it, in the list's order.
func TestListsGoOnByAnIndex(t *testing.T) {
	t.Parallel()
	s := openInternal(t, filepath.Join(t.TempDir(), "test.db"))
	read := s.read.WithContext(t.Context())
	for want, q := range map[string]*gorm.DB{
		"SEARCH datasets USING INDEX sqlite_autoindex_datasets_1 (generation_id<?)":       older(read.Table("datasets").Where("state = 'ready'"), "generation_id", 9, 50),
		"SEARCH models USING INTEGER PRIMARY KEY (rowid<?)":                               older(read.Table("models"), "id", 9, 50),
		"SEARCH model_training_logs USING INTEGER PRIMARY KEY (rowid<?)":                  older(read.Table("model_training_logs"), "id", 9, 50),
		"SEARCH drift_detections USING INTEGER PRIMARY KEY (rowid<?)":                     older(read.Table("drift_detections"), "id", 9, 50),
		"SEARCH system_logs USING INTEGER PRIMARY KEY (rowid<?)":                          older(read.Table("system_logs"), "id", 9, 50),
		"SEARCH system_logs USING INDEX system_logs_event (event_type=? AND rowid<?)":     older(read.Table("system_logs").Where("event_type = 'login'"), "id", 9, 50),
		"SEARCH system_logs USING INDEX system_logs_user (user_id=? AND rowid<?)":         older(read.Table("system_logs").Where("user_id = 5"), "id", 9, 50),
		"SEARCH prediction_logs USING INTEGER PRIMARY KEY (rowid<?)":                      older(read.Table("prediction_logs"), "id", 9, 50),
		"SEARCH prediction_logs USING INDEX prediction_logs_user (user_id=? AND rowid<?)": older(read.Table("prediction_logs").Where("user_id = 5"), "id", 9, 50),
	} {
		query := s.read.ToSQL(func(*gorm.DB) *gorm.DB { return q.Session(&gorm.Session{DryRun: true}).Find(&[]map[string]any{}) })
		if got := strings.Join(plan(t, s, query), "; "); got != want {
			t.Errorf("%s\nis answered by %s, want %s", query, got, want)
		}
	}
}
