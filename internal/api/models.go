package api

import (
	"encoding/json"
	"time"
)

// RetrainRequest says how to retrain; every field may be left out, and so may the body.
type RetrainRequest struct {
	DatasetID     int64   `json:"dataset_id,omitempty" minimum:"1" maximum:"9007199254740991" doc:"Train on this dataset alone; left out: the newest rows of the active version's schema"`
	C             float64 `json:"c,omitempty" minimum:"0.000000001" maximum:"1000000000" doc:"Inverse strength of the L2 penalty, default 1"`
	Balanced      bool    `json:"balanced,omitempty" doc:"Weigh the classes by the inverse of their frequency"`
	Seed          uint64  `json:"seed,omitempty" maximum:"9007199254740991" doc:"Splits holdout from training rows, default 1"`
	Generate      bool    `json:"generate,omitempty" doc:"Generate a fresh dataset first; for services and administrators"`
	TriggerReason string  `json:"trigger_reason,omitempty" enum:"manual,drift,threshold,forced" doc:"For the records; other than manual for services and administrators"`
	// Trigger is an ml.Trigger; it goes with the job to whoever records the retraining.
	Trigger json.RawMessage `json:"trigger,omitempty" doc:"The check that asks, for the records, in at most 64 KiB; for services and administrators"`
}

// MaxTrigger is the greatest size of a RetrainRequest's Trigger in bytes.
const MaxTrigger = 64 << 10

// Statuses of a retraining that has ended well.
const (
	StatusSuccess  = "success"  // the candidate serves
	StatusRejected = "rejected" // the candidate was not better: the champion goes on
	StatusAccepted = "accepted" // still running
)

// RetrainResponse is the end of a retraining.
type RetrainResponse struct {
	Status          string    `json:"status" enum:"success,rejected"`
	ModelVersion    string    `json:"model_version" doc:"The version that serves now"`
	TrainingSamples int       `json:"training_samples" doc:"Rows that the candidate was trained on"`
	Accuracy        float64   `json:"accuracy" doc:"Holdout accuracy of the version that serves now"`
	Timestamp       time.Time `json:"timestamp"`
	RetrainResult
	JobID         int64    `json:"job_id"`
	Joined        bool     `json:"joined" doc:"The same retraining was running already; this is its result"`
	IgnoredFields []string `json:"ignored_fields,omitempty" doc:"Fields of the request that mean nothing here, such as misspelt ones"`
}

// RetrainResult compares the candidate with the champion on the same holdout.
type RetrainResult struct {
	Verdict           string   `json:"verdict" enum:"activated,rejected"`
	CandidateVersion  string   `json:"candidate_version"`
	CandidateAccuracy float64  `json:"candidate_accuracy"`
	ChampionAccuracy  *float64 `json:"champion_accuracy" doc:"null if there was no champion"`
	MajorityAccuracy  float64  `json:"majority_accuracy" doc:"Of always answering the more frequent class"`
	HoldoutSamples    int      `json:"holdout_samples"`
	DurationSeconds   float64  `json:"duration_seconds"`
	DatasetIDs        []int64  `json:"dataset_ids"`
	Details           string   `json:"details" doc:"The gate's reason in one sentence"`
	Reasons           []Remark `json:"reasons,omitempty" doc:"What the details say; absent from retrainings of an earlier program"`
}

// ConditionalRequest asks for a retraining if accuracy is below a threshold.
type ConditionalRequest struct {
	AccuracyThreshold *float64 `json:"accuracy_threshold,omitempty" minimum:"0" maximum:"1" default:"0.85"`
	ForceRetrain      bool     `json:"force_retrain,omitempty" doc:"Train in any case; the gate still decides"`
}

// What a conditional retraining did and why.
const (
	ActionNone           = "no_action_needed"
	ActionBelowThreshold = "performance_below_threshold"
	ActionForced         = "forced_retrain"
	ActionForcedNoModel  = "forced_retrain_no_model"
)

// ConditionalResponse says whether a retraining was needed and what came of it.
type ConditionalResponse struct {
	Status           string           `json:"status" enum:"success,rejected,accepted"`
	ActionTaken      string           `json:"action_taken" enum:"no_action_needed,performance_below_threshold,forced_retrain,forced_retrain_no_model"`
	CurrentAccuracy  *float64         `json:"current_accuracy" doc:"Holdout accuracy of the active version when asked; null without one"`
	Threshold        float64          `json:"threshold"`
	ModelVersion     string           `json:"model_version" doc:"The version that serves now"`
	RetrainTriggered bool             `json:"retrain_triggered"`
	Timestamp        time.Time        `json:"timestamp"`
	Details          string           `json:"details"`
	Retrain          *RetrainResponse `json:"retrain,omitempty" doc:"The retraining's end"`
	JobID            int64            `json:"job_id,omitempty"`
	IgnoredFields    []string         `json:"ignored_fields,omitempty" doc:"Fields of the request that mean nothing here, such as misspelt ones"`
}

