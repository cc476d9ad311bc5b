package ml

import (
	"encoding/json"
	"time"
)

// VersionStatus tells how a model version left its retraining.
type VersionStatus string

// A version is ready when the gate let it in, rejected when it did not. A rejected version is kept,
// so that an administrator may look at it and still activate it by hand.
const (
	VersionReady    VersionStatus = "ready"
	VersionRejected VersionStatus = "rejected"
)

// Version is a trained model as the store knows it; its coefficients lie in the artifact
// directory of the same name.
type Version struct {
	// ID is the store's; that of a later version is higher.
	ID   int64
	Name string
	// Accuracy is the share of right answers on the holdout, 0 to 1.
	Accuracy        float64
	TrainingSamples int
	CreatedAt       time.Time
	Active          bool
	// ActivatedAt is when the version last became active; zero if it never was.
	ActivatedAt time.Time
	// SincePrediction is the id of the last prediction logged before the activation.
	SincePrediction int64
	Status          VersionStatus
	Schema          Schema
	// Reason is why it was trained: bootstrap, manual, drift, ...
	Reason string
	// DatasetIDs are the datasets it was trained on, oldest first.
	DatasetIDs []int64
	// Metrics is the JSON of the holdout metrics.
	Metrics json.RawMessage
	// Digest is the SHA-256 of the artifact's model.json, hexadecimal.
	Digest string
	JobID  int64
}

// TrainingRecord is one finished retraining, whatever its verdict.
type TrainingRecord struct {
	ID              int64
	Version         string
	Reason          string
	TrainingSamples int
	// AccuracyBefore is the champion's accuracy on the same holdout; nil without a champion.
	AccuracyBefore *float64
	AccuracyAfter  float64
	Duration       time.Duration
	MLflowRunID    string
	CreatedAt      time.Time
	Verdict        Verdict
	// Details is the gate's reason in one sentence.
	Details string
	// Reasons are what the details say; nil from an earlier program.
	Reasons []Remark
	JobID   int64
	// Told is the retraining as trackers are told of it, without Version and Aliases; nil where that was
	// never written down, and in lists.
	Told *TrackedRun
}
