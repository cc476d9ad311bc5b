package e2e

import (
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

// TestTheWorkersSettingsReachIt holds what each setting of the worker promises.
func TestTheWorkersSettingsReachIt(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := startUp(t, f, "TRAINING_WINDOW=500", "KEEP_VERSIONS=2", "KEEP_DATASETS=1")
	ready(t, p.url)
	client := login(t, p.url, "testuser", "test123")
	for seed := range 6 {
		// The same rows each time, so that each candidate is let in and the versions can be counted.
		if _, err := client.Generate(t.Context(), api.GenerateRequest{Samples: 600, Seed: new(uint64(1)), Drift: "none"}); err != nil {
			t.Fatal(err)
		}
		reply, err := client.Retrain(t.Context(), api.RetrainRequest{Seed: uint64(seed + 1)}, true)
		if err != nil || reply.Done == nil {
			t.Fatalf("retrain: %+v, %v", reply, err)
		}
		if reply.Done.Verdict != "activated" {
			t.Fatalf("retraining %d was %s: %s", seed, reply.Done.Verdict, reply.Done.Details)
		}
		if rows := reply.Done.HoldoutSamples * 5; rows != 500 { // a fifth is held out
			t.Errorf("%d rows used, want the 500 of TRAINING_WINDOW", rows)
		}
	}
	p.stop(t)
	again := startUp(t, f, "KEEP_VERSIONS=2", "KEEP_DATASETS=1") // retention runs at the start
	ready(t, again.url)
	client = login(t, again.url, "testuser", "test123")
	eventually(t, "retention leaves what the settings say", func() bool {
		models, err := client.Models(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		data, err := client.Datasets(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		// Of seven versions and datasets; the five that served last stay for a rollback.
		return len(models.Models) == 5 && len(data.Datasets) <= 2
	})
}

// TestTheCooldownHolds lets the served data drift right after a training, the first one.
func TestTheCooldownHolds(t *testing.T) {
	t.Parallel()
	for cooldown, want := range map[string][]string{
		"1h": {"cooldown"},
		"0":  {"retrained", "retrain_rejected"}, // what the gate says is not the matter here
	} {
		t.Run(cooldown, func(t *testing.T) {
			t.Parallel()
			p := startUp(t, newFolder(t), "DRIFT_DETECTOR=statistical", "MONITORING_INTERVAL=1", "RETRAIN_COOLDOWN="+cooldown)
			ready(t, p.url)
			client := login(t, p.url, "testuser", "test123")
			rows := make([][]float64, 300) // more than the 200 that a check needs
			for i := range rows {
				rows[i] = []float64{5, 5}
			}
			if _, err := client.PredictBatch(t.Context(), rows); err != nil {
				t.Fatal(err)
			}
			var found api.DriftDetection
			eventually(t, "the drift is found", func() bool {
				checks, err := client.Drift(t.Context(), 1000)
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(checks.DriftDetections, func(c api.DriftDetection) bool { return c.Drift })
				if i >= 0 {
					found = checks.DriftDetections[i]
				}
				return i >= 0
			})
			if !slices.Contains(want, found.ActionTaken) {
				t.Errorf("the check took the action %s (%s), want one of %v", found.ActionTaken, found.Details.Note, want)
			}
			if found.ActionTaken == "cooldown" && !strings.Contains(found.Details.Note, "cooldown 1h)") {
				t.Errorf("the check notes %q, want the setting", found.Details.Note)
			}
		})
	}
}
