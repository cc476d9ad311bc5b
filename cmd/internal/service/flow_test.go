package service

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// A check of thousands of features still asks for its retraining: what differs least stays behind.
func TestTheCheckGoesWithItsRetraining(t *testing.T) {
	t.Parallel()
	for _, features := range []int{0, 3, 4000} {
		scores := make([]ml.FeatureScore, features)
		for i := range scores {
			scores[i] = ml.FeatureScore{Feature: fmt.Sprintf("feature with a long name, number %d", i), PValue: float64(features-i) / 1e4, KS: 0.1}
		}
		text, err := encodeTrigger(ml.Trigger{FlowRun: "r", Report: ml.DriftReport{Slot: 7, Details: ml.CheckDetails{Scores: scores}}})
		if err != nil {
			t.Fatal(err)
		}
		var got ml.Trigger
		if err := json.Unmarshal(text, &got); err != nil || len(text) > maxTrigger || got.FlowRun != "r" || got.Report.Slot != 7 {
			t.Fatalf("%d features: %d bytes, %v", features, len(text), err)
		}
		kept := got.Report.Details.Scores
		if len(kept) < min(features, 100) || features > 0 && kept[0].PValue != 1e-4 {
			t.Errorf("%d features: %d scores are left, first %+v", features, len(kept), kept[:min(1, len(kept))])
		}
	}
}

// A retraining is for drift where drift was found, and else because somebody forced it.
func TestTheReasonOfARetraining(t *testing.T) {
	t.Parallel()
	for drift, want := range map[bool]string{true: ml.ReasonDrift, false: ml.ReasonForced} {
		var got api.RetrainRequest
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusInternalServerError)
		}))
		client, err := api.New(server.URL, api.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = checkedAPI{client}.Retrain(t.Context(), ml.Trigger{Report: ml.DriftReport{Drift: drift}})
		server.Close()
		if got.TriggerReason != want {
			t.Errorf("drift %v: reason %q, want %q", drift, got.TriggerReason, want)
		}
	}
}
