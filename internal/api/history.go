package api

import (
	"encoding/json"
	"time"
)

// LoggedPrediction is a row of the prediction log.
type LoggedPrediction struct {
	ID             int64     `json:"id"`
	UserID         *int64    `json:"user_id" doc:"null for the platform itself"`
	ModelVersion   string    `json:"model_version"`
	Feature1       *float64  `json:"feature1"`
	Feature2       *float64  `json:"feature2" doc:"null if the model has one feature"`
	Features       []float64 `json:"features,omitempty" doc:"All features, if there are more than two"`
	Prediction     int       `json:"prediction"`
	Confidence     float64   `json:"confidence"`
	ResponseTimeMS float64   `json:"response_time_ms"`
	CreatedAt      time.Time `json:"created_at"`
	PredictionID   string    `json:"prediction_id,omitempty"`
}

// PredictionHistory is the newest predictions.
type PredictionHistory struct {
	Predictions []LoggedPrediction `json:"predictions"`
	Total       int64              `json:"total" doc:"All there are, also beyond the limit"`
}

// PredictionStats sums up a prediction log.
type PredictionStats struct {
	TotalPredictions      int64            `json:"total_predictions"`
	PredictionsByModel    map[string]int64 `json:"predictions_by_model"`
	AverageConfidence     float64          `json:"average_confidence"`
	AverageResponseTimeMS float64          `json:"average_response_time_ms"`
}

// Training is one finished retraining.
type Training struct {
	ID                      int64     `json:"id"`
	ModelVersion            string    `json:"model_version"`
	TriggerReason           string    `json:"trigger_reason"`
	TrainingSamples         int       `json:"training_samples"`
	AccuracyBefore          *float64  `json:"accuracy_before" doc:"Of the champion on the same holdout; null without one"`
	AccuracyAfter           float64   `json:"accuracy_after"`
	TrainingDurationSeconds float64   `json:"training_duration_seconds"`
	MLflowRunID             *string   `json:"mlflow_run_id"`
	CreatedAt               time.Time `json:"created_at"`
	Verdict                 string    `json:"verdict" enum:"activated,rejected"`
	Details                 string    `json:"details"`
	Reasons                 []Remark  `json:"reasons,omitempty" doc:"What the details say; absent from retrainings of an earlier program"`
	JobID                   int64     `json:"job_id,omitempty"`
}

// TrainingHistory is the newest retrainings.
type TrainingHistory struct {
	Trainings []Training `json:"trainings"`
	Total     int64      `json:"total" doc:"All there are, also beyond the limit"`
}

// DriftDetection is one periodic check.
type DriftDetection struct {
	ID              int64        `json:"id"`
	ModelVersion    string       `json:"model_version"`
	DetectionMethod string       `json:"detection_method" doc:"random or statistical"`
	TriggerValue    float64      `json:"trigger_value" doc:"The number drawn, or the worst p-value"`
	Threshold       float64      `json:"threshold"`
	Drift           bool         `json:"drift"`
	ActionTaken     string       `json:"action_taken"`
	Details         DriftDetails `json:"details"`
	CreatedAt       time.Time    `json:"created_at"`
}

// DriftDetails is all that a check measured.
type DriftDetails struct {
	Scores          []FeatureScore   `json:"scores,omitempty"`
	Rows            int              `json:"rows" doc:"Predictions that were scored"`
	Note            string           `json:"note,omitempty"`
	Remarks         []Remark         `json:"remarks,omitempty" doc:"What the note says; absent from checks of an earlier program"`
	JobID           int64            `json:"job_id,omitempty"`
	NewVersion      string           `json:"new_version,omitempty"`
	AccuracyTrend   *Trend           `json:"accuracy_trend,omitempty"`
	ScoreTrends     map[string]Trend `json:"score_trends,omitempty"`
	DurationSeconds float64          `json:"duration_seconds"`
}

// FeatureScore is how far one feature has moved.
type FeatureScore struct {
	Feature string  `json:"feature"`
	KS      float64 `json:"ks" doc:"Two-sample Kolmogorov-Smirnov statistic"`
	PValue  float64 `json:"p_value"`
	PSI     float64 `json:"psi" doc:"Population stability index"`
	Drift   bool    `json:"drift"`
}

// DriftHistory is the newest checks.
type DriftHistory struct {
	DriftDetections []DriftDetection `json:"drift_detections"`
	Total           int64            `json:"total" doc:"All there are, also beyond the limit"`
}

// LogEntry says who did what.
type LogEntry struct {
	ID        int64           `json:"id"`
	Level     string          `json:"level" enum:"INFO,WARNING,ERROR"`
	Component string          `json:"component"`
	EventType string          `json:"event_type"`
	Message   string          `json:"message"`
	Details   json.RawMessage `json:"details,omitempty"`
	UserID    *int64          `json:"user_id" doc:"null for the platform itself, and for who is not known"`
	CreatedAt time.Time       `json:"created_at"`
}

// SystemLogs is the newest entries of the audit log.
type SystemLogs struct {
	Logs  []LogEntry `json:"logs"`
	Total int64      `json:"total" doc:"All there are, also beyond the limit"`
}
