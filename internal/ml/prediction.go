package ml

import "time"

// Prediction is one answered request, as answered and as logged.
type Prediction struct {
	// ID is the prediction_id given to the client; ids of one process sort by time.
	ID           string
	UserID       int64
	ModelVersion string
	Features     []float64
	// Label is the predicted class, 0 or 1, and Class its value as written in the data. Class is
	// answered and not logged.
	Label int
	Class string
	// Confidence is the probability of the predicted class, 0.5 to 1.
	Confidence   float64
	ResponseTime time.Duration
	CreatedAt    time.Time
}

// PredictionRequest is what comes with the rows that are to be classified.
type PredictionRequest struct {
	Who Identity
	// Schema is the one by which the rows were read: the model that answers must have the same.
	Schema  Schema
	Started time.Time // when the request came
}

// LoggedPrediction is a prediction read back from the log with its row id.
type LoggedPrediction struct {
	RowID int64
	Prediction
}

// PredictionStats sums up a prediction log.
type PredictionStats struct {
	Total               int64
	ByModel             map[string]int64
	AverageConfidence   float64
	AverageResponseTime time.Duration
}

// Explanation says how a prediction came about: the log odds of class 1 are the intercept and the
// contributions of all features together.
type Explanation struct {
	Intercept     float64
	Contributions []float64 // coefficient times value, in the order of the schema
	LogOdds       float64
}