// Job is a durable job as its asker sees it.
type Job struct {
	ID            int64            `json:"id"`
	State         string           `json:"state" enum:"queued,running,retrying,succeeded,failed,cancelled"`
	Step          string           `json:"step,omitempty" doc:"data, split, train, evaluate, gate, save or activate"`
	Progress      float64          `json:"progress" doc:"0 to 1"`
	Attempt       int              `json:"attempt"`
	MaxAttempts   int              `json:"max_attempts"`
	Result        *RetrainResponse `json:"result,omitempty" doc:"Once it has ended well"`
	Error         string           `json:"error,omitempty" doc:"The last error"`
	ErrorRemarks  []Remark         `json:"error_remarks,omitempty" doc:"What the error says; absent if only its text is known"`
	RequestedBy   string           `json:"requested_by,omitempty"`
	CreatedAt     time.Time        `json:"created_at"`
	StartedAt     *time.Time       `json:"started_at,omitempty"`
	FinishedAt    *time.Time       `json:"finished_at,omitempty"`
	IgnoredFields []string         `json:"ignored_fields,omitempty" doc:"In the answer to the request only. Fields of the request that mean nothing here, such as misspelt ones"`
}

// ModelInfo is the model that this process serves.
type ModelInfo struct {
	ModelVersion     *string    `json:"model_version" doc:"null until a model serves"`
	ModelLoaded      bool       `json:"model_loaded"`
	ModelType        string     `json:"model_type" example:"LogisticRegression"`
	Timestamp        time.Time  `json:"timestamp"`
	Accuracy         *float64   `json:"accuracy,omitempty" doc:"On the holdout"`
	AccuracyInterval []float64  `json:"accuracy_interval,omitempty" doc:"95% Wilson interval, low and high"`
	TrainingSamples  int        `json:"training_samples,omitempty"`
	Features         []string   `json:"features,omitempty"`
	Target           string     `json:"target,omitempty"`
	Classes          []string   `json:"classes,omitempty"`
	CreatedAt        *time.Time `json:"created_at,omitempty"`
	ActivatedAt      *time.Time `json:"activated_at,omitempty"`
	Reason           string     `json:"reason,omitempty" doc:"Why it was trained"`
	Forecast         *Forecast  `json:"forecast,omitempty" doc:"Trends measured by the latest check; absent until there are any"`
}

// ModelType is the kind of model that is trained.
const ModelType = "LogisticRegression"

// Forecast is where accuracy and drift are going.
type Forecast struct {
	CheckedAt     time.Time        `json:"checked_at"`
	AccuracyTrend *Trend           `json:"accuracy_trend,omitempty" doc:"Holdout accuracy over versions"`
	ScoreTrends   map[string]Trend `json:"score_trends,omitempty" doc:"KS statistic over checks, by feature"`
}

// Trend is a straight line through a series.
type Trend struct {
	Slope        float64  `json:"slope" doc:"Change a step"`
	R2           float64  `json:"r2"`
	N            int      `json:"n"`
	StepsToCross *float64 `json:"steps_to_cross,omitempty" doc:"Steps until the limit is crossed; absent while the fit says nothing"`
	Limit        float64  `json:"limit"`
}

// Version is a trained model version.
type Version struct {
	ID              int64           `json:"id" doc:"A later version has a higher one"`
	Version         string          `json:"version"`
	Accuracy        float64         `json:"accuracy"`
	TrainingSamples int             `json:"training_samples"`
	CreatedAt       time.Time       `json:"created_at"`
	ActivatedAt     *time.Time      `json:"activated_at"`
	IsActive        bool            `json:"is_active"`
	Status          string          `json:"status" enum:"ready,rejected"`
	Reason          string          `json:"reason"`
	Features        []string        `json:"features"`
	Target          string          `json:"target"`
	Classes         []string        `json:"classes"`
	DatasetIDs      []int64         `json:"dataset_ids"`
	Metrics         json.RawMessage `json:"metrics,omitempty" doc:"All holdout metrics"`
}

// VersionList is the newest versions.
type VersionList struct {
	Models []Version `json:"models"`
	Total  int64     `json:"total" doc:"All there are, also beyond the limit"`
}
