package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// schemaVersion is the number of the newest migration.
const schemaVersion = 10

func at(year int, month time.Month, day, hour, minute, sec, nsec int) time.Time {
	return time.Date(year, month, day, hour, minute, sec, nsec, time.UTC)
}

// legacyFile makes a file of the earlier system.
func legacyFile(t *testing.T, tables string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ia_continu_solution.db")
	db, err := sql.Open("sqlite3", path)
	ok(t, err)
	for _, file := range []string{tables, "legacy_rows.sql"} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		ok(t, err)
		if _, err := db.ExecContext(t.Context(), string(text)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	ok(t, db.Close())
	return path
}

// A file of the earlier system opens, and every row of it is there.
func TestLegacyFileIsReadable(t *testing.T) {
	t.Parallel()
	for _, tables := range []string{"legacy_sqlalchemy.sql", "legacy_sqlite3.sql"} {
		t.Run(tables, func(t *testing.T) {
			t.Parallel()
			path := legacyFile(t, tables)
			s := open(t, path)
			checkLegacyUsers(t, s)
			checkMigration(t, s.Migration(), store.Migration{To: schemaVersion, Legacy: map[string]int64{
				"users": 2, "datasets": 2, "dataset_samples": 5, "models": 2, "prediction_logs": 3,
				"drift_detections": 1, "model_training_logs": 2, "system_logs": 2,
			}})
			checkLegacyData(t, s)
			checkLegacyModels(t, s)
			checkLegacyPredictions(t, s)
			checkLegacyLogs(t, s)
			ok(t, s.Close())
			s = open(t, path) // a second time there is nothing to migrate
			checkLegacyUsers(t, s)
			checkMigration(t, s.Migration(), store.Migration{From: schemaVersion, To: schemaVersion})
		})
	}
}

func TestMigrationOfANewFile(t *testing.T) {
	t.Parallel()
	checkMigration(t, open(t, filepath.Join(t.TempDir(), "new.db")).Migration(), store.Migration{To: schemaVersion})
}

func checkMigration(t *testing.T, got, want store.Migration) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("migration (-want +got):\n%s", diff)
	}
}

