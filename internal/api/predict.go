package api

import "time"

// MaxBatch is the greatest number of rows in one batch.
const MaxBatch = 10_000

// PredictRequest asks for one prediction. Features is a list in the order of the schema, or an
// object by name.
type PredictRequest struct {
	Features any `json:"features"`
	// Explain asks how the answer came about.
	Explain bool `json:"explain,omitempty"`
}

// BatchRequest asks for up to [MaxBatch] predictions, logged in one transaction. Each instance is a
// list in the order of the schema.
type BatchRequest struct {
	Instances [][]float64 `json:"instances"`
}

// PredictResponse is one prediction, already in the log.
type PredictResponse struct {
	Prediction   int       `json:"prediction" enum:"0,1" doc:"The predicted class"`
	Class        string    `json:"class" doc:"The predicted class as the target's value in the data"`
	ModelVersion string    `json:"model_version"`
	Confidence   float64   `json:"confidence" doc:"Probability of the predicted class, 0.5 to 1"`
	Timestamp    time.Time `json:"timestamp"`
	PredictionID string    `json:"prediction_id" doc:"Names this prediction in the log"`

	Explanation *Explanation `json:"explanation,omitempty" doc:"If the request has explain: true"`
}

// BatchResponse holds one prediction for each instance, in their order.
type BatchResponse struct {
	Predictions []PredictResponse `json:"predictions"`
	Total       int               `json:"total"`
}
