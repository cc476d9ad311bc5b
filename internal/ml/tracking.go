package ml

import (
	"encoding/json"
	"time"
)

// Service is an outside service that is owed what it is to be told.
type Service string

// The services that are told durably and in order.
const (
	ServiceMLflow  Service = "mlflow"
	ServicePrefect Service = "prefect"
)

// Services are all that are told so.
func Services() []Service { return []Service{ServiceMLflow, ServicePrefect} }

// RefusalEvent is the type of the audit entries about what the service refused for good.
func (s Service) RefusalEvent() string { return string(s) + "_refused" }

// Delivery is something that a service is owed.
type Delivery struct {
	// ID rises in the order in which deliveries have to be made.
	ID      int64
	Service Service
	// Kind says what Payload, JSON, is.
	Kind    string
	Payload json.RawMessage
	// Notes is what the deliverer wrote down of how far it came, JSON, empty before the first try.
	Notes json.RawMessage
	// Attempts counts the tries begun, this one included.
	Attempts  int
	CreatedAt time.Time
	// Trace is the place in a trace of who owes it, empty if there is none.
	Trace string
}

// Backlog is what a service is owed at a moment.
type Backlog struct {
	Waiting int64
	// Oldest is when the oldest waiting delivery was made, zero if none waits.
	Oldest time.Time
	// Error is what the last failed try of the oldest one met, empty if none has failed.
	Error string
}

// Kinds of deliveries.
const (
	DeliveryRun       = "run"       // to MLflow: TrackedRun
	DeliveryAliases   = "aliases"   // to MLflow: Aliases
	DeliveryReconcile = "reconcile" // to MLflow: compare it with what is here
	DeliveryFlowRun   = "flowrun"   // to Prefect: flowrun.Run
	DeliveryArtifacts = "artifacts" // to Prefect: flowrun.Run with what is added to it if it is there
)

// Aliases are the versions that have a name by their part, empty for none.
type Aliases struct {
	// Champion serves.
	Champion string `json:"champion"`
	// Challenger is the newest candidate, if the gate did not let it in and it does not serve.
	Challenger string `json:"challenger"`
	// Previous is the version to which a rollback would lead.
	Previous string `json:"previous"`
}

// TrackedRun is what is told of a retraining that ended.
type TrackedRun struct {
	JobID int64 `json:"job_id"`
	// Created is when the job was enqueued. With its number it tells the retraining from those of a database that
	// went on from an earlier copy, and counts its jobs as that one did.
	Created time.Time   `json:"created"`
	Args    RetrainArgs `json:"args"`
	Started time.Time   `json:"started"`
	Ended   time.Time   `json:"ended"`
	// Version and Result are what a retraining with a verdict came to, nil if it failed.
	Version *Version       `json:"version,omitempty"`
	Result  *RetrainResult `json:"result,omitempty"`
	// Failure says in words for everybody why there is no verdict, empty if there is one.
	Failure string `json:"failure,omitempty"`
	// Aliases are as they were right after the retraining; nil where they are told by themselves.
	Aliases *Aliases `json:"aliases,omitempty"`
	// Partial says that nobody wrote this down when it happened: who asked for what, on which occasion,
	// and what the majority would have got are not known.
	Partial bool `json:"partial,omitempty"`
}

// Trigger is the check that asked for a retraining.
type Trigger struct {
	// Report is the check up to the moment when it asked.
	Report DriftReport `json:"report"`
	// FlowRun is the id of the check on the server that asked for it, empty if none did.
	FlowRun string `json:"flow_run,omitempty"`
}
