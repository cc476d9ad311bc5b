package apiserver

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// TestAppendPrediction holds the hand-written answer to encoding/json's of the documented type.
func TestAppendPrediction(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := ml.Prediction{
			ID:           rapid.String().Draw(t, "id"),
			Class:        rapid.String().Draw(t, "class"),
			ModelVersion: rapid.String().Draw(t, "version"),
			Label:        rapid.IntRange(0, 1).Draw(t, "label"),
			Confidence:   rapid.OneOf(rapid.Float64Range(0.5, 1), rapid.Float64Range(0, 1e-5)).Draw(t, "confidence"),
			CreatedAt:    time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "at")),
		}
		want := predictionOf(p)
		var got api.PredictResponse
		text := appendPrediction(nil, &p)
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
