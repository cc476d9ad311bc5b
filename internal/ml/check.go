package ml

import "time"

// CheckAction is what a periodic check did in the end.
type CheckAction string

// The actions recorded with a check.
const (
	ActionNone              CheckAction = "none"
	ActionRetrained         CheckAction = "retrained"           // a better version was let in
	ActionRetrainRejected   CheckAction = "retrain_rejected"    // the candidate was not better
	ActionRetrainFailed     CheckAction = "retrain_failed"      // the retraining ended in an error
	ActionRetrainStarted    CheckAction = "retrain_started"     // still running when the check ended
	ActionCooldown          CheckAction = "cooldown"            // drift, but retrained a short while ago
	ActionNewDataNeeded     CheckAction = "new_data_needed"     // drift that retraining on the data there is does not end
	ActionHealthCheckFailed CheckAction = "health_check_failed" // the API did not answer well
)

// FeatureScore holds the drift scores of one feature: the latest predictions against the window
// pinned to the active model.
type FeatureScore struct {
	Feature string `json:"feature"`
	// KS is the two-sample Kolmogorov-Smirnov statistic, 0 to 1, PValue its p-value, not yet corrected
	// for the number of features.
	KS     float64 `json:"ks"`
	PValue float64 `json:"p_value"`
	// PSI is the population stability index over deciles of the reference, 0 upwards.
	PSI   float64 `json:"psi"`
	Drift bool    `json:"drift"`
}

// Trend is a straight line through a series and where it is going.
type Trend struct {
	Slope float64 `json:"slope"` // change a step (a version, or a check)
	R2    float64 `json:"r2"`
	N     int     `json:"n"`
	// StepsToCross is how many steps from the last value the line reaches the limit; nil if it does
	// not, or if the fit says nothing.
	StepsToCross *float64 `json:"steps_to_cross,omitempty"`
	Limit        float64  `json:"limit"`
}

// DriftReport is what one periodic check measured, decided and did.
type DriftReport struct {
	ID           int64  `json:"id"`
	Slot         int64  `json:"slot"` // which tick: unix seconds divided by the interval
	ModelVersion string `json:"model_version"`
	// Method is "random" or "statistical".
	Method string `json:"method"`
	// TriggerValue is what was held against Threshold: the number drawn, or the smallest of the
	// features' p-values, corrected for their number.
	TriggerValue float64      `json:"trigger_value"`
	Threshold    float64      `json:"threshold"`
	Drift        bool         `json:"drift"`
	Action       CheckAction  `json:"action"`
	Details      CheckDetails `json:"details"`
	CreatedAt    time.Time    `json:"created_at"`
}

// CheckDetails is kept as JSON with the check.
type CheckDetails struct {
	// Scores are measured in both modes, if there are enough predictions.
	Scores []FeatureScore `json:"scores,omitempty"`
	// Rows is how many predictions were scored.
	Rows int `json:"rows"`
	// Note says in one sentence what a reader should know: too few rows, the health check's error.
	Note string `json:"note,omitempty"`
	// Remarks are what the note says.
	Remarks []Remark `json:"remarks,omitempty"`
	// JobID is the retraining that the check asked for.
	JobID int64 `json:"job_id,omitempty"`
	// NewVersion is the version that the retraining made.
	NewVersion string `json:"new_version,omitempty"`
	// AccuracyTrend is the trend of holdout accuracy over versions.
	AccuracyTrend *Trend `json:"accuracy_trend,omitempty"`
	// ScoreTrends are the trends of the KS statistic over checks, by feature.
	ScoreTrends map[string]Trend `json:"score_trends,omitempty"`
	// Duration is how long the whole check took, in seconds.
	Duration float64 `json:"duration_seconds"`
}
