package flowrun

import (
	"encoding/json"
	"time"
)

// State is where a run or a step stands.
type State string

// The states of runs and steps. A step that failed and will be tried again is retrying; one that was
// not needed is skipped.
const (
	Pending   State = "pending"
	Running   State = "running"
	Retrying  State = "retrying"
	Completed State = "completed"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Skipped   State = "skipped"
)

// Final reports whether the state will not change any more.
func (s State) Final() bool {
	return s == Completed || s == Failed || s == Cancelled || s == Skipped
}

// Run is one run of a flow.
type Run struct {
	// Flow is the name of the flow.
	Flow string `json:"flow"`
	// Key tells the run from all others of its flow, whoever asks and however often.
	Key string `json:"key"`
	// Name is what people read in lists.
	Name string `json:"name"`
	// ServerID is the id of the run on the server that asked for it, empty if none did.
	ServerID string `json:"server_id,omitempty"`
	// Parent is the step that this run is part of, nil if of none.
	Parent     *Parent        `json:"parent,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
	State      State          `json:"state"`
	// Message says in one sentence what the state came from.
	Message string `json:"message,omitempty"`
	// Due is when the run was to start, zero if at no certain time.
	Due       time.Time  `json:"due,omitzero"`
	Started   time.Time  `json:"started,omitzero"`
	Ended     time.Time  `json:"ended,omitzero"`
	Steps     []Step     `json:"steps,omitempty"`
	Lines     []Line     `json:"lines,omitempty"`
	Artifacts []Artifact `json:"artifacts,omitempty"`
}

// Parent is a step of another run, which has a key, an id on the server, or both.
type Parent struct {
	Flow     string `json:"flow"`
	Key      string `json:"key,omitempty"`
	ServerID string `json:"server_id,omitempty"`
	Step     string `json:"step"`
}

// Step is one step of a run.
type Step struct {
	Name string `json:"name"`
	// After are the names of the steps whose results it needs.
	After []string `json:"after,omitempty"`
	State State    `json:"state"`
	// Message says what the state came from, empty where it goes without saying.
	Message string `json:"message,omitempty"`
	// Attempt counts the tries, from 1; 0 before the first.
	Attempt int `json:"attempt"`
	// RetryAt is when a retrying step is tried again.
	RetryAt time.Time `json:"retry_at,omitzero"`
	Started time.Time `json:"started,omitzero"` // of the first attempt
	Ended   time.Time `json:"ended,omitzero"`
}

// Level is how much a line matters.
type Level int

// The levels of lines, as Python's logging numbers them.
const (
	Info    Level = 20
	Warning Level = 30
	Error   Level = 40
)

// Line is a line of the run's log.
type Line struct {
	At    time.Time `json:"at"`
	Step  string    `json:"step,omitempty"` // empty for the run as a whole
	Level Level     `json:"level"`
	Text  string    `json:"text"`
}

// Kind is how an artifact is shown.
type Kind string

// The kinds of artifacts: Data is a string of Markdown, a list of objects with the same keys, a
// number from 0 to 100, or a URL.
const (
	Markdown Kind = "markdown"
	Table    Kind = "table"
	Progress Kind = "progress"
	Link     Kind = "link"
)

// Artifact is something that a run has to show. Setting one of the same key again replaces it.
type Artifact struct {
	// Key has lower case letters, digits and dashes.
	Key         string          `json:"key"`
	Kind        Kind            `json:"kind"`
	Step        string          `json:"step,omitempty"`
	Description string          `json:"description,omitempty"`
	Data        json.RawMessage `json:"data"`
}
