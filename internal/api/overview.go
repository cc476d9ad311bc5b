package api

import (
	"context"
	"time"
)

// Overview says on one page how the platform is.
type Overview struct {
	Timestamp   time.Time      `json:"timestamp"`
	Level       string         `json:"level" enum:"ok,watch,act" doc:"The worst of the facts"`
	Facts       []Fact         `json:"facts" doc:"What a person should know, the worst first; never empty"`
	Model       *OverviewModel `json:"model" doc:"The model that serves; null until one does"`
	Checks      []ShortCheck   `json:"checks" doc:"The latest checks, oldest first"`
	NextCheckAt *time.Time     `json:"next_check_at" doc:"When the next check is due; null if none comes"`
	Interval    float64        `json:"interval_seconds,omitempty" doc:"Between two checks, as told by the latest"`
	Waiting     Waiting        `json:"waiting"`
	Events      []Event        `json:"events" doc:"The newest of the last day, newest first"`
}

// Levels of a fact.
const (
	LevelOK    = "ok"
	LevelWatch = "watch" // all goes on, but a person should look
	LevelAct   = "act"   // something does not work until a person acts
)

// Fact is something that a person should know, for whoever words it.
type Fact struct {
	Code   string         `json:"code" enum:"database_down,database_readonly,no_model,first_training,worker_absent,flow_absent,checks_paused,checks_overdue,health_check_failed,new_data_needed,retrain_failed,training_failed,drift,drawn_drift,accuracy_low,deliveries_wait,jobs_wait,well"`
	Level  string         `json:"level" enum:"ok,watch,act"`
	Values map[string]any `json:"values,omitempty" doc:"Figures and names for the sentence"`
}

// OverviewModel is the model that serves.
type OverviewModel struct {
	Version          string     `json:"version"`
	Accuracy         float64    `json:"accuracy"`
	AccuracyInterval []float64  `json:"accuracy_interval,omitempty" doc:"95% Wilson interval, low and high"`
	TrainingSamples  int        `json:"training_samples"`
	CreatedAt        time.Time  `json:"created_at"`
	ActivatedAt      *time.Time `json:"activated_at"`
	AgeSeconds       float64    `json:"age_seconds" doc:"Since it was trained"`
	Reason           string     `json:"reason"`
}

// ShortCheck is a periodic check in a strip of many.
type ShortCheck struct {
	ID           int64     `json:"id"`
	At           time.Time `json:"at"`
	Method       string    `json:"method"`
	Drift        bool      `json:"drift"`
	ActionTaken  string    `json:"action_taken"`
	TriggerValue float64   `json:"trigger_value"`
	Threshold    float64   `json:"threshold"`
	KS           *float64  `json:"ks" doc:"Of the feature that moved most; null if none was scored"`
}

// Waiting is what is still to be done.
type Waiting struct {
	Jobs       []QueueDepth    `json:"jobs" doc:"Queues with unfinished jobs: retrain, notify (messages to people), deliver, ..."`
	Deliveries []DeliveryDepth `json:"deliveries" doc:"What services are owed"`
}

// QueueDepth is how much work a queue holds.
type QueueDepth struct {
	Queue         string  `json:"queue"`
	Waiting       int     `json:"waiting"`
	Running       int     `json:"running"`
	OldestSeconds float64 `json:"oldest_seconds" doc:"How long the job that is due the longest has waited"`
}

// DeliveryDepth is what a service is owed.
type DeliveryDepth struct {
	Service string     `json:"service"`
	Waiting int64      `json:"waiting"`
	Oldest  *time.Time `json:"oldest"`
	Failing bool       `json:"failing" doc:"The last try failed"`
}

// Overview asks how the platform is.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	return get[Overview](ctx, c, PathOverview, nil)
}
