package e2e

import (
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
