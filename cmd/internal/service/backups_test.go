package service

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func TestBackupsOverTheAPI(t *testing.T) {
	t.Parallel()
	b := newBackups(wire(t, "api", prometheus.NewRegistry()))
	if all, _, err := b.Backups(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("before the first: %+v, %v", all, err)
	}
	for i := range keptBackups { // older ones, and something that is none
		name := time.Date(2020, 1, 1+i, 0, 0, 0, 0, time.UTC).Format(backupName)
		if err := os.MkdirAll(filepath.Join(b.dir(), name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	mine := filepath.Join(b.dir(), "before-the-move")
	if err := os.Mkdir(mine, 0o750); err != nil {
		t.Fatal(err)
	}
	made, err := b.BackUp(t.Context())
	if err != nil || made.SizeBytes == 0 {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := os.Stat(filepath.Join(b.dir(), made.Name, "test.db")); err != nil {
		t.Error(err)
	}
	all, kept, err := b.Backups(t.Context())
	if err != nil || kept != keptBackups || len(all) != keptBackups || all[0] != made || all[keptBackups-1].Name != "20200102T000000Z" {
		t.Errorf("%+v, %v; want the new one first and the oldest gone", all, err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Errorf("what somebody else put there: %v", err)
	}
	b.making <- struct{}{}
	if _, err := b.BackUp(t.Context()); ml.CodeOf(err) != ml.CodeConflict {
		t.Errorf("a second at once: %v", err)
	}
}

// No setting that is shown tells a secret, in whichever way it was given.
func TestSettingsAreMasked(t *testing.T) {
	t.Parallel()
	var c APIConfig
	c.APISettings.Host, c.JWTSecret, c.TrackingURI = "127.0.0.1", "hush", "http://ann:hush@mlflow:5000"
	got := settingsOf(&c)
	for _, want := range []api.Setting{
		{Name: "API_HOST", Value: "127.0.0.1"}, {Name: "JWT_SECRET_KEY", Value: "(set)"}, {Name: "MLFLOW_TRACKING_URI", Value: "http://(set)@mlflow:5000"},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%+v is missing in %+v", want, got)
		}
	}
}
