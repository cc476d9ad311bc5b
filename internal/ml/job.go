package ml

import (
	"slices"
	"time"
)

// Verdict is the gate's word on a candidate.
type Verdict string

// A candidate is activated or rejected; there is no third way.
const (
	VerdictActivated Verdict = "activated"
	VerdictRejected  Verdict = "rejected"
)

// RetrainFailed stands beside the verdicts where retrainings are counted by how they ended: for one that
// came to none.
const RetrainFailed = "failed"

// RetrainRecap sums up the retrainings so far.
type RetrainRecap struct {
	// RejectedInARow is how many candidates were rejected since one was activated.
	RejectedInARow int64
	// Last is when a retraining last ended so, by its verdict or RetrainFailed.
	Last map[string]time.Time
}

// Reasons for a retraining.
const (
	ReasonManual    = "manual"
	ReasonBootstrap = "bootstrap"
	ReasonDrift     = "drift"
	ReasonThreshold = "threshold"
	ReasonForced    = "forced"
)

// RetrainArgs are the arguments of a retraining job. Fields tagged river:"unique" say when two
// calls ask for the same work.
type RetrainArgs struct {
	// DatasetID names the dataset to train on; 0 means the newest rows of the active schema.
	DatasetID int64 `json:"dataset_id" river:"unique"`
	// NewestDataset is the newest ready dataset when the call came.
	NewestDataset int64 `json:"newest_dataset" river:"unique"`
	// Generate asks for a fresh generated dataset first.
	Generate bool `json:"generate" river:"unique"`
	// C is the inverse strength of the L2 penalty; 0 means 1.
	C float64 `json:"c" river:"unique"`
	// Balanced weighs the classes by the inverse of their frequency.
	Balanced bool `json:"balanced" river:"unique"`
	// Seed splits holdout from training rows; 0 means 1.
	Seed uint64 `json:"seed" river:"unique"`
	// Reason and RequestedBy are for the records.
	Reason      string `json:"reason"`
	RequestedBy string `json:"requested_by"`
	// Trigger is the check that asked, nil if a person did.
	Trigger *Trigger `json:"trigger,omitempty"`
}

// Kind is the name of the job in the queue.
func (RetrainArgs) Kind() string { return "retrain" }

// RetrainResult is what a retraining came to.
type RetrainResult struct {
	Verdict Verdict `json:"verdict"`
	// Version is the version that serves afterwards: the candidate, or the champion that stayed.
	Version string `json:"model_version"`
	// Candidate is the version that was trained.
	Candidate         string   `json:"candidate_version"`
	CandidateAccuracy float64  `json:"candidate_accuracy"`
	ChampionAccuracy  *float64 `json:"champion_accuracy"` // on the same holdout; nil without a champion
	MajorityAccuracy  float64  `json:"majority_accuracy"`
	// TrainingSamples and HoldoutSamples are the rows on each side of the split.
	TrainingSamples int    `json:"training_samples"`
	HoldoutSamples  int    `json:"holdout_samples"`
	Details         string `json:"details"` // the gate's reason in one sentence
	// Reasons are what the details say; nil from an earlier program.
	Reasons         []Remark `json:"reasons,omitempty"`
	DurationSeconds float64  `json:"duration_seconds"`
	DatasetIDs      []int64  `json:"dataset_ids"`
}

// JobState is where a job stands.
type JobState string

// The states of a job. A job that waits for its next try is retrying.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobRetrying  JobState = "retrying"
	JobSucceeded JobState = "succeeded"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Final reports whether the job will not change any more.
func (s JobState) Final() bool {
	return s == JobSucceeded || s == JobFailed || s == JobCancelled
}

// Job is a durable job as its caller sees it.
type Job struct {
	ID          int64
	Kind        string
	State       JobState
	Attempt     int
	MaxAttempts int
	CreatedAt   time.Time
	StartedAt   time.Time // zero until the first try
	FinishedAt  time.Time // zero until final
	// Error is the last error, in words for the caller.
	Error string
	// ErrorCode is the code of the last error; empty for an internal one, and without an error.
	ErrorCode Code
	// ErrorRemarks are what the error says, nil if only its text is known.
	ErrorRemarks []Remark
	// RequestedBy is the user who asked for it first, JoinedBy are those who asked for the same later.
	RequestedBy string
	JoinedBy    []string
}

// AskedBy reports whether that user is one of those who asked for the job.
func (j Job) AskedBy(name string) bool {
	return j.RequestedBy == name || slices.Contains(j.JoinedBy, name)
}

// JobProgress is how far a running job has come.
type JobProgress struct {
	// Step is the name of the step: data, split, train, evaluate, gate, save, activate.
	Step string
	// Fraction is the share of the work done, 0 to 1.
	Fraction  float64
	UpdatedAt time.Time
	// Result is set once, in the transaction that ends the job's work.
	Result *RetrainResult
}

// RetrainOutcome is what the one transaction at the end of a retraining stores.
type RetrainOutcome struct {
	Version Version
	Record  TrainingRecord
	Result  RetrainResult
	// Activate makes Version the active one.
	Activate bool
	// Champion is the name of the active version that the gate compared with, empty if there was
	// none. If another one is active by now and Activate is set, nothing is stored and the error is
	// CodeConflict: the candidate has to be compared again.
	Champion string
}