func checkLegacyUsers(t *testing.T, s *store.Store) {
	t.Helper()
	users, err := s.Users(t.Context())
	ok(t, err)
	want := []ml.User{
		{
			ID: 1, Username: "admin", Email: "admin@example.org", Role: ml.RoleAdmin, Active: true, LoginCount: 12,
			CreatedAt: at(2025, 7, 14, 8, 0, 0, 123456000), LastLogin: at(2025, 7, 15, 9, 30, 0, 0),
		},
		{ID: 2, Username: "testuser", Email: "test@example.org", Role: ml.RoleUser},
	}
	if diff := cmp.Diff(want, users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	c, err := s.Credentials(t.Context(), "admin")
	ok(t, err)
	if len(c.PasswordHash) != 64 || len(c.Salt) != 64 {
		t.Errorf("hash %q, salt %q", c.PasswordHash, c.Salt)
	}
}

func checkLegacyData(t *testing.T, s *store.Store) {
	t.Helper()
	got, total, err := s.Datasets(t.Context(), 10)
	ok(t, err)
	base := ml.Dataset{State: ml.DatasetReady, Source: ml.SourceGenerated, Schema: ml.GeneratedSchema()}
	first, second := base, base
	first.ID, first.Samples, first.Hour, first.CreatedAt = 1, 3, 8, at(2025, 7, 14, 8, 0, 0, 0)
	first.ClassCounts = [2]int{1, 2}
	second.ID, second.Samples, second.Hour, second.CreatedAt = 7, 2, 9, at(2025, 7, 14, 9, 0, 0, 500000000)
	second.ClassCounts = [2]int{0, 2}
	if diff := cmp.Diff([]ml.Dataset{second, first}, got); diff != "" || total != 2 {
		t.Errorf("%d datasets (-want +got):\n%s", total, diff)
	}
	newest, err := s.NewestDatasets(t.Context(), ml.GeneratedSchema().Key(), 1)
	ok(t, err)
	if len(newest) != 1 || newest[0].ID != 7 {
		t.Errorf("the newest of the generated schema is %v", newest)
	}
	// The rows of both lie between each other.
	cols, err := s.Samples(t.Context(), 1)
	ok(t, err)
	want := ml.Columns{Features: [][]float64{{0.5, 1, 3}, {-1.5, 2, 4}}, Target: []uint8{0, 1, 1}}
	if diff := cmp.Diff(want, cols); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	id, err := s.BeginDataset(t.Context(), ml.Dataset{Schema: ml.GeneratedSchema()})
	ok(t, err)
	if id != 8 {
		t.Errorf("the next dataset is %d, want 8", id)
	}
	ok(t, s.DropDataset(t.Context(), id))
}

func checkLegacyModels(t *testing.T, s *store.Store) {
	t.Helper()
	got, _, err := s.Versions(t.Context(), 10)
	ok(t, err)
	base := ml.Version{Status: ml.VersionReady, Schema: ml.GeneratedSchema(), DatasetIDs: []int64{}}
	first, second := base, base
	first.ID, second.ID = 1, 2
	first.Name, first.Accuracy, first.TrainingSamples = "v20250714-080000", 0.91, 1000
	first.CreatedAt = at(2025, 7, 14, 8, 0, 1, 500000000)
	second.Name, second.Accuracy, second.TrainingSamples = "v20250714-090000", 0.93, 2000
	if diff := cmp.Diff([]ml.Version{second, first}, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	// A pickle can't be served: none is active, so that a first version is trained.
	_, err = s.Active(t.Context())
	wantCode(t, err, ml.CodeNotFound)
}

func checkLegacyPredictions(t *testing.T, s *store.Store) {
	t.Helper()
	got, total, err := s.History(t.Context(), store.HistoryFilter{})
	ok(t, err)
	row := func(id, user int64, version string, f []float64, label int, c float64, ms float64, at time.Time) ml.LoggedPrediction {
		return ml.LoggedPrediction{RowID: id, Prediction: ml.Prediction{
			UserID: user, ModelVersion: version, Features: f, Label: label, Confidence: c,
			ResponseTime: time.Duration(ms * float64(time.Millisecond)), CreatedAt: at,
		}}
	}
	want := []ml.LoggedPrediction{
		row(3, 0, "v20250714-090000", []float64{0.5, 0.6}, 0, 0, 0, time.Time{}),
		row(2, 1, "v20250714-090000", []float64{0.3, 0.4}, 0, 0.5, 7.5, at(2025, 7, 14, 8, 0, 3, 999000000)),
		row(1, 1, "v20250714-080000", []float64{0.1, 0.2}, 1, 0.75, 12.5, at(2025, 7, 14, 8, 0, 2, 0)),
	}
	if diff := cmp.Diff(want, got); diff != "" || total != 3 {
		t.Errorf("%d predictions (-want +got):\n%s", total, diff)
	}
	stats, err := s.Stats(t.Context(), 1)
	ok(t, err)
	wantStats := ml.PredictionStats{
		Total: 2, ByModel: map[string]int64{"v20250714-080000": 1, "v20250714-090000": 1},
		AverageConfidence: 0.625, AverageResponseTime: 10 * time.Millisecond,
	}
	if diff := cmp.Diff(wantStats, stats); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func checkLegacyLogs(t *testing.T, s *store.Store) {
	t.Helper()
	checks, _, err := s.DriftHistory(t.Context(), 10)
	ok(t, err)
	wantChecks := []ml.DriftReport{{
		ID: 1, ModelVersion: "v20250714-080000", Method: "random", TriggerValue: 0.3, Threshold: 0.5, Drift: true,
		Action: "retrained", Details: ml.CheckDetails{Note: "drift detected by a random draw"},
		CreatedAt: at(2025, 7, 14, 8, 0, 4, 0),
	}}
	if diff := cmp.Diff(wantChecks, checks); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	trainings, _, err := s.TrainingHistory(t.Context(), 10)
	ok(t, err)
	before := 0.91
	wantTrainings := []ml.TrainingRecord{
		{ID: 2, Version: "v20250714-080000", Reason: "manual", TrainingSamples: 1000, AccuracyAfter: 0.91, Verdict: ml.VerdictActivated},
		{
			ID: 1, Version: "v20250714-090000", Reason: "drift", TrainingSamples: 2000, AccuracyBefore: &before,
			AccuracyAfter: 0.93, Duration: 1250 * time.Millisecond, MLflowRunID: "abc123",
			CreatedAt: at(2025, 7, 14, 9, 0, 0, 0), Verdict: ml.VerdictActivated,
		},
	}
	if diff := cmp.Diff(wantTrainings, trainings); diff != "" {
		t.Errorf("trainings (-want +got):\n%s", diff)
	}
	entries, total, err := s.AuditLog(t.Context(), ml.AuditFilter{}, 0)
	ok(t, err)
	wantEntries := []ml.AuditEntry{
		{ID: 2, Level: "WARNING", Component: "flow", EventType: "drift", Message: "drift detected", Details: `{"value":0.3}`},
		{ID: 1, Level: "INFO", Component: "api", EventType: "login", Message: "admin logged in", UserID: 1, CreatedAt: at(2025, 7, 14, 8, 0, 0, 0)},
	}
	if diff := cmp.Diff(wantEntries, entries); diff != "" || total != 2 {
		t.Errorf("%d audit entries (-want +got):\n%s", total, diff)
	}
}

// An upgraded file takes new rows in all its tables.
func TestLegacyFileIsWritable(t *testing.T) {
	t.Parallel()
	for _, tables := range []string{"legacy_sqlalchemy.sql", "legacy_sqlite3.sql"} {
		t.Run(tables, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			s := open(t, legacyFile(t, tables))
			u, err := s.CreateUser(ctx, ml.Credentials{User: ml.User{Username: "new", Email: "n@e.w"}, PasswordHash: "x"})
			ok(t, err)
			ok(t, s.RecordLogin(ctx, 2)) // its login_count is NULL
			if u, err := s.User(ctx, 2); err != nil || u.LoginCount != 1 || u.LastLogin.IsZero() {
				t.Errorf("after a first login: %+v, %v", u, err)
			}
			id := readyDataset(t, s, ml.Dataset{}, columns(10))
			finishRetrain(t, s, 1, "v1", true, id)
			ok(t, s.Log(ctx, &ml.Prediction{ID: "p", UserID: u.ID, ModelVersion: "v1", Features: []float64{1, 2}}))
			_, err = s.RecordCheck(ctx, ml.DriftReport{Slot: 9, ModelVersion: "v1", Method: "random"})
			ok(t, err)
			ok(t, s.Audit(ctx, ml.AuditEntry{Level: "INFO", Component: "api", EventType: "login", UserID: u.ID}))
			if err := s.DropDataset(ctx, 7); err != nil {
				t.Error(err)
			}
			cols, err := s.Samples(ctx, 1)
			ok(t, err)
			if cols.Len() != 3 {
				t.Errorf("dropping a dataset left its neighbour with %d rows of 3", cols.Len())
			}
		})
	}
}
